"""Whole notebooks with their exercises solved, and with typical wrong answers in them, run to the end."""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook
from typer.testing import CliRunner
from wrong_answers import wrong_answer

from labutils import environment
from labutils.__main__ import app
from labutils.exercise_cases import EXERCISES
from labutils.profile import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
MISTAKES = {  # one an exercise, of those in wrong_answers.py
    "student_parameters": "final norm forgotten",
    "training_minutes": "whole epochs",
    "find_duplicates": "the last earlier match",
    "balanced_sample": "one too many",
    "grounded": "None looked up",
    "majority": "empty list",
    "completion_labels": "prompt not masked",
    "kl_divergence": "over the positions",
    "bootstrap_interval": "mean over the wrong axis",
    "cost_per_thousand": "speed on the wrong side",
    "rare_labels": "no label counted",
    "margin": "whole width",
    "suspects": "in the order of the rows",
    "answers_for": "the ends go on",
}
WRONG_CELL = """from wrong_answers import wrong_answer

{name}, _ = wrong_answer("{name}", "{mistake}")"""
# Measuring each model in a process of its own takes longer than all else, and no answer changes it: the second time, the first will do.
BETWEEN = """if "speeds" in globals():
    results.speeds = lambda lab, measured=speeds: measured"""
# What a check gives back: the learner's function where it is right, else the reference.
PROBE = """from labutils.solutions import REFERENCES

assert [globals()[name] is REFERENCES[name] for name in {names}] == {expected}"""


@pytest.fixture(scope="module")
def solved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("solved")
    done = CliRunner().invoke(app, ["solve", "--out", str(folder)])
    assert done.exit_code == 0, done.output
    return folder


def test_a_solved_copy_finds_the_lab_from_another_folder(solved, tmp_path, monkeypatch):
    notebook = nbformat.read(solved / NOTEBOOKS[0].name, as_version=4)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(environment, "prepare", lambda: None)
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: pytest.fail("cloned the lab"))
    space = {}
    exec(next(cell.source for cell in notebook.cells if cell.cell_type == "code"), space)
    assert space["root"] == ROOT


def exercises_in(notebook) -> list[str]:
    return [cell.metadata["exercise"] for cell in notebook.cells if "exercise" in cell.metadata]


def code_cells(path: Path, wrong: bool = False) -> list:
    """Code cells of a notebook, with mistakes in the exercises where `wrong`; the last cell probes what the checks gave back."""
    notebook = nbformat.read(path, as_version=4)
    names = exercises_in(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for cell in cells if wrong else []:
        cell.id += "-again"  # both kinds of cells are put into one notebook
        if name := cell.metadata.get("exercise"):
            cell.source = WRONG_CELL.format(name=name, mistake=MISTAKES[name])
    return [*cells, new_code_cell(PROBE.format(names=names, expected=[wrong] * len(names)))]


def from_first_exercise(cells: list) -> list:
    return cells[next(place for place, cell in enumerate(cells) if "exercise" in cell.metadata) :]


def said_by_checks(cells: list) -> dict[str, str]:
    """What the cell of each check printed, by exercise."""
    said = {}
    for cell in cells:
        for name in re.findall(r'\bcheck\("(\w+)"', cell.source):
            said[name] = "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
    return said


def notice(name: str) -> str:
    cases, number = EXERCISES[name].cases, wrong_answer(name, MISTAKES[name])[1]
    return f"{name}: not right yet, going on with the reference.\n  case {number} of {len(cases)}, {cases[number - 1].title}\n"


def test_every_exercise_stands_in_one_notebook_and_has_a_mistake():
    found = [name for path in NOTEBOOKS for name in exercises_in(nbformat.read(path, as_version=4))]
    assert sorted(found) == sorted(EXERCISES) == sorted(MISTAKES)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_to_the_end_with_right_and_with_wrong_answers(path, solved, monkeypatch):
    """One kernel for both: what stands before the first exercise cannot depend on an answer, and is run once. The folder of runs is
    that of the untouched notebooks, so that what one of them trained the other does not train again."""
    right, wrong = code_cells(solved / path.name), from_first_exercise(code_cells(path, wrong=True))
    monkeypatch.setenv("LAB_PROFILE", "smoke")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), str(ROOT)]))
    both = [*right, new_code_cell(BETWEEN), *wrong]
    NotebookClient(new_notebook(cells=both), timeout=1800, resources={"metadata": {"path": str(path.parent)}}).execute()
    names = exercises_in(nbformat.read(path, as_version=4))
    assert list(said_by_checks(right)) == list(said_by_checks(wrong)) == names
    assert [text for text in said_by_checks(right).values() if not text.startswith("Correct.\n")] == []
    assert [text for name, text in said_by_checks(wrong).items() if not text.startswith(notice(name))] == []
