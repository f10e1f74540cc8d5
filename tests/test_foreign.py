"""Somebody else's corpus, with other labels and no slots, goes through the whole pipeline by one setting."""

import dataclasses
import itertools
import json

import pandas as pd
import pytest
import tiny_record
import torch

from labutils import models, parallel, report, results
from labutils.pipeline import Lab
from labutils.profile import load_profile
from labutils.recipes import main_recipes

MESSAGES = {
    "room service": ["Two breakfasts, please.", "The towels were not changed.", "A bottle of water for 12.", "No pillows here."],
    "room change": ["It is too loud next to the lift.", "We asked for a sea view.", "Anything higher up?", "Smells of smoke in here."],
    "late checkout": ["Our flight leaves in the evening.", "May I stay until three?", "I need two more hours.", "We sleep long."],
}


def write_split(folder, split: str, rooms: range) -> None:
    """Each message once for each room; the pool without labels and replies."""
    with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
        for room, (label, texts) in itertools.product(rooms, MESSAGES.items()):
            for number, text in enumerate(texts):
                said = [{"role": "user", "content": f"Room {room}. {text}"}, {"role": "assistant", "content": "Of course, we see to it."}]
                row = {"id": f"{split}-{label}-{room}-{number}", "task": "conversation", "messages": said[: 1 if split == "pool" else 2]}
                file.write(json.dumps(row if split == "pool" else {**row, "label": label}) + "\n")


@pytest.fixture
def hotel(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "conversation"
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test", "pool"):
        write_split(folder, split, range(1))
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))
    return dataclasses.replace(load_profile("smoke"), teacher_layers=2, gold=None, validation=None, test=None, answers=8)


def test_a_foreign_corpus_runs_from_teacher_to_table(hotel):
    lab = Lab(hotel, "conversation")
    assert lab.shipped is None  # the shop's teacher must not serve a hotel
    assert lab.task.labels == ("late checkout", "room change", "room service") and lab.task.slots == ()
    recipe = dataclasses.replace(main_recipes(hotel)["distilled"], verified=False)
    tables = {"teacher": [lab.teacher_predictions()], "distilled": [lab.predictions(recipe)]}
    assert set(tables["distilled"][0]["predicted"]) <= set(lab.task.labels)
    table = results.save(lab, results.quality(lab, tables))
    assert set(table["model"]) == {"teacher", "distilled"} and (lab.folder / "results.csv").exists()


def test_a_fresh_run_takes_nothing_over_from_a_plain_one(hotel, monkeypatch):
    plain = Lab(hotel, "conversation").folder
    monkeypatch.setenv("LAB_FRESH", "1")
    assert Lab(hotel, "conversation").folder != plain


def test_a_teacher_that_cannot_answer_is_not_taught_from(hotel):
    lab = Lab(dataclasses.replace(hotel, min_confidence=0.5), "conversation")
    lab.answers["kept"] = False
    with pytest.raises(ValueError, match="cannot teach yet"):
        lab.training_rows(main_recipes(hotel)["distilled"])


def test_gold_that_verification_would_reject_is_named(hotel, tmp_path):
    path = tmp_path / "data" / "conversation" / "train.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in rows[:2]:
        row["messages"][-1]["content"] = "so " * 30
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"reject 2 of {len(rows)} gold answers, {rows[0]['id']} first .reply too short or too long"):
        Lab(hotel, "conversation")


def test_the_shipped_teacher_serves_only_the_packaged_weights(monkeypatch, tmp_path):
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    assert Lab(load_profile("smoke"), "conversation").shipped
    monkeypatch.setenv("LAB_MODEL_SOURCE", str(tmp_path / "weights"))
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "other"))
    assert Lab(load_profile("smoke"), "conversation").shipped is None


def test_a_student_is_trained_as_long_as_there_are_answers(hotel):
    """A pool that gives fewer answers than the recipe asks for means fewer steps, for the gold-only student too."""
    lab, recipes = Lab(hotel, "conversation"), main_recipes(hotel)
    assert lab.steps(recipes["distilled"]) == lab.steps(recipes["gold_only"])
    lab.answers["kept"] = [place < 4 for place in range(len(lab.answers))]
    few = lab.steps(recipes["gold_only"])
    lab.answers["kept"] = [place < 8 for place in range(len(lab.answers))]
    assert few < lab.steps(recipes["gold_only"]) == lab.steps(recipes["distilled"])


def _independent(lab, folder, pair):
    """The lab with a student that was not cut from its teacher, trained by LoRA: the code path of the GPU profiles."""
    model, tokenizer = pair
    models.take_layers(model, 1).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return Lab(dataclasses.replace(lab.profile, name="independent", student=str(folder), student_lora=4), "conversation")


def test_an_independent_student_learns_the_distributions_by_lora(hotel, tmp_path):
    lab = Lab(hotel, "conversation")
    other = _independent(lab, tmp_path / "student", lab.untouched)
    recipe = dataclasses.replace(main_recipes(other.profile)["distilled"], verified=False)
    assert recipe.soft and recipe.lora == 4
    (before, _), (after, tokenizer) = other.start(recipe), other.train(recipe)
    assert len(tokenizer) == len(lab.untouched[1])  # its own vocabulary, whole
    moved = [(a - b).abs().max().item() for a, b in zip(before.parameters(), after.parameters(), strict=True)]
    assert moved[0] == 0 and max(moved) > 1e-6  # adapters on the linear layers, merged; the embedding untouched
    assert len(other.predictions(recipe)) == 12


def test_a_student_of_another_vocabulary_is_refused_the_distributions(hotel, tmp_path):
    lab = Lab(hotel, "conversation")
    other = _independent(lab, tmp_path / "student", lab.trimmed)
    recipe = dataclasses.replace(main_recipes(other.profile)["distilled"], verified=False)
    with pytest.raises(ValueError, match="tokenize differently .* soft=False"):
        other.train(recipe)
    other.train(dataclasses.replace(recipe, soft=False))


def test_students_trained_side_by_side_equal_those_trained_alone(hotel, tmp_path, monkeypatch):
    lab = Lab(hotel, "conversation")
    recipes = [dataclasses.replace(main_recipes(hotel)[name], verified=False) for name in ("distilled", "gold_only")]
    lab.train_side_by_side(recipes)
    together = [lab.student(recipe)[0] for recipe in recipes]
    curves = [pd.read_csv(lab.folder / "curves" / f"{recipe.name}-seed0.csv") for recipe in recipes]
    assert all(len(curve.dropna(subset=["loss"])) > 1 for curve in curves)
    assert not list((lab.folder / "models").glob("*-start"))
    for recipe, model in zip(recipes, together):
        alone = lab.train(recipe)[0]
        for ours, theirs in zip(model.parameters(), alone.parameters(), strict=True):
            assert torch.allclose(ours, theirs, atol=1e-4)
    monkeypatch.setattr(parallel, "train_all", lambda jobs: pytest.fail("trained again"))
    lab.train_side_by_side(recipes)


def test_a_training_process_that_is_killed_says_why(hotel, monkeypatch):
    lab = Lab(hotel, "conversation")
    recipes = [dataclasses.replace(main_recipes(hotel)[name], verified=False) for name in ("distilled", "gold_only")]
    monkeypatch.setattr(parallel, "_train", tiny_record.end_this_process)
    with pytest.raises(RuntimeError, match="most likely because memory ran out"):
        lab.train_side_by_side(recipes)
    assert not lab.model_folder(recipes[0]).exists()


def test_a_run_folder_serves_one_set_of_settings(hotel):
    Lab(hotel, "conversation")
    Lab(hotel, "conversation")
    with pytest.raises(ValueError, match="made from another set of profile settings: delete it, or set LAB_RUNS"):
        Lab(dataclasses.replace(hotel, epochs=3), "conversation")


def test_every_notebook_runs_on_a_foreign_corpus(hotel, tmp_path):
    """No generated messages, no second labels, no intents of the pool; and a teacher that is adapted here."""
    for split in ("train", "pool"):
        write_split(tmp_path / "data" / "conversation", split, range(8))
    report.run_all()
    assert set(pd.read_csv(load_profile("smoke").run_dir("conversation") / "results.csv")["model"]) >= {"teacher", "distilled", "gold_only"}
