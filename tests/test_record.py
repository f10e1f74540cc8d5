"""The shipped teacher gives the shipped answers, and the record reads as the notebooks expect."""

import json

import numpy as np
import pandas as pd
import pytest

from labutils import quality, recipes, record, teachers
from labutils.pipeline import Lab
from labutils.profile import ROOT, load_profile

SHIPPED = ROOT / "data" / "reference" / "conversation"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("LAB_RUNS", str(tmp_path_factory.mktemp("runs")))
    yield Lab(load_profile("smoke"), "conversation", fresh=False)
    patch.undo()


def test_the_teacher_regenerates_a_sample_of_its_answers(lab):
    lines = (SHIPPED / "teacher_answers.jsonl").read_text(encoding="utf-8").splitlines()
    shipped = [json.loads(line) for line in lines[::600]]
    prompts = {example.id: lab.task.prompt(example) for example in lab.corpus["pool"]}
    model, tokenizer = lab.trimmed
    asked = [prompts[row["id"]] for row in shipped]
    answers = teachers.LocalTeacher(model, tokenizer, batch_size=8, max_new_tokens=48).respond(asked, progress=False)
    labels = [lab.task.parse(answer).label == lab.task.parse(row["answer"]).label for answer, row in zip(answers, shipped, strict=True)]
    words = [answer.strip() == row["answer"] for answer, row in zip(answers, shipped, strict=True)]
    assert np.mean(labels) >= 0.85  # rounding differs between machines: a tie may fall the other way
    assert np.mean(words) >= 0.5


def test_the_teacher_is_far_better_adapted_than_untouched(lab):
    examples = lab.corpus["validation"]
    prompts, gold = [lab.task.prompt(e) for e in examples], np.array([lab.task.labels.index(e.label) for e in examples])
    (adapted, tokenizer), (untouched, _) = lab.teacher, lab.untouched
    right = [
        (teachers.label_log_probabilities(model, tokenizer, prompts, list(lab.task.labels)).argmax(1) == gold).mean()
        for model in (adapted, untouched)
    ]
    assert right[0] >= 0.7 > 0.4 >= right[1]


def test_the_record_has_every_model_and_metric():
    table = record.results("conversation").set_index(["model", "metric"])
    for model in ("teacher", "untrained", "gold_only", "distilled"):
        assert table.loc[(model, "main"), "value"] == table.loc[(model, "intent_accuracy"), "value"]
        low, value, high = table.loc[(model, "intent_accuracy"), ["low", "value", "high"]]
        assert 0 <= low <= value <= high <= 1
    for curve in ("layers", "sizes", "verification", "rates"):
        assert len(record.curve(curve, "conversation"))


def test_a_task_without_record_names_the_command():
    with pytest.raises(FileNotFoundError, match="labutils reference"):
        record.results("nothing")


def readme_line(model: str, table: pd.DataFrame) -> str:
    """The line of the README's results table that the record's table asks for."""
    row = table.loc[model]
    accuracy, value = row.loc["intent_accuracy"], row["value"]
    cells = [
        model, f"{value['parameters'] / 1e6:.1f} M", f"{accuracy.value:.3f} ({accuracy.low:.3f} to {accuracy.high:.3f})",
        f"{value['retention']:.0%}", f"{value['slot_accuracy']:.2f}", f"{value['latency_median_s']:.2f} s",
        f"{value['peak_memory_mb']:,.0f} MB", f"{accuracy.seeds:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def test_the_readme_shows_the_record():
    table, text = record.results("conversation").set_index(["model", "metric"]), (ROOT / "README.md").read_text(encoding="utf-8")
    for model in ("teacher", *recipes.main_recipes(load_profile("full"))):
        assert readme_line(model, table) in text


def test_the_record_supports_what_the_readme_says():
    table = record.results("conversation").set_index(["model", "metric"])
    accuracy = {model: table.loc[(model, "intent_accuracy")] for model in ("teacher", "distilled", "gold_only")}
    assert accuracy["teacher"]["value"] >= 0.85
    compared = record.verdicts("conversation")["verdict"]
    assert compared["gold_only"] == compared["untrained"] == "better" and compared["teacher"] == "worse"
    assert accuracy["distilled"]["low"] > accuracy["gold_only"]["high"]  # the intervals do not touch
    assert compared["distilled_words"] == "no difference shown" and compared["gold_only_untouched"] == "better"
    assert accuracy["distilled"]["value"] >= 0.95 * accuracy["teacher"]["value"]
    assert table.loc[("distilled", "parameters"), "value"] <= 0.4 * table.loc[("teacher", "parameters"), "value"]


def test_the_record_is_complete():
    """Every student with every seed; every point of every curve."""
    profile, table = load_profile("full"), record.results("conversation").query("metric == 'intent_accuracy'").set_index("model")
    assert set(table.index) == {"teacher", *recipes.main_recipes(profile)}
    assert (table.drop("teacher")["seeds"] == len(profile.seeds)).all()
    curves = {
        "layers": recipes.layer_recipes(profile), "sizes": recipes.size_recipes(profile), "rates": recipes.rate_recipes(profile),
        "verification": recipes.verification_recipes(profile),
    }
    for name, planned in curves.items():
        assert record.curve(name, "conversation")["name"].tolist() == [recipe.name for recipe in planned]


def test_the_quality_experiments_are_complete():
    profile, table = load_profile("full"), record.part("quality", "conversation")
    assert table["name"].tolist() == [recipe.name for recipe in quality.quality_recipes(profile)]
    assert (table["seeds"] == len(profile.seeds)).all()


def test_the_interval_of_a_size_is_read_off_the_curve(monkeypatch):
    columns = {"answers": [100, 100, 10000], "low": [0.2, 0, 0.4], "high": [0.4, 0, 0.6]}
    points = pd.DataFrame({"source": ["hand", "generated", "hand"], **columns})
    monkeypatch.setattr(record, "curve", lambda name, task=None: points)
    assert record.interval_at(1000) == pytest.approx((0.3, 0.5))  # half way on a logarithmic scale
    assert record.interval_at(10) == pytest.approx((0.2, 0.4)) and record.interval_at(10**6) == pytest.approx((0.4, 0.6))
