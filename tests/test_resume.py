"""A record whose processes are killed, again and again, ends like one that was left in peace."""

import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from tiny_record import ANSWERS_BEFORE_THE_KILL, TinyLab
from transformers import PreTrainedTokenizerFast

from labutils import reference, results, students
from labutils.data import SPLITS

PROGRAM = [sys.executable, str(Path(__file__).with_name("tiny_record.py"))]


@pytest.fixture
def teacher(make_model, tokenizer, example_rows, write_jsonl, tmp_path, monkeypatch):
    """Folder of a tiny teacher; LAB_DATA names a corpus of twelve messages, half of the pool generated."""
    for split in SPLITS:
        sources = ("hand", "generated") if split == "pool" else ("hand",)
        rows = [{**row, "source": sources[number % len(sources)]} for number, row in enumerate(example_rows)]
        write_jsonl(f"data/conversation/{split}.jsonl", rows)
    monkeypatch.setenv("LAB_DATA", str(tmp_path / "data"))
    make_model().save_pretrained(tmp_path / "teacher")
    tokenizer.save_pretrained(tmp_path / "teacher")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield tmp_path / "teacher"
    torch.set_num_threads(threads)


def lab_in(folder, teacher, monkeypatch) -> TinyLab:
    monkeypatch.setenv("LAB_RUNS", str(folder))
    return TinyLab(teacher)


def complete(lab, monkeypatch) -> list[tuple[str, int]]:
    """Make the rest of the record in this process; returns the students that were trained for it."""
    trained, train = [], TinyLab.train
    monkeypatch.setattr(TinyLab, "train", lambda lab, recipe, seed=0: trained.append((recipe.name, seed)) or train(lab, recipe, seed))
    monkeypatch.setattr(reference, "WORKER", [sys.executable, "-c", "pass"])
    reference.run(lab, workers=1)
    reference.work(lab)
    monkeypatch.setattr(TinyLab, "train", train)
    return trained


def killed_in_the_middle_of(name, teacher, monkeypatch) -> str:
    """Run the record with a process that kills itself there; returns what the record said."""
    monkeypatch.setenv("LAB_KILL", name)
    done = subprocess.run([*PROGRAM, teacher], capture_output=True, text=True, timeout=600)
    monkeypatch.delenv("LAB_KILL")
    assert done.returncode != 0, done.stdout
    return done.stderr


def kill_record_after(number: int, lab, teacher) -> None:
    """Start the record and kill its process when `number` tables are there; its worker must end too, and not go on alone."""
    record = subprocess.Popen([*PROGRAM, teacher], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while len(tables(lab)) < number:
        assert record.poll() is None, "the record ended by itself"
        time.sleep(0.02)
    workers = psutil.Process(record.pid).children(recursive=True)
    record.kill()
    record.wait()
    assert workers and not psutil.wait_procs(workers, timeout=60)[1]


def tables(lab) -> list[Path]:
    return sorted(path for path in (lab.folder / "predictions").glob("*.csv") if not path.name.startswith("partial-"))


def finished(lab) -> dict[Path, int]:
    """When each product was written that the next run takes for finished, by file."""
    files = [path for path in lab.folder.rglob("*") if path.is_file() and not {"claims", "curves", reference.SECONDS} & set(path.parts)]
    return {path: path.stat().st_mtime_ns for path in files if "partial-" not in str(path)}


def students_with_tables(lab) -> list[tuple[str, int]]:
    jobs = reference.jobs(lab.profile)
    named = {path.name for path in tables(lab)}
    return [(r.name, seed) for r, seed, split in jobs if {f"{r.name}-{split}{end}-seed{seed}.csv" for end in ("", "-0")} & named]


def assert_equal_records(one, other) -> None:
    assert [path.name for path in tables(one)] == [path.name for path in tables(other)]
    for mine, theirs in zip(tables(one), tables(other)):
        pd.testing.assert_frame_equal(pd.read_csv(mine), pd.read_csv(theirs), rtol=1e-4, obj=mine.name)
    found = [results.quality(lab, results.predictions(lab, finished_only=True)) for lab in (one, other)]
    pd.testing.assert_frame_equal(*found, rtol=1e-4)
    for listed, split in ((reference.layer_recipes, "test"), (reference.size_recipes, "test"), (reference.rate_recipes, "validation")):
        curves = [reference.curve(lab, listed(lab.profile), split) for lab in (one, other)]
        assert len(curves[0]) == len(listed(one.profile))
        pd.testing.assert_frame_equal(*curves, rtol=1e-4)


def test_a_record_that_is_killed_again_and_again_ends_like_one_that_is_not(teacher, tmp_path, monkeypatch):
    undisturbed = lab_in(tmp_path / "undisturbed", teacher, monkeypatch)
    everyone = complete(undisturbed, monkeypatch)
    lab = lab_in(tmp_path / "killed", teacher, monkeypatch)

    killed_in_the_middle_of(".jsonl", teacher, monkeypatch)  # the teacher answers the pool
    (answers,) = lab.folder.glob("answers-*.jsonl")
    begun = answers.read_bytes()
    assert begun.count(b"\n") == ANSWERS_BEFORE_THE_KILL - 1 and not list(lab.folder.glob("answers-*.csv"))

    killed_in_the_middle_of(".npz", teacher, monkeypatch)  # its distributions are written
    assert not list(lab.folder.glob("targets-*"))
    assert answers.read_bytes().startswith(begun) and len(set(answers.read_bytes().splitlines())) == len(lab.corpus["pool"]) + 1

    done = finished(lab)
    said = killed_in_the_middle_of("layers-even-1-test-0-seed0.csv", teacher, monkeypatch)  # a worker writes a student's predictions
    assert "what it finished is kept. Run the command again" in said
    claimed = {path.name for path in (lab.folder / "claims").iterdir()}
    assert "layers-even-1-seed0" in claimed and ("layers-even-1", 0) not in students_with_tables(lab)

    done = finished(lab) | done  # the earlier time, where both have the file
    kill_record_after(len(tables(lab)) + 2, lab, teacher)
    left = [student for student in everyone if student not in students_with_tables(lab)]
    assert left and len(left) < len(everyone) - 4  # else this would test nothing

    done = finished(lab) | done
    trained = complete(lab, monkeypatch)
    assert trained == left
    assert {path: finished(lab)[path] for path in done} == done  # nothing that was finished is written again
    assert not list(lab.folder.rglob("partial-*"))
    assert_equal_records(lab, undisturbed)


@pytest.mark.parametrize(
    "owner, function, folder",
    [
        (students.StudentTrainer, "training_step", "teacher"), (pd.DataFrame, "to_csv", "teacher"),
        (PreTrainedTokenizerFast, "save_pretrained", "models/untrained-seed0"),
    ],
)
def test_a_model_whose_making_breaks_off_is_not_taken_for_finished(owner, function, folder, teacher, tmp_path, monkeypatch):
    def breaks_off(*args, **options):
        raise KeyboardInterrupt

    lab = lab_in(tmp_path / "runs", teacher, monkeypatch)
    untrained = replace(reference.main_recipes(lab.profile)["untrained"], start="teacher")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(owner, function, breaks_off)
        lab.student(untrained)  # cut from the teacher, which is adapted first
    assert not (lab.folder / folder).exists()
    assert TinyLab(teacher).teacher_id and TinyLab(teacher).student(untrained)


def test_students_of_other_seeds_would_not_pass_for_equal(teacher, tmp_path, monkeypatch):
    """What the test above compares must tell apart two students that differ by their seed alone."""
    lab = lab_in(tmp_path / "runs", teacher, monkeypatch)
    for recipe in [*reference.main_recipes(lab.profile).values(), *reference.rate_recipes(lab.profile)]:
        if recipe.data != "none":
            one, other = (lab.predictions(recipe, seed)["probability"] for seed in (0, 1))
            assert not np.allclose(one, other, rtol=1e-3), recipe.name
