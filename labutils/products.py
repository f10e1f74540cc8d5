"""Write products whole or not at all, for what stands under its own name is taken as finished; and read tables as they were written."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import psutil

TEXT = dict.fromkeys(("id", "source", "prompt", "completion", "label", "reply", "facts", "reasons", "kind", "gold", "predicted"), str)


@contextmanager
def whole(path: str | Path):
    """A name beside `path` under which the block writes a file or a folder; it moves to `path` when the block ends well.

    A kill in the middle leaves what stood under `path` before, and a leftover `partial-<process>-<name>`, which the next writer
    of the same product removes.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{os.getpid()}-{path.name}")
    for left in path.parent.glob(f"partial-*-{path.name}"):
        if left == partial or not psutil.pid_exists(int(left.name.split("-")[1])):  # a living process may be writing the same
            _remove(left)
    try:
        yield partial
        if path.is_dir():
            shutil.rmtree(path)  # a file is replaced in one step, a folder only where there is none
        partial.replace(path)
    finally:
        _remove(partial)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def read_table(path: str | Path) -> pd.DataFrame:
    """A table of the lab, its texts as texts: an id may be "0012" and a label "None"; only an empty field is missing."""
    return pd.read_csv(path, dtype=TEXT, keep_default_na=False, na_values=[""])
