"""Write products whole or not at all: a file or folder that stands under its own name is taken as finished by the next run."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import psutil


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
