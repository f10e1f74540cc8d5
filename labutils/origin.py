"""What a run or a record was made from: products of one origin are never taken for another's."""

import hashlib
import json
from pathlib import Path

from .data import data_dir
from .products import whole


def data_hash(task: str) -> str:
    """SHA-256 of the task's corpus files (line ends made equal, so that it is the same on Windows)."""
    digest = hashlib.sha256()
    for path in sorted(data_dir(task).glob("*.jsonl")):
        digest.update(path.name.encode() + path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def record_fits(record: Path, corpus: str) -> bool:
    """Whether the record in a folder speaks of the corpus of that `data_hash`, and of no other."""
    path = record / "provenance.json"
    return path.exists() and json.loads(path.read_text(encoding="utf-8"))["data"] == corpus


def mark(folder: Path, made_from: dict) -> None:
    """Bind a run's folder to what it is made from: its products would be taken for those of another corpus, profile or teacher.

    Args:
        made_from: name to value; the first run writes it, later ones must bring the same.

    Raises:
        ValueError: the folder was made from something else, which the message names.
    """
    marker = folder / "made_from.json"
    if not marker.exists():
        with whole(marker) as partial:
            partial.write_text(json.dumps(made_from, indent=1), encoding="utf-8")
    found = json.loads(marker.read_text(encoding="utf-8"))
    if changed := [f"another {name}" for name in made_from if found.get(name) != made_from[name]]:
        what = " and ".join(changed)
        raise ValueError(f"{folder} holds what was made from {what}: delete it, or set LAB_RUNS to another folder.")
