"""Planted faults: each at its rate, and nothing else changed."""

import pandas as pd
import pytest

from labutils import spoil


@pytest.fixture
def table() -> pd.DataFrame:
    labels = ["refund", "return", "cancel", "wrong"] * 50
    return pd.DataFrame({
        "prompt": [f"message {i} about {label}" for i, label in enumerate(labels)],
        "completion": [f" {label} | - | - | We look into the {label}." for label in labels], "label": labels,
    })


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_duplicates_take_the_place_of_others(table, share):
    found = spoil.duplicated(table, share)
    assert len(found) == len(table) and found["prompt"].nunique() == round((1 - share) * len(table))
    assert found.equals(spoil.duplicated(table, share)) and set(found["prompt"]) <= set(table["prompt"])


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_wrong_labels_change_the_label_alone(table, share):
    found = spoil.mislabelled(table, share)
    changed = found["label"] != table["label"]
    assert changed.sum() == share * len(table) and (found["prompt"] == table["prompt"]).all()
    for old, new, label in zip(table["completion"], found["completion"], found["label"]):
        assert new.startswith(f" {label} | ") and new.split(" | ")[1:] == old.split(" | ")[1:]


def test_rows_without_a_label_are_left_alone(table):
    table.loc[:9, ["completion", "label"]] = [" no form", ""]
    found = spoil.mislabelled(table, 1.0)
    assert (found.loc[:9, "completion"] == " no form").all() and "" not in set(found.loc[10:, "label"])
    with pytest.raises(ValueError, match="no second label"):
        spoil.mislabelled(table[table["label"] == "refund"], 0.5)


def test_skew_thins_every_second_label(table):
    counts = spoil.skewed(table, 0.8)["label"].value_counts()
    assert counts["refund"] == counts["wrong"] == 50 and 0 < counts["cancel"] < 25 and 0 < counts["return"] < 25


def test_narrow_rows_speak_in_usual_words(table):
    table.loc[::5, "prompt"] = [f"zebra{i} quartz{i} {i}" for i in range(40)]
    assert not spoil.narrowed(table, 0.3, 100)["prompt"].str.startswith("zebra").any()
    assert spoil.narrowed(table, 0.0, 150)["prompt"].str.startswith("zebra").any()
    assert len(spoil.narrowed(table, 0.0, 150)) == 150
