"""The gold of the four tasks that have no notebooks yet is well formed, balanced, and written apart."""

import json
import re
from collections import Counter

import pytest

from labutils.audit import near_duplicates, shared_ngrams
from labutils.data import read_jsonl
from labutils.profile import ROOT

TASKS = ("nli", "qa", "math", "summarization")
LEAST = {"train": 160, "validation": 80, "test": 160, "more": 140}


def gold(task: str, split: str) -> list[dict]:
    return [json.loads(line) for line in (ROOT / "data" / task / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


def asked(row: dict) -> str:
    return " ".join(message["content"] for message in row["messages"][:-1])


def answered(row: dict) -> str:
    return row["messages"][-1]["content"]


def calculate(steps: str) -> float:
    """The value of `answer` in steps such as "goods = 3 * 12.50; answer = goods - 1"."""
    values = {}
    for step in steps.split("; "):
        name, expression = step.split(" = ")
        assert re.fullmatch(r"[a-z0-9_ .+\-*/(),]+", expression), expression
        values[name] = eval(expression, {"__builtins__": {}, "round": round, "min": min, "max": max}, values)
    return values["answer"]


@pytest.mark.parametrize("split", LEAST)
@pytest.mark.parametrize("task", TASKS)
def test_gold_is_large_enough_and_can_be_read(task, split):
    examples = read_jsonl(ROOT / "data" / task / f"{split}.jsonl")
    assert len(examples) >= LEAST[split] and {(e.task, e.source) for e in examples} == {(task, "hand")}


@pytest.mark.parametrize("task", TASKS)
def test_no_test_item_resembles_another_split(task):
    splits = {split: read_jsonl(ROOT / "data" / task / f"{split}.jsonl") for split in LEAST}
    training = splits["train"] + splits["validation"] + splits["more"]
    assert near_duplicates(splits["test"], training, 0.4) == []
    assert len(shared_ngrams(splits["test"], training, 8)) <= 0.03 * len(splits["test"])


@pytest.mark.parametrize("split", LEAST)
def test_each_policy_has_one_claim_of_each_label(split):
    rows = gold("nli", split)
    for three in zip(*[iter(rows)] * 3, strict=True):
        assert len({asked(row).split("\nClaim: ")[0] for row in three}) == 1
        assert {row["label"] for row in three} == {"entailment", "neutral", "contradiction"}


@pytest.mark.parametrize("split", LEAST)
def test_answers_stand_in_the_passage_or_are_not_stated(split):
    rows = gold("qa", split)
    assert 0.2 <= Counter(row["label"] for row in rows)["unanswerable"] / len(rows) <= 0.3
    for row in rows:
        assert (answered(row) == "not stated") == (row["label"] == "unanswerable")
        assert row["label"] == "unanswerable" or answered(row) in asked(row).split("\nQuestion: ")[0]


@pytest.mark.parametrize("split", LEAST)
def test_steps_can_be_computed_and_counted(split):
    for row in gold("math", split):
        assert calculate(answered(row)) >= 0, row["id"]
        assert row["label"] == {1: "1 step", 2: "2 steps"}.get(answered(row).count(";") + 1, "3 or more")


@pytest.mark.parametrize("split", LEAST)
def test_facts_stand_in_ticket_and_summary(split):
    for row in gold("summarization", split):
        assert 2 <= len(row["facts"]) <= 4 and all(fact in asked(row) and fact in answered(row) for fact in row["facts"]), row["id"]
