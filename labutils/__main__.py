"""Command line of the lab: `python -m labutils run | reference | check | solve | address`."""

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
              publish: bool = typer.Option(False, help="Train nothing more: write the tables from what is finished.")):
    """Make, or go on with, the run of record (hours); ships its tables under data/reference/."""
    from . import reference as record

    os.environ["LAB_PROFILE"] = os.environ.get("LAB_PROFILE", "full")
    if worker:
        record.work(record.open_lab())
    elif publish:
        record.publish(record.open_lab(), seconds=0.0)
    else:
        record.main(workers)


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
