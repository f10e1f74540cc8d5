"""A record of tiny models, and a program that makes it so that a test can kill it: `python tests/tiny_record.py TEACHER [--worker]`.

LAB_KILL says where the program shall kill itself: in the middle of writing the product whose name ends with it.
"""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import torch

from labutils import reference
from labutils.pipeline import Lab
from labutils.profile import load_profile
from labutils.teachers import AnswerCache

ANSWERS_BEFORE_THE_KILL = 5


class TinyLab(Lab):
    """A lab around the model in the folder `teacher`; the rates are high, so that a student trained otherwise shows."""

    def __init__(self, teacher):
        profile = dataclasses.replace(
            load_profile("smoke"), name="tiny", teacher=str(teacher), teacher_layers=None, seeds=(0, 1),
            students=("untrained", "gold_only", "distilled"), keep_frequent=0, gold=None, validation=None, test=None, answers=8,
            replies=2, max_new_tokens=4, generation_batch=4, batch_size=4, teacher_batch=4, teacher_lr=0.02, learning_rate=0.01,
            curve_sizes=(4,), curve_layers=(1,), curve_answers=8, sweep_rates=(0.01,), sweep_answers=8,
        )
        super().__init__(profile, "conversation", fresh=True)

    def training_rows(self, recipe):
        """All answers: what a random teacher says would not be kept."""
        return super().training_rows(dataclasses.replace(recipe, verified=False))

    def _answers_for(self, recipe):
        return super()._answers_for(dataclasses.replace(recipe, verified=False))


def end_this_process(*_) -> None:
    """As a system does whose memory runs out."""
    psutil.Process().kill()


def kill_in_the_middle_of(name: str) -> None:
    """Kill this process when a file whose name ends with `name` is written, but for its last bytes: a table, an archive, an answer."""
    pd.DataFrame.to_csv = _killing(pd.DataFrame.to_csv, lambda table, path, **_: path, name)
    np.savez = _killing(np.savez, lambda path, **_: path, name)
    answers = iter(range(1, 1000))
    AnswerCache.add = _killing(AnswerCache.add, lambda cache, *_: cache.path if next(answers) == ANSWERS_BEFORE_THE_KILL else "", name)


def _killing(write, path_of, name: str):
    def half(*args, **options):
        write(*args, **options)
        path = path_of(*args, **options)
        if str(path).endswith(name):
            os.truncate(path, os.path.getsize(path) - 9)
            psutil.Process().kill()

    return half


def main(teacher: str, *worker: str) -> None:
    torch.set_num_threads(1)  # as in the test's own process: another number of threads rounds otherwise
    if name := os.environ.get("LAB_KILL"):
        kill_in_the_middle_of(name)
    reference.WORKER[1:] = [str(Path(__file__).resolve()), teacher, "--worker"]
    lab = TinyLab(teacher)
    reference.work(lab) if worker else reference.run(lab, workers=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
