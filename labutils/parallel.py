"""Train several students side by side, a process each: on a CPU, small trainings use two cores better than one's two threads do."""

import gc
import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch
from tqdm import tqdm
from transformers import TrainerCallback

from . import models, students

_steps = None  # in a worker: the count of finished steps that all workers share


@dataclass
class Job:
    """One training: where the student and its learning curve go, what it starts from, and the arguments of `students.fine_tune`,
    `max_steps` among them."""

    folder: Path
    curve: Path
    model: torch.nn.Module
    tokenizer: object
    arguments: dict


def train_all(jobs: list[Job]) -> None:
    """Train students in processes of their own; each finished student lies in its folder.

    Raises:
        RuntimeError: a process was ended from outside; finished students are kept.
    """
    context, threads = multiprocessing.get_context("spawn"), max(1, torch.get_num_threads() // len(jobs))
    counter = context.Value("i", 0)
    gc.collect()  # earlier trainings in this process hold on to their optimisers until then
    students.give_back_memory()
    for job in jobs:
        models.save(job.model, job.tokenizer, _start(job.folder))  # smaller in memory than a copy through the pipe, and safe in containers
    settings = (counter, threads, torch.get_float32_matmul_precision())
    with ProcessPoolExecutor(len(jobs), context, _begin, settings) as pool:
        try:
            futures = [pool.submit(_train, job.folder, job.curve, job.arguments) for job in jobs]
            _show_progress(futures, counter, sum(job.arguments["max_steps"] for job in jobs))
            for future in futures:
                future.result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "A training process was ended from outside, most likely because memory ran out: close other programs and try again. "
                "Students that were finished are kept."
            ) from error
        except KeyboardInterrupt:
            for process in multiprocessing.active_children():
                process.terminate()  # else leaving this block would wait for their last step
            raise


def _show_progress(futures, counter, steps: int) -> None:
    with tqdm(total=steps, desc="training steps", unit="step") as bar:
        while not all(future.done() for future in futures):
            bar.update(counter.value - bar.n)
            time.sleep(0.5)
        bar.update(counter.value - bar.n)


def _start(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-start")


def _begin(counter, threads: int, precision: str) -> None:
    global _steps
    _steps = counter
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)  # of the parent: a new process would begin with full precision


class _Count(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        with _steps.get_lock():
            _steps.value += 1


def _train(folder: Path, curve: Path, arguments: dict) -> None:
    model, tokenizer = models.load(_start(folder))
    trainer = students.fine_tune(model, tokenizer, callbacks=[_Count()], disable_tqdm=True, **arguments)
    pd.DataFrame(trainer.state.log_history).to_csv(curve, index=False)  # before the student, which says that all of it is there
    models.save(students.merged(trainer.model), tokenizer, folder)
    shutil.rmtree(_start(folder))
