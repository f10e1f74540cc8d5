"""Command line of the lab: `python -m labutils run | reference | bring | check | solve | address`."""

import os
from pathlib import Path

import typer

from .profile import ROOT, load_profile, task_name

app = typer.Typer(help=__doc__, add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def run(fresh: bool = typer.Option(False, help="Ask the teacher for every answer; use nothing that was shipped.")):
    """Run notebooks 00 to 04 and write the report."""
    from . import report

    if fresh:
        os.environ["LAB_FRESH"] = "1"
    path = report.run_all()
    print(report.results_table(load_profile().run_dir(task_name()) / "results.csv").T.to_string())
    print(f"Report: {path}")


@app.command()
def reference(worker: bool = typer.Option(False, hidden=True), workers: int = typer.Option(2, help="Processes side by side."),
              publish: bool = typer.Option(False, help="Train nothing more: write the tables from what is finished."),
              part: str = typer.Option("core", help="core, or quality: the students of the data-quality notebook.")):
    """Make, or go on with, the run of record (hours); ships its tables under data/reference/."""
    from . import reference as record

    os.environ["LAB_PROFILE"] = os.environ.get("LAB_PROFILE", "full")
    if worker:
        record.work(record.open_lab(part), part)
    elif publish:
        record.publish(record.open_lab(part), seconds=0.0, part=part)
    else:
        record.main(workers, part)


@app.command()
def bring(path: Path = typer.Argument(..., help="A CSV or JSONL file."), out: Path = typer.Option(..., help="A new folder, MINE/TASK."),
          text: str = "text", label: str = "label", reply: str = typer.Option("reply", help="Empty (--reply=): labels only.")):
    """Turn one file of your own into the four splits of a corpus; --text, --label and --reply name its columns."""
    from .own_data import Columns, make_corpus

    if out.name != task_name():
        raise typer.BadParameter(f"the new folder must be called {task_name()}, for example {out.parent / task_name()}")
    print(make_corpus(path, out, Columns(text, label, reply or None), task_name()).to_string())
    print(f"Now run with LAB_DATA={out.resolve().parent}")


@app.command()
def check(path: Path = typer.Argument(..., help="A JSONL file of examples."), labelled: bool = True):
    """Validate a data file; says file, line, field and what was expected."""
    from .data import read_jsonl

    print(f"{path}: {len(read_jsonl(path, labelled))} examples, no errors.")


@app.command()
def solve(out: Path = typer.Option(..., help="Folder for the solved notebooks.")):
    """Write copies of the notebooks with every exercise solved."""
    from .solve import solve_notebook

    out.mkdir(parents=True, exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        solve_notebook(path, out / path.name)
        print(out / path.name)


@app.command()
def address(repository: str, branch: str = "main"):
    """Write the repository's public address into every badge and setup cell."""
    from .address import fill

    print("Changed:", ", ".join(fill(repository, branch)) or "nothing")


if __name__ == "__main__":
    app()
