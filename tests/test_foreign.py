"""Somebody else's corpus, with other labels and no slots, goes through the whole pipeline by one setting."""

import dataclasses
import json

import pytest

from labutils import results
from labutils.pipeline import Lab
from labutils.profile import load_profile
from labutils.recipes import main_recipes

MESSAGES = {
    "room service": ["Two breakfasts, please.", "The towels were not changed.", "A bottle of water for 12.", "No pillows here."],
    "room change": ["It is too loud next to the lift.", "We asked for a sea view.", "Anything higher up?", "Smells of smoke in here."],
    "late checkout": ["Our flight leaves in the evening.", "May I stay until three?", "I need two more hours.", "We sleep long."],
}


@pytest.fixture
def hotel(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "conversation"
    folder.mkdir(parents=True)
    for split in ("train", "validation", "test", "pool"):
        with (folder / f"{split}.jsonl").open("w", encoding="utf-8") as file:
            for label, texts in MESSAGES.items():
                for number, text in enumerate(texts):
                    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "Of course, we see to it."}]
                    row = {"id": f"{split}-{label}-{number}", "task": "conversation", "messages": messages[: 1 if split == "pool" else 2]}
                    file.write(json.dumps(row if split == "pool" else {**row, "label": label}) + "\n")
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


def test_a_teacher_that_cannot_answer_is_not_taught_from(hotel):
    lab = Lab(hotel, "conversation")
    lab.answers["kept"] = False
    with pytest.raises(ValueError, match="cannot teach yet"):
        lab.training_rows(main_recipes(hotel)["distilled"])
