"""Train several students side by side, a process each: on a CPU, small trainings use two cores better than one's two threads do."""

import gc
import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
from tqdm import tqdm
from transformers import TrainerCallback

from . import models, students

_steps = None  # in a worker: the count of finished steps that all workers share


def train_all(jobs: dict[Path, tuple]) -> dict[Path, list[dict]]:
    """Train students in processes of their own; each finished student lies in its folder.

    Args:
        jobs: folder -> (model, tokenizer, arguments of `students.fine_tune`, `max_steps` among them).

    Returns:
        folder -> log history.
    """
    context, threads = multiprocessing.get_context("spawn"), max(1, torch.get_num_threads() // len(jobs))
    counter = context.Value("i", 0)
    gc.collect()  # earlier trainings in this process hold on to their optimisers until then
    students.give_back_memory()
    for folder, (model, tokenizer, _) in jobs.items():
        models.save(model, tokenizer, _start(folder))  # smaller in memory than a copy through the pipe, and safe in containers
    settings = (counter, threads, torch.get_float32_matmul_precision())
    with ProcessPoolExecutor(len(jobs), context, _begin, settings) as pool:
        futures = {folder: pool.submit(_train, folder, arguments) for folder, (_, _, arguments) in jobs.items()}
        with tqdm(total=sum(job[-1]["max_steps"] for job in jobs.values()), desc="training steps", unit="step") as bar:
            while not all(future.done() for future in futures.values()):
                bar.update(counter.value - bar.n)
                time.sleep(0.5)
            bar.update(counter.value - bar.n)
        return {folder: future.result() for folder, future in futures.items()}


def _start(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-start")


def _begin(counter, threads: int, precision: str) -> None:
    global _steps
    _steps = counter
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision(precision)  # of the parent: a new process would multiply in full precision, at half the speed


class _Count(TrainerCallback):
    def on_step_end(self, args, state, control, **kwargs):
        with _steps.get_lock():
            _steps.value += 1


def _train(folder: Path, arguments: dict) -> list[dict]:
    model, tokenizer = models.load(_start(folder))
    trainer = students.fine_tune(model, tokenizer, callbacks=[_Count()], disable_tqdm=True, **arguments)
    models.save(students.merged(trainer.model), tokenizer, folder)
    shutil.rmtree(_start(folder))
    return trainer.state.log_history
