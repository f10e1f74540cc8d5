"""Tasks whose answers cannot be listed: predictions, scores, confidence and the audit of the teacher's answers."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from labutils import answers, evaluation, record
from labutils.data import Example
from labutils.tasks import get_task
from labutils.teachers import completion_log_probabilities

QUESTIONS = [
    ("Two jars at 6.00 each.", "1 step", "answer = 2 * 6.00", "answer = 12.00"),
    ("Three jars at 6.00, less 1.50.", "2 steps", "jars = 3 * 6.00; answer = jars - 1.50", "jars = 3 * 6.00; answer = jars + 1.50"),
    ("One jar at 6.00, half off.", "1 step", "answer = 6.00 / 2", "three euros"),
]


@pytest.fixture
def task():
    return get_task("math", [])


@pytest.fixture
def items() -> list[Example]:
    return [
        Example(f"math-{i}", "math", (("user", text),), label, {}, gold) for i, (text, label, gold, _) in enumerate(QUESTIONS)
    ]


@pytest.fixture
def answered(monkeypatch):
    """A model that answers with the last column of QUESTIONS."""
    known = {f"{text}\nAnswer:": said for text, _, _, said in QUESTIONS}
    monkeypatch.setattr(evaluation.LocalTeacher, "respond", lambda self, prompts, **options: [known[prompt] for prompt in prompts])


def test_predictions_are_scored_by_their_completions(task, items, answered):
    table = evaluation.predict(None, None, task, items, replies=1)
    assert table["main"].tolist() == [1, 0, 0] and table["valid"].tolist() == [1, 1, 0]  # all are answered, whatever `replies` says
    assert table["gold"].tolist() == ["12.00", "16.50", "3.00"] and table["kind"].tolist() == ["1 step", "2 steps", "1 step"]
    assert table["predicted"].tolist()[:2] == ["12.00", "19.50"] and pd.isna(table["predicted"][2])
    prompts = [task.prompt(example) for example in items]
    assert evaluation.main_scores(None, None, task, prompts, items).tolist() == table["main"].tolist()
    rows = evaluation.quality_rows("tiny", [table], task, items).set_index("metric")["value"]
    assert rows["main"] == rows["exact_answer"] == pytest.approx(1 / 3) and rows["valid_steps"] == pytest.approx(2 / 3)
    assert "macro_f1" not in rows


def test_listed_labels_give_the_same_main_score(model, tokenizer, examples):
    task = get_task("conversation", examples)
    prompts = [task.prompt(example) for example in examples]
    table = evaluation.predict(model, tokenizer, task, examples, replies=0)
    assert evaluation.main_scores(model, tokenizer, task, prompts, examples).tolist() == table["main"].tolist()


def test_confidence_is_the_mean_log_probability_of_a_token(model, tokenizer, prompts):
    completions = ["Order 10234", "no", "the desk lamp will not be sent"]
    found = completion_log_probabilities(model, tokenizer, prompts[:3], completions, batch_size=2)
    for prompt, completion, value in zip(prompts, completions, found):
        before, after = tokenizer(prompt)["input_ids"], tokenizer(f" {completion}{tokenizer.eos_token}")["input_ids"]
        with torch.no_grad():
            logs = model(torch.tensor([before + after])).logits[0].log_softmax(-1)
        each = [logs[len(before) + i - 1, token].item() for i, token in enumerate(after)]
        assert value == pytest.approx(np.mean(each), rel=1e-4)


def test_the_teachers_answers_are_checked_against_the_pools_gold(task, items, tmp_path, monkeypatch):
    gold = [{"id": e.id, "label": e.label, "reply": e.reply, "facts": json.dumps([])} for e in items[:2]]
    pd.DataFrame(gold).to_csv(tmp_path / "pool_gold.csv", index=False)
    monkeypatch.setattr(answers, "data_dir", lambda name: tmp_path)
    said = {"completion": [f" {said}" for *_, said in QUESTIONS], "label": ["12.00", "19.50", ""]}
    table = pd.DataFrame({"id": [e.id for e in items], **said})
    found = answers.checked(SimpleNamespace(task=task, answers=table, corpus={"pool": items}))
    assert found["id"].tolist() == ["math-0", "math-1"]  # the third one's right answer is not known
    assert found["right"].tolist() == [1, 0] and found["kind"].tolist() == ["1 step", "2 steps"]


def test_without_known_answers_nothing_is_checked(task, items, tmp_path, monkeypatch):
    monkeypatch.setattr(answers, "data_dir", lambda name: tmp_path)
    table = pd.DataFrame({"id": [e.id for e in items], "completion": ["x"] * 3, "label": [""] * 3})
    assert len(answers.checked(SimpleNamespace(task=task, answers=table, corpus={"pool": items}))) == 0


def test_a_task_without_a_record_reads_the_first_tasks(monkeypatch, tmp_path):
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setenv("LAB_TASK", "qa")
    with pytest.raises(FileNotFoundError, match="python -m labutils reference"):
        record.folder()
    folder = tmp_path / "data" / "reference" / "conversation"
    folder.mkdir(parents=True)
    (folder / "results.csv").write_text("model,metric\n", encoding="utf-8")
    assert record.folder() == folder
    with pytest.raises(FileNotFoundError):
        record.folder("qa")  # asked for by name, it is not replaced


def test_what_belongs_together_is_drawn_together():
    values = np.repeat([1.0, 0.0] * 100, 3)  # two hundred policies, three claims each, all right or all wrong
    clusters = np.repeat(np.arange(200), 3)
    _, low, high = evaluation.interval(values)
    _, wide_low, wide_high = evaluation.interval(values, clusters=clusters)
    assert (wide_high - wide_low) / (high - low) == pytest.approx(3**0.5, rel=0.1)
    differences = [evaluation.compare(values, 1 - values, clusters=c) for c in (None, clusters)]
    assert differences[1]["high"] - differences[1]["low"] > 1.5 * (differences[0]["high"] - differences[0]["low"])


def test_macro_f1():
    """By hand: a has 1 hit of 2 found and 2 gold (F1 1/2), b 2 hits of 3 and 2 (4/5), c none (0)."""
    gold, found = np.array(["a", "a", "b", "b", "c"]), np.array(["a", "b", "b", "b", "a"])
    value, low, high = evaluation.macro_f1(gold, found, ["a", "b", "c"])
    assert value == pytest.approx((0.5 + 0.8 + 0) / 3) and low <= value <= high
    assert evaluation.macro_f1(gold, np.stack([found, found]), ["a", "b", "c"])[0] == pytest.approx(value)
