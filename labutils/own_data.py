"""Turn one file of your own, CSV or JSONL, into a corpus of four splits that the lab can read."""

import csv
import hashlib
import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .audit import words
from .data import SPLITS, DataError
from .products import whole

NO_REPLY = "(no reply)"  # what stands in the completion where a corpus has labels only
SAVE_AS = "save the file as UTF-8 (in Excel: 'CSV UTF-8')"
MOST = {"test": 1200, "validation": 200, "train": 1440}  # labelled rows; what is left joins the pool
SHARES = {"test": 0.25, "validation": 0.1}


@dataclass(frozen=True)
class Columns:
    """Names of a file's columns (in JSONL: fields). `reply=None`: the file has labels only. A row without a label is a prompt for the
    pool."""

    text: str = "text"
    label: str = "label"
    reply: str | None = "reply"


def make_corpus(path: str | Path, folder: str | Path, columns: Columns = Columns(), task: str = "conversation", seed: int = 0) -> pd.Series:
    """Write train, validation, test and pool JSONL to a new folder, and `pool_gold.csv` with the labels that the pool gave up.

    The file is read twice, row by row: memory holds some hundred bytes a row, so that a hundred thousand rows are no trouble. Rows that
    say the same but for case, punctuation and numbers are kept once. Each label has the same share in every split: a quarter of its rows
    for the test, a tenth for validation, and never more than MOST in all; labelled rows beyond these, and half of the training rows where
    the file has no unlabelled ones, go to the pool without their labels.

    Args:
        path: a UTF-8 file (a byte-order mark is fine); JSONL, or else a CSV with a header, separated by comma, semicolon or tab.
        folder: where the four files go, for example `mine/conversation`; it must not exist.

    Returns:
        How many rows went to each split, and how many were left out and why.

    Raises:
        DataError: names file, line, field and the fix; nothing is written.
        FileExistsError: the folder is there already.
        ValueError: a label has fewer than four rows, or there are fewer than two labels.
    """
    path, folder = Path(path), Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists already: delete it, or name another folder.")
    kept, left_out = _survey(path, columns)
    places = _deal(kept, random.Random(seed))
    with whole(folder) as partial:
        partial.mkdir()
        counts = _write(path, partial, columns, task, places)
    return pd.Series({**counts, **{reason: number for reason, number in left_out.items() if number}}, name=path.name)


def read_rows(path: str | Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, row) of each row of a CSV or JSONL file, one at a time; all values as text, None as the empty text.

    Raises:
        DataError: a line cannot be read.
    """
    path = Path(path)
    with path.open("rb") as raw:
        lines = _decoded(path, raw)
        yield from _json_rows(path, lines) if path.suffix.lower() in (".jsonl", ".json") else _csv_rows(path, lines)


def _decoded(path: Path, raw) -> Iterator[str]:
    for number, line in enumerate(raw, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(path, number, "(whole line)", f"UTF-8 text, but byte {error.start + 1} is not UTF-8; {SAVE_AS}") from None


def _json_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(path, number, "(whole line)", f"one JSON object, but {error.msg} at column {error.colno}") from None
        if not isinstance(row, dict):
            raise DataError(path, number, "(whole line)", f"one JSON object a line, found a {type(row).__name__}")
        for name, value in row.items():
            if isinstance(value, (list, dict)) or value != value:  # only NaN is not equal to itself
                raise DataError(path, number, name, f"text, a number or null, found {value!r:.60}")
        yield number, {name: "" if value is None else str(value) for name, value in row.items()}


def _csv_rows(path: Path, lines: Iterator[str]) -> Iterator[tuple[int, dict[str, str]]]:
    first = next(lines, "")
    separator, start = max(",;\t", key=first.count), 1
    try:
        header = _header(path, first, separator)
        reader, start = csv.reader(lines, delimiter=separator, strict=True), 2
        for cells in reader:
            if cells and len(cells) != len(header):
                expected = f"{len(header)} fields ({', '.join(header)}), found {len(cells)}; text that holds {separator!r} needs quotes"
                raise DataError(path, start, "(whole line)", expected)
            if cells:
                yield start, dict(zip(header, cells))
            start = reader.line_num + 2  # a quoted text may run over several lines
    except csv.Error as error:
        expected = f"values separated by {separator!r}, but {error}; is a quote left open, or not doubled inside a quoted text?"
        raise DataError(path, start, "(whole line)", expected) from None


def _header(path: Path, first: str, separator: str) -> list[str]:
    header = [name.strip() for name in next(csv.reader([first], delimiter=separator), [])]
    if not any(header) or len(set(header)) < len(header):
        raise DataError(path, 1, "(header)", f"different column names separated by comma, semicolon or tab, found {first.strip()!r}")
    return header


def _survey(path: Path, columns: Columns) -> tuple[list[str | None], Counter]:
    """For each row what becomes of it: its label, "" for a prompt of the pool, None where it is left out; and why rows were.

    Of copies, the first one with a label stays.
    """
    kept, seen, left_out = [], {}, Counter()
    for number, row in read_rows(path):
        text, label = _checked(path, number, row, columns)
        key = hashlib.blake2b((" ".join(words(text)) or text).encode(), digest_size=8).digest()
        first = seen.get(key)
        if not text:
            left_out["left out: no text"] += 1
        elif first is not None:
            other = label and kept[first] and kept[first] != label
            left_out["left out: a copy with another label" if other else "left out: a copy"] += 1
            if label and kept[first] == "":  # it knows more
                kept[first] = first = None
        fresh = text and first is None
        kept.append(label if fresh else None)
        if fresh:
            seen[key] = len(kept) - 1
    if not kept:
        raise ValueError(f"There are no rows in {path}.")
    return kept, left_out


def _checked(path: Path, number: int, row: dict[str, str], columns: Columns) -> tuple[str, str]:
    """Text and label of a row that has all that it needs."""
    for name in filter(None, (columns.text, columns.label, columns.reply)):
        if name not in row:
            expected = f"a field of that name (null where a row has none), found {', '.join(row)}; `Columns` names yours"
            raise DataError(path, number, name, expected if name != columns.reply else f"{expected}, or reply=None")
    text, label = row[columns.text].strip(), row[columns.label].strip()
    if "|" in label or label == "-":
        raise DataError(path, number, columns.label, f"plain text without '|', and not '-', found {label!r}")
    if label and columns.reply and not row[columns.reply].strip():
        raise DataError(path, number, columns.reply, "a reply; or leave the label empty too, and the row joins the pool")
    return text, label


def _deal(kept: list[str | None], rng: random.Random) -> list[str | None]:
    """The split of each row."""
    groups = defaultdict(list)
    for place, label in enumerate(kept):
        if label:
            groups[label].append(place)
    if len(groups) < 2:
        raise ValueError(f"{len(groups)} label{'s' * (len(groups) != 1)} in the file: a student needs at least two to choose from.")
    if few := sorted(label for label, group in groups.items() if len(group) < 4):
        raise ValueError(f"Fewer than four rows have the label {', '.join(few[:5])}: add some, drop those rows, or merge labels.")
    splits = ["pool" if label == "" else None for label in kept]
    share_with_pool = "pool" not in splits
    for _, group in sorted(groups.items()):
        rng.shuffle(group)
        rest = list(group)
        for split in ("test", "validation"):
            size = max(1, min(round(SHARES[split] * len(group)), MOST[split] // len(groups)))
            for place in rest[:size]:
                splits[place] = split
            rest = rest[size:]
        taught = min((len(rest) + 1) // 2 if share_with_pool else len(rest), max(1, MOST["train"] // len(groups)))
        for number, place in enumerate(rest):
            splits[place] = "train" if number < taught else "pool"
    return splits


def _write(path: Path, folder: Path, columns: Columns, task: str, places: list[str | None]) -> Counter:
    """Second reading: each row to the file of its split."""
    counts = Counter(dict.fromkeys(SPLITS, 0))
    files = {split: (folder / f"{split}.jsonl").open("w", encoding="utf-8", newline="\n") for split in SPLITS}
    files["gold"] = (folder / "pool_gold.csv").open("w", encoding="utf-8", newline="")
    try:
        gold = csv.writer(files["gold"], lineterminator="\n")
        gold.writerow(["id", "label"])
        for (_, row), split in zip(read_rows(path), places, strict=True):
            if split is None:
                continue
            counts[split] += 1
            said, label = [{"role": "user", "content": row[columns.text]}], row[columns.label].strip()
            line = {"id": f"{split}-{counts[split]}", "task": task, "messages": said, "source": "hand"}
            if split != "pool":
                said.append({"role": "assistant", "content": row[columns.reply] if columns.reply else NO_REPLY})
                line["label"] = label
            elif label:
                gold.writerow([line["id"], label])
            files[split].write(json.dumps(line, ensure_ascii=False) + "\n")
    finally:
        for file in files.values():
            file.close()
    return counts
