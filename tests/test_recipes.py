"""Recipes: equal budgets for the controls, and the right rows for each student."""

import dataclasses

import pandas as pd
import pytest

from labutils.pipeline import Lab
from labutils.profile import PROFILES, load_profile
from labutils.recipes import Recipe, layer_recipes, main_recipes, size_recipes, steps, verification_recipes


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_all_trained_students_of_the_table_get_the_same_number_of_steps(profile):
    trained = [recipe for recipe in main_recipes(profile).values() if recipe.data != "none"]
    assert {"gold_only", "distilled"} <= {recipe.name for recipe in trained}
    assert len({steps(recipe, profile, gold=960) for recipe in trained}) == 1


def test_steps_count_the_gold_where_a_recipe_reads_it():
    profile = dataclasses.replace(load_profile("smoke"), epochs=2, batch_size=16, answers=160)
    assert steps(Recipe("a", 1, data="answers"), profile, gold=32) == 2 * 10
    assert steps(Recipe("b", 1, data="both"), profile, gold=32) == 2 * 12
    assert steps(Recipe("c", 1, data="gold", answers=32), profile, gold=32) == 2 * 4
    assert steps(Recipe("d", 1, data="both"), profile, gold=32, answers=8) == 2 * 3  # the pool gave no more


def test_rows_are_gold_then_the_first_verified_answers_of_the_source(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    lab = Lab(load_profile("smoke"), "conversation", fresh=False)
    lab.answers = pd.DataFrame({
        "prompt": list("abcdef"), "completion": list("ABCDEF"), "source": ["hand", "generated"] * 3,
        "kept": [True, True, False, True, True, True],
    })
    gold = len(lab.corpus["train"])
    both = lab.training_rows(Recipe("r", 1, data="both", answers=2))
    assert len(both) == gold + 2 and both["completion"].tolist()[gold:] == ["A", "B"]
    assert both["completion"].tolist()[:gold] == lab.training_rows(Recipe("r", 1, data="gold"))["completion"].tolist()
    assert lab.training_rows(Recipe("r", 1, source="hand"))["completion"].tolist() == ["A", "E"]
    assert lab.training_rows(Recipe("r", 1, source="hand", verified=False))["completion"].tolist() == ["A", "C", "E"]


def test_the_largest_hand_written_point_of_the_size_curve_is_the_distilled_student():
    profile = PROFILES["full"]
    points = {recipe.name: recipe for recipe in size_recipes(profile)}
    assert points["distilled"].answers == profile.answers > max(profile.curve_sizes)
    assert points["distilled"].data == main_recipes(profile)["distilled"].data


def test_the_two_students_of_the_verification_figure_differ_in_nothing_else():
    profile = PROFILES["full"]
    verified, unverified = verification_recipes(profile)
    assert verified.verified and dataclasses.replace(unverified, name=verified.name, verified=True) == verified
    assert verified in layer_recipes(profile)  # trained once for both curves
