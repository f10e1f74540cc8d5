"""Fill the exercises of a notebook with the reference solutions, so that no second, drifting copy of a notebook is needed."""

import ast
import inspect
from pathlib import Path

import nbformat

from .profile import ROOT
from .solutions import REFERENCES

IMPORTS = {"np": "import numpy as np", "torch": "import torch"}  # what solutions.py imports for all its functions


def solution_source(name: str) -> str:
    """Source of a cell that solves the exercise: the imports that the reference needs, then the reference.

    For a value exercise (a reference without parameters) the cell ends with the assignment of the value.
    """
    reference = REFERENCES[name]
    source = inspect.getsource(reference).rstrip()
    used = {node.id for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Name)}
    imports = "\n".join(line for alias, line in IMPORTS.items() if alias in used)
    parts = [imports, source, "" if inspect.signature(reference).parameters else f"{name} = {name}()"]
    return "\n\n\n".join(part for part in parts if part)


def solve_notebook(path: str | Path, target: str | Path) -> list[str]:
    """Write a copy of a notebook in which each code cell with the metadata `"exercise": "<name>"` holds the reference.

    Ids, metadata and all other cells stay as they are; the outputs of a replaced cell are dropped, as they belong to the old source.

    Args:
        path: the notebook, in nbformat 4.
        target: where the copy goes; may be `path` itself. Its folder is made when missing.

    Returns:
        Names of the exercises that were filled in, in the order of the cells.

    Raises:
        ValueError: a cell names an unknown exercise; nothing is written.
    """
    notebook, solved = nbformat.read(path, as_version=4), []
    for cell in notebook.cells:
        name = cell.metadata.get("exercise")
        if cell.cell_type != "code" or name is None:
            continue
        if name not in list(REFERENCES):
            raise ValueError(f"{path}, cell {cell.get('id', '?')}: unknown exercise {name!r}; the exercises are {', '.join(REFERENCES)}.")
        cell.source, cell.outputs, cell.execution_count = solution_source(name), [], None
        solved.append(name)
    if not Path(target).resolve().is_relative_to(ROOT):  # the setup cell looks for the lab above itself, and would not find it
        for cell in notebook.cells:
            cell.source = cell.source.replace("places = [", f"places = [pathlib.Path({str(ROOT)!r}), ")
    Path(target).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, target)
    return solved
