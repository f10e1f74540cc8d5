"""Run the notebooks in order, time them, and put what they show into one HTML report."""

import json
import os
import threading
import time
from pathlib import Path

import nbformat
import pandas as pd
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbconvert import HTMLExporter
from tqdm import tqdm

from .profile import ROOT, load_profile, task_name

CORE = "0[0-4]_*.ipynb"


class MemoryWatch(threading.Thread):
    """Highest resident memory of the child processes (the notebook's kernel and what it starts), sampled twice a second."""

    def __init__(self):
        super().__init__(daemon=True)
        self.peak_mb, self._done = 0.0, threading.Event()

    def run(self):
        me = psutil.Process()
        while not self._done.wait(0.5):
            total = 0
            for child in me.children(recursive=True):
                try:
                    total += child.memory_info().rss
                except psutil.Error:
                    pass  # it ended between the listing and the question
            self.peak_mb = max(self.peak_mb, total / 1e6)

    def __exit__(self, *_):
        self._done.set()
        self.join()

    def __enter__(self):
        self.start()
        return self


def run_notebook(path: Path, folder: Path, bar: tqdm | None = None) -> dict:
    """Execute a notebook in a fresh kernel and write it, executed, as HTML into `folder`.

    Returns:
        notebook, seconds, peak_memory_mb.

    Raises:
        RuntimeError: a cell failed; the HTML shows everything up to it.
    """
    notebook = nbformat.read(path, as_version=4)
    total = sum(cell.cell_type == "code" for cell in notebook.cells)

    def tick(cell, cell_index):
        if bar is not None and cell.cell_type == "code":
            done = sum(c.cell_type == "code" for c in notebook.cells[: cell_index + 1])
            bar.set_postfix_str(f"{path.stem}: cell {done} of {total}")

    client = NotebookClient(
        notebook, timeout=None, coalesce_streams=True,  # a progress bar is one line
        resources={"metadata": {"path": str(path.parent)}}, on_cell_start=tick,
    )
    start, failure = time.time(), None
    with MemoryWatch() as memory:
        try:
            client.execute()
        except CellExecutionError as error:
            failure = f"{error.ename}: {error.evalue}"
        except DeadKernelError:
            failure = "its kernel was ended from outside, most likely because memory ran out; close other programs and run it again"
    html, _ = HTMLExporter(template_name="lab", embed_images=True).from_notebook_node(notebook, {"metadata": {"path": str(path.parent)}})
    (folder / f"{path.stem}.html").write_text(html, encoding="utf-8")
    if failure:
        raise RuntimeError(f"{path.name} stopped at an error: {failure}. See {folder / path.stem}.html")
    return {"notebook": path.stem, "seconds": round(time.time() - start, 1), "peak_memory_mb": round(memory.peak_mb)}


def run_all(pattern: str = CORE) -> Path:
    """Run the notebooks that match `pattern`, with a progress line each; returns the report's path.

    Writes `timings.csv` beside the results.
    """
    run_dir = load_profile().run_dir(task_name())
    folder = run_dir / "report"
    folder.mkdir(exist_ok=True)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    paths, rows = sorted((ROOT / "notebooks").glob(pattern)), []
    with tqdm(paths, desc="notebooks", unit="notebook") as bar:
        for path in bar:
            rows.append(run_notebook(path, folder, bar))
            bar.write(f"{path.stem}: {rows[-1]['seconds'] / 60:.1f} min, peak {rows[-1]['peak_memory_mb']:,} MB")
            pd.DataFrame(rows).to_csv(run_dir / "timings.csv", index=False)
    index = folder / "index.html"
    index.write_text(_index(rows, run_dir), encoding="utf-8")
    return index


def _index(rows: list[dict], run_dir: Path) -> str:
    links = "".join(f'<li><a href="{row["notebook"]}.html">{row["notebook"]}</a> ({row["seconds"] / 60:.1f} min)</li>' for row in rows)
    table = results_table(run_dir / "results.csv")
    shown = table.to_html() if table is not None else "<p>No results yet.</p>"
    style = "<style>body{font-family:sans-serif;max-width:60em;margin:2em auto}td,th{padding:.2em .6em;text-align:right}</style>"
    head = f'<!doctype html><meta charset="utf-8"><title>Distillation lab</title>{style}'
    return f'{head}<h1>Distillation lab</h1><ol start="0">{links}</ol>{shown}'


def results_table(path: Path) -> pd.DataFrame | None:
    """The results as people read them: a row a model, a column a metric; None when there are none yet."""
    if not path.exists():
        return None
    results = pd.read_csv(path)
    last = ["retention", "parameters", "disk_mb", "peak_memory_mb", "latency_median_s", "throughput_answers_s", "cost_per_1000_usd"]
    hidden = ["main", "latency_p95_s", "tokens_per_second"]
    wide = results.pivot_table(index="model", columns="metric", values="value", sort=False)
    scores = [column for column in wide if column not in [*last, *hidden]]
    return wide[[*scores, *(column for column in last if column in wide)]].map(lambda value: f"{value:,.4g}")


def outputs_in(path: Path) -> list[str]:
    """Ids of code cells that carry outputs or execution counts (none may in the repository)."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell["id"] for cell in cells if cell["cell_type"] == "code" and (cell["outputs"] or cell["execution_count"])]
