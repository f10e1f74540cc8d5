"""Read, validate and split the lab's JSONL examples."""

import json
import os
import random
import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from .products import whole
from .profile import ROOT, Profile, runs_dir

SPLITS = ("train", "validation", "test", "pool")
SOURCES = ("hand", "generated")


class DataError(ValueError):
    """A line of a data file is not what the lab expects; the message names file, line, field and fix."""

    def __init__(self, path, line: int, name: str, expected: str):
        super().__init__(f"{path}, line {line}, field {name!r}: expected {expected}.")


@dataclass(frozen=True)
class Example:
    """One conversation with a support desk.

    Attributes:
        id: unique in the corpus.
        task: the task that the example belongs to.
        turns: what was said, oldest first: pairs (role, text) with role "user" or "assistant"; the last is the user's.
        label: the intent; None for an unlabelled prompt.
        slots: name to the exact words of the message, or None where the message has none.
        reply: a good answer; None for an unlabelled prompt.
        source: "hand" or "generated".
        facts: what a summary must keep, word for word; empty in other tasks.
    """

    id: str
    task: str
    turns: tuple[tuple[str, str], ...]
    label: str | None = None
    slots: dict = field(default_factory=dict)
    reply: str | None = None
    source: str = "hand"
    facts: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All that the customer wrote, in one string."""
        return " ".join(text for role, text in self.turns if role == "user")


def read_jsonl(path: str | Path, labelled: bool = True) -> list[Example]:
    """Examples of one JSONL file.

    Args:
        path: a UTF-8 file (a byte-order mark is fine), one JSON object a line; schema in data/README.md.
        labelled: every line must carry a label and end with the assistant's reply.

    Raises:
        DataError: a line breaks the schema; nothing of the file is returned.
        FileNotFoundError: with the setting that points elsewhere.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing. Restore it with git, or point LAB_DATA at the folder of your corpus.")
    examples, seen = [], {}
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(path, number, "(whole line)", f"UTF-8 text, but byte {error.start + 1} is not UTF-8") from None
            if line.strip():
                example = _parse_line(path, number, line, labelled)
                if example.id in seen:
                    raise DataError(path, number, "id", f"an unused id, but {example.id!r} stands in line {seen[example.id]}")
                seen[example.id] = number
                examples.append(example)
    return examples


def _parse_line(path, number: int, line: str, labelled: bool) -> Example:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(path, number, "(whole line)", f"one JSON object, but {error.msg} at column {error.colno}") from None
    if not isinstance(row, dict):
        raise DataError(path, number, "(whole line)", f"a JSON object, found a {type(row).__name__}")
    for name in ("id", "task"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise DataError(path, number, name, "a non-empty string")
    turns = _turns(path, number, row.get("messages"))
    reply = turns.pop()[1] if turns[-1][0] == "assistant" else None
    if not turns or turns[-1][0] != "user":
        raise DataError(path, number, "messages", "a user message before the reply")
    label, slots, source = row.get("label"), row.get("slots") or {}, row.get("source") or "hand"
    if labelled and (not isinstance(label, str) or not label.strip()):
        raise DataError(path, number, "label", "a non-empty string")
    if labelled and reply is None:
        raise DataError(path, number, "messages", "the assistant's reply as the last message")
    if source not in SOURCES:
        raise DataError(path, number, "source", f"one of {', '.join(SOURCES)}, found {source!r}")
    facts = _checked_facts(path, number, row.get("facts") or [], turns)
    example = Example(row["id"], row["task"], tuple(turns), label, slots, reply, source, facts)
    for slot, value in _checked_slots(path, number, slots).items():
        if value is not None and value not in example.text:
            raise DataError(path, number, f"slots.{slot}", f"words of the user's message, found {value!r}")
    return example


def _turns(path, number: int, messages) -> list[tuple[str, str]]:
    if not isinstance(messages, list) or not messages:
        raise DataError(path, number, "messages", "a non-empty list of {role, content} objects")
    for place, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant"):
            raise DataError(path, number, f"messages[{place}].role", '"user" or "assistant"')
        if not isinstance(message.get("content"), str) or not message["content"].strip():
            raise DataError(path, number, f"messages[{place}].content", "non-empty text")
    return [(message["role"], message["content"].strip()) for message in messages]


def _checked_slots(path, number: int, slots) -> dict:
    if not isinstance(slots, dict) or any(value is not None and not isinstance(value, str) for value in slots.values()):
        raise DataError(path, number, "slots", "an object of strings or nulls")
    for slot, value in slots.items():
        if value is not None and (not value.strip() or value != value.strip() or value == "-" or "|" in value):
            expected = "words of the user's message without '|' and outer blanks, or null where there are none"
            raise DataError(path, number, f"slots.{slot}", f"{expected}, found {value!r}")
    return slots


def _checked_facts(path, number: int, facts, turns: list[tuple[str, str]]) -> tuple[str, ...]:
    if not isinstance(facts, list) or not all(isinstance(fact, str) and fact.strip() for fact in facts):
        raise DataError(path, number, "facts", "a list of words of the ticket")
    for fact in facts:
        if not any(fact in text for _, text in turns):
            raise DataError(path, number, "facts", f"words that stand in the ticket, found {fact!r}")
    return tuple(facts)


def data_dir(task: str) -> Path:
    """Folder of a task's corpus: below LAB_DATA where that is set, else below the lab's `data/`.

    LAB_DATA may be a folder of the same layout, or `hub:<dataset id>` for a Hugging Face dataset with the same columns, which is
    fetched on first use.
    """
    source = os.environ.get("LAB_DATA") or "data"
    return _fetched(source.removeprefix("hub:")) if source.startswith("hub:") else ROOT / source / task


def load_corpus(task: str, profile: Profile) -> dict[str, list[Example]]:
    """The four splits of a task in `data_dir`, cut to the profile's sizes (balanced over labels where a split is cut)."""
    folder = data_dir(task)
    corpus = {split: read_jsonl(folder / f"{split}.jsonl", split != "pool") for split in SPLITS}
    unknown = {e.label for split in ("validation", "test") for e in corpus[split]} - {e.label for e in corpus["train"]}
    if unknown:
        raise ValueError(f"No training example has the label {', '.join(sorted(unknown))}: add some, or drop those rows.")
    limits = {"train": profile.gold, "validation": profile.validation, "test": profile.test, "pool": None}
    return {split: balanced(corpus[split], limits[split]) for split in SPLITS}


def _fetched(dataset_id: str) -> Path:
    """Folder with a hub dataset's splits as JSONL, so that the same reader validates them; kept, so that a run sees one version."""
    folder = runs_dir() / "hub_data" / re.sub(r"[^\w.-]+", "--", dataset_id)
    if not folder.exists():
        dataset = _load_dataset(dataset_id)
        with whole(folder) as partial:
            partial.mkdir()
            for split in SPLITS:
                _named_labels(dataset[split]).to_json(partial / f"{split}.jsonl", force_ascii=False)
    return folder


def _named_labels(rows):
    """The same rows with the labels' names, where the hub keeps classes as numbers (-1 for an unlabelled row)."""
    names = getattr(rows.features.get("label"), "names", None)
    if names is None:
        return rows
    labels = [None if number is None or number < 0 else names[number] for number in rows["label"]]
    return rows.remove_columns("label").add_column("label", labels)


def _load_dataset(dataset_id: str):
    """The hub dataset, with all four splits and the columns that the reader needs."""
    from datasets import load_dataset

    try:
        dataset = load_dataset(dataset_id)
    except (FileNotFoundError, ConnectionError) as error:
        raise FileNotFoundError(
            f"LAB_DATA names the dataset {dataset_id!r}, which could not be had from the hub: there is none of that name, or it is "
            f"private (then log in with `hf auth login`), or there is no network. The hub's words: {error}"
        ) from error
    if lacking := [split for split in SPLITS if split not in dataset]:
        raise ValueError(
            f"The dataset {dataset_id!r} has no split {', '.join(lacking)}; it has {', '.join(dataset)}. data/README.md says how a "
            "dataset on the hub names its splits."
        )
    for split in SPLITS:
        needed, found = ("id", "task", "messages", *(("label",) if split != "pool" else ())), dataset[split].column_names
        if lacking := [column for column in needed if column not in found]:
            raise ValueError(
                f"The dataset {dataset_id!r}, split {split}, has no column {', '.join(lacking)}; it has {', '.join(found)}. The "
                "columns that the lab needs are in data/README.md."
            )
    return dataset


def balanced(examples: list[Example], limit: int | None, seed: int = 0) -> list[Example]:
    """At most `limit` examples, as evenly spread over the labels as they allow; all of them when limit is None."""
    if limit is None or limit >= len(examples):
        return list(examples)
    groups = defaultdict(list)
    for example in examples:
        groups[example.label].append(example)
    rng = random.Random(seed)
    for group in groups.values():
        rng.shuffle(group)
    chosen = []
    while len(chosen) < limit:
        for label in sorted(groups, key=str):
            if groups[label] and len(chosen) < limit:
                chosen.append(groups[label].pop())
    return chosen


def split_examples(examples: list[Example], shares: dict[str, float], seed: int = 0) -> dict[str, list[Example]]:
    """Split labelled examples at random, each label in the same shares.

    Raises:
        ValueError: the shares do not sum to 1, or a label has fewer examples than there are splits.
    """
    if abs(sum(shares.values()) - 1) > 1e-6:
        raise ValueError(f"The shares sum to {sum(shares.values()):.3f}; they must sum to 1.")
    groups = defaultdict(list)
    for example in examples:
        groups[example.label].append(example)
    rng, parts = random.Random(seed), {name: [] for name in shares}
    for label, group in sorted(groups.items(), key=lambda item: str(item[0])):
        if len(group) < len(shares):
            raise ValueError(f"Label {label!r} has {len(group)} examples, fewer than the {len(shares)} splits: add some.")
        rng.shuffle(group)
        start = 0.0
        for name, share in shares.items():
            parts[name] += group[round(start * len(group)) : round((start + share) * len(group))]
            start += share
    return parts
