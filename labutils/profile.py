"""Sizes, seeds and models of a run. One setting, LAB_PROFILE, picks a profile; nothing here loads a model."""

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def runs_dir() -> Path:
    """Folder of all that runs make: LAB_RUNS, else the lab's `runs/`."""
    return ROOT / (os.environ.get("LAB_RUNS") or "runs")


@dataclass(frozen=True)
class Profile:
    """Everything that differs between a quick test, a laptop, a long run and a GPU.

    Counts are examples unless a name says otherwise; `None` for a limit means "all of them".
    """

    name: str
    teacher: str = "bundled"  # "bundled" (packaged weights), a hub id, or a local folder
    student: str = "first_layers"  # cut from the teacher, or a hub id of an independent model
    teacher_layers: int | None = None  # use only the teacher's first layers: for tests that adapt one
    students: tuple[str, ...] = ("untrained", "gold_only", "distilled")  # of `recipes.main_recipes`
    soft: bool = True  # learn from the teacher's distributions; the student must have the teacher's vocabulary
    student_layers: int = 8
    keep_frequent: int = 4000  # vocabulary kept besides the domain's own tokens
    precision: str = "float32"  # "float16" on a T4, "bfloat16" on newer cards
    mixed_bfloat16: bool = True  # matrix products in bfloat16, on processors that have them: half the time
    quantise: bool = False  # load the teacher's base weights in 4 bits (QLoRA), on a GPU only
    teacher_lora: int = 16  # rank of the teacher's adapter
    student_lora: int | None = None
    gold: int | None = None
    validation: int | None = None
    test: int | None = None
    fewshot_messages: int = 60
    adapt_messages: int = 240  # gold messages of the live adaptation in notebook 02; the record's teacher sees all
    adapt_epochs: int = 2
    live_prompts: int = 300  # asked of the teacher live; the other answers come from the shipped cache
    answers: int = 3200  # teacher answers the student is trained on, besides the gold messages
    min_confidence: float | None = None  # answers that the teacher is less sure of are dropped; None: the task's
    replies: int = 120  # test messages whose replies are generated in full and scored
    batch_size: int = 8
    teacher_batch: int = 8
    teacher_epochs: int = 3
    teacher_lr: float = 1e-3
    epochs: float = 1.3
    learning_rate: float = 6e-4
    top_k: int = 16  # teacher probabilities kept per position
    generation_batch: int = 32
    samples: int = 4  # answers drawn for each message where sampling is studied
    max_new_tokens: int | None = None  # limit of a completion; None: the task's
    max_length: int = 320
    seeds: tuple[int, ...] = (0,)
    curve_sizes: tuple[int, ...] = (120, 240, 480, 960)
    curve_layers: tuple[int, ...] = (2, 4, 8, 12)
    curve_answers: int = 200
    curve_seeds: tuple[int, ...] = (0,)
    sweep_rates: tuple[float, ...] = (1e-5, 5e-5, 6e-4)
    sweep_answers: int = 200
    bench_prompts: int = 12

    def run_dir(self, task: str) -> Path:
        """Folder of this profile's products for one task, made on first use: `runs/<profile>/<task>`.

        A run with LAB_FRESH has its own, `runs/<profile>-fresh/<task>`: what the shipped teacher taught is not taken over.
        """
        fresh = "-fresh" if os.environ.get("LAB_FRESH") == "1" else ""
        folder = runs_dir() / f"{self.name}{fresh}" / task
        folder.mkdir(parents=True, exist_ok=True)
        return folder


ALL_STUDENTS = ("untrained", "gold_only", "gold_only_untouched", "distilled_words", "distilled")
CPU = Profile("cpu")
PROFILES = {
    # Where a laptop would wait for minutes to show what fewer messages show as well.
    "cpu": dataclasses.replace(CPU, fewshot_messages=48, adapt_messages=144, bench_prompts=10),
    "smoke": dataclasses.replace(
        CPU, name="smoke", students=ALL_STUDENTS, teacher_layers=4, student_layers=1, keep_frequent=500, gold=48, validation=24, test=36,
        fewshot_messages=8, adapt_messages=24, adapt_epochs=1, live_prompts=24, answers=48, min_confidence=0.0, replies=12,
        mixed_bfloat16=False, teacher_epochs=1, epochs=1, max_new_tokens=24, curve_sizes=(16, 32), curve_layers=(1, 2),
        curve_answers=16, sweep_rates=(5e-5, 6e-4), sweep_answers=16, bench_prompts=4, samples=2,
    ),
    # Replies take longer than all other scores together, so a third of the test set, whose order is random, is answered in full.
    "full": dataclasses.replace(
        CPU, name="full", students=ALL_STUDENTS, live_prompts=10**9, replies=408, seeds=(0, 1, 2), curve_seeds=(0,),
        curve_answers=480, sweep_answers=320, sweep_rates=(1e-5, 5e-5, 2e-4, 6e-4),
    ),
    # One T4 (16 GB, no bfloat16): a quantised 3.8B teacher with LoRA and a 360M student.
    "gpu": dataclasses.replace(
        CPU, name="gpu", teacher="microsoft/Phi-4-mini-instruct", student="HuggingFaceTB/SmolLM2-360M-Instruct",
        precision="float16", mixed_bfloat16=False, soft=False, student_lora=16, quantise=True, teacher_lr=2e-4,
        live_prompts=10**9, answers=8000, replies=10**9, generation_batch=64, seeds=(0, 1, 2),
    ),
    # One 24 GB card: a 7B teacher and a 0.5B student of the same family (and so of the same vocabulary).
    "gpu24": dataclasses.replace(
        CPU, name="gpu24", teacher="Qwen/Qwen2.5-7B-Instruct", student="Qwen/Qwen2.5-0.5B-Instruct",
        precision="bfloat16", mixed_bfloat16=False, student_lora=16, quantise=True, teacher_lr=2e-4,
        live_prompts=10**9, answers=8000, replies=10**9, generation_batch=64, seeds=(0, 1, 2),
    ),
}


def load_profile(name: str | None = None) -> Profile:
    """The profile called `name`, by default the one that LAB_PROFILE names, else `cpu`.

    Raises:
        ValueError: the name is not one of PROFILES.
    """
    name = name or os.environ.get("LAB_PROFILE") or "cpu"
    if name not in PROFILES:
        raise ValueError(f"LAB_PROFILE is {name!r}; it must be one of {', '.join(PROFILES)}.")
    return PROFILES[name]


def task_name() -> str:
    """The task that LAB_TASK names, by default `conversation`."""
    return os.environ.get("LAB_TASK") or "conversation"
