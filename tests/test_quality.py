"""Students that differ in their rows alone: the same number of steps, and the faults that their names say."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from labutils import quality
from labutils.pipeline import Lab
from labutils.profile import load_profile
from labutils.quality import RowsRecipe, evened, quality_recipes
from labutils.recipes import steps

LABELS = ["cancel", "invoice", "refund", "wrong"]


@pytest.fixture
def lab(monkeypatch):
    count = 400
    labels = [LABELS[place % 4] for place in range(count)]
    answers = pd.DataFrame({
        "prompt": [f"message {place} about {label}" for place, label in enumerate(labels)],
        "completion": [f" {label} | - | - | Done." for label in labels], "label": labels,
        "kept": [place % 10 > 0 for place in range(count)],
        "source": ["hand"] * 300 + ["generated"] * 100, "confidence": np.random.default_rng(0).random(count),
    })
    foreign = pd.DataFrame({"prompt": [f"book {place}" for place in range(80)], "completion": " cancel | - | - | No.", "label": "cancel"})
    gold = pd.DataFrame({"prompt": [f"gold {place}" for place in range(200)], "completion": " wrong | - | - | Yes.", "label": "wrong"})
    monkeypatch.setattr(quality, "foreign_answers", lambda lab: foreign)
    monkeypatch.setattr(quality, "gold_rows", lambda lab, split: gold.assign(prompt=split + gold["prompt"]))
    return SimpleNamespace(answers=answers)


def recipe(**changes) -> RowsRecipe:
    return RowsRecipe(**{"name": "r", "layers": 1, "soft": False, "answers": 80, "source": "hand", **changes})


def test_all_students_get_the_same_number_of_steps():
    profile = load_profile("full")
    recipes = quality_recipes(profile)
    assert {steps(r, profile, gold=1440) for r in recipes} == {120} and len({r.name for r in recipes}) == len(recipes)
    assert not any(r.soft for r in recipes)


def test_a_clean_student_reads_verified_answers_of_its_source(lab):
    table = quality.training_rows(lab, recipe())
    assert len(table) == 80 and table["kept"].all() and set(table["source"]) == {"hand"} and table["prompt"].is_unique
    assert table["prompt"].tolist() != quality.training_rows(lab, recipe(draw=1))["prompt"].tolist()
    assert table.equals(quality.training_rows(lab, recipe()))


def test_faults_are_planted_at_their_rates(lab):
    clean = quality.training_rows(lab, recipe())
    rows = {fault: quality.training_rows(lab, recipe(fault=fault, share=0.5)) for fault in quality.RATES}
    assert all(len(table) == 80 for table in rows.values())
    assert rows["copies"]["prompt"].nunique() == 40
    assert (rows["wrong labels"]["label"].to_numpy() != clean["label"].to_numpy()).sum() == 40
    assert rows["wrong labels"]["prompt"].tolist() == clean["prompt"].tolist()
    assert rows["foreign"]["prompt"].str.startswith("book").sum() == 40
    counts = rows["imbalance"]["label"].value_counts()
    assert counts["invoice"] > 1.3 * counts["cancel"] and counts["wrong"] > 1.3 * counts["refund"]
    assert rows["imbalance mended"]["label"].value_counts().tolist() == [20] * 4
    assert set(rows["imbalance mended"]["prompt"]) <= set(rows["imbalance"]["prompt"])


def test_few_rows_gold_rows_and_ordered_rows(lab):
    assert len(quality.training_rows(lab, recipe(rows=12))) == 12
    gold = quality.training_rows(lab, recipe(source="gold", rows=15))
    assert len(gold) == 15 and gold["prompt"].str.startswith("traingold").all()
    easy, hard = (quality.training_rows(lab, recipe(order=order)) for order in ("easy first", "hard first"))
    assert easy["confidence"].is_monotonic_decreasing and hard["confidence"].is_monotonic_increasing
    assert set(easy["prompt"]) == set(hard["prompt"])


def test_a_leak_puts_every_second_validation_message_among_the_rows(lab):
    table = quality.training_rows(lab, recipe(fault="leak", answers=150))
    leaked = table[table["prompt"].str.startswith("validation")]
    assert len(table) == 150 and leaked["prompt"].tolist() == [f"validationgold {place}" for place in range(0, 200, 2)]


def test_evened_rows_repeat_the_rare_and_thin_the_frequent():
    table = pd.DataFrame({"prompt": [str(place) for place in range(20)], "label": ["a"] * 17 + ["b"] * 2 + ["c"]})
    found = evened(table)
    assert len(found) == 20 and found["label"].value_counts().to_dict() == {"a": 7, "b": 7, "c": 6}
    assert found[found["label"] == "a"]["prompt"].is_unique and set(found[found["label"] == "b"]["prompt"]) == {"17", "18"}


def test_an_order_is_kept_in_training_and_the_budget_too(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    lab = Lab(load_profile("smoke"), "conversation", fresh=False)
    lab.answers = pd.DataFrame({
        "prompt": list("abcd") * 8, "completion": [" refund | - | - | Done."] * 32, "label": ["refund"] * 32, "kept": True,
        "source": ["hand"] * 32, "confidence": [0.9] * 32,
    })
    clean, easy, gold = (
        lab._settings(recipe(answers=16, **changes), None, 0) for changes in ({}, {"order": "easy first"}, {"source": "gold", "rows": 5})
    )
    assert easy["train_sampling_strategy"] == "sequential" and "train_sampling_strategy" not in clean
    assert easy["max_steps"] == clean["max_steps"] == gold["max_steps"]


def test_the_table_has_a_row_for_what_is_finished(tmp_path):
    lab = SimpleNamespace(
        profile=dataclasses.replace(load_profile("smoke"), seeds=(0, 1)),
        predictions_path=lambda recipe, seed, split, replies: tmp_path / f"{recipe.name}-{seed}.csv",
    )
    pd.DataFrame({"id": ["a", "b"], "main": [1.0, 0.0]}).to_csv(tmp_path / "r-0.csv")
    pd.DataFrame({"id": ["a", "b"], "main": [1.0, 1.0]}).to_csv(tmp_path / "r-1.csv")
    pd.DataFrame({"id": ["a", "b"], "main": [0.0, 0.0]}).to_csv(tmp_path / "worse-0.csv")
    found = quality.summary(lab, [recipe(), recipe(name="worse", fault="copies", share=0.5, rows=7), recipe(name="unfinished")])
    shown = ["name", "fault", "share", "rows", "value", "seeds", "difference"]
    assert found[shown].fillna("").to_numpy().tolist() == [["r", "", 0.0, 80, 0.75, 2, 0.0], ["worse", "copies", 0.5, 7, 0.0, 1, -0.75]]
