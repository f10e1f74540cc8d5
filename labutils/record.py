"""Read the shipped record of the `full` run: tables under data/reference/<task>/, made by `python -m labutils reference`."""

import json

import numpy as np
import pandas as pd

from .profile import ROOT, task_name


def folder(task: str | None = None):
    """Folder of a task's record; of the task `conversation`, as an example, where none was shipped.

    Raises:
        FileNotFoundError: no record was shipped; the message names the command that makes one.
    """
    path = ROOT / "data" / "reference" / (task or task_name())
    if task is None and not (path / "results.csv").exists():
        path = path.with_name("conversation")
    if not (path / "results.csv").exists():
        raise FileNotFoundError(f"There is no record in {path.name}/. Make it with: LAB_PROFILE=full python -m labutils reference")
    return path


def results(task: str | None = None) -> pd.DataFrame:
    """The record's table: model, metric, value, low, high, seeds."""
    return pd.read_csv(folder(task) / "results.csv")


def row(model: str, metric: str, task: str | None = None) -> pd.Series:
    """One line of the table: value, low, high, seeds."""
    table = results(task).set_index(["model", "metric"])
    return table.loc[(model, metric)]


def value(model: str, metric: str, task: str | None = None) -> float:
    """One number of the table."""
    return float(row(model, metric, task)["value"])


def verdicts(task: str | None = None) -> pd.DataFrame:
    """The distilled student compared with every other model, message by message: difference, low, high, p, verdict."""
    return pd.read_csv(folder(task) / "verdicts.csv", index_col="model")


def curve(name: str, task: str | None = None) -> pd.DataFrame:
    """A curve of the record: `layers`, `sizes` or `rates`, one row a student."""
    table = pd.read_csv(folder(task) / f"{name}.csv")
    return table.assign(method=table["lora"].notna().map({True: "lora", False: "full"}))


def part(name: str, task: str | None = None) -> pd.DataFrame:
    """A table beside the core's, such as `quality`.

    Raises:
        FileNotFoundError: it was not made yet; the message names the command.
    """
    path = folder(task) / f"{name}.csv"
    if not path.exists():
        raise FileNotFoundError(f"{path.name} is missing. Make it with: LAB_PROFILE=full python -m labutils reference --part {name}")
    return pd.read_csv(path)


def interval_at(answers: int, task: str | None = None) -> tuple[float, float]:
    """95% interval of the record's student with that many hand-written prompts answered; between measured sizes, interpolated on
    a logarithmic scale."""
    points = curve("sizes", task).query("source != 'generated'").sort_values("answers")
    low, high = (float(np.interp(np.log(answers), np.log(points["answers"]), points[side])) for side in ("low", "high"))
    return low, high


def provenance(task: str | None = None) -> dict:
    """What the record was made from, where and when."""
    return json.loads((folder(task) / "provenance.json").read_text(encoding="utf-8"))
