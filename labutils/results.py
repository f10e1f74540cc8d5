"""Put a run's results together: quality, retention, speed and cost of every model, as one tidy table on disk."""

import numpy as np
import pandas as pd
from tqdm import tqdm

from . import evaluation, models, speed
from .pipeline import Lab
from .recipes import main_recipes

COLUMNS = ["model", "metric", "value", "low", "high", "seeds"]


def predictions(lab: Lab, finished_only: bool = False) -> dict[str, list[pd.DataFrame]]:
    """Each model's predictions on the test set, one table a seed; trains what is missing, or leaves out unfinished seeds."""
    recipes, first, found = main_recipes(lab.profile), lab.profile.seeds[0], {}
    for name in tqdm(("teacher", *recipes), desc="test set", unit="model"):
        if name == "teacher":
            found[name] = [lab.teacher_predictions()]
            continue
        seeds = [s for s in lab.profile.seeds if not finished_only or lab.predictions_path(recipes[name], s).exists()]
        if seeds:
            found[name] = [lab.predictions(recipes[name], seed, keep=seed == first) for seed in seeds]
    return found


def quality(lab: Lab, tables: dict[str, list[pd.DataFrame]]) -> pd.DataFrame:
    """Quality and retention rows of every model."""
    rows = [evaluation.quality_rows(name, found, lab.task, lab.corpus["test"]) for name, found in tables.items()]
    teacher = np.stack([table["main"] for table in tables["teacher"]])
    kept = [
        (name, "retention", *evaluation.retention(np.stack([t["main"] for t in found]), teacher, clusters=clusters(lab)), len(found))
        for name, found in tables.items()
    ]
    return pd.concat([*rows, pd.DataFrame(kept, columns=COLUMNS)], ignore_index=True)


def clusters(lab: Lab) -> list[str]:
    """Which test examples belong together (see `Task.cluster`)."""
    return [lab.task.cluster(example) for example in lab.corpus["test"]]


def model_folders(lab: Lab, names=None) -> dict:
    """Folders of the models to measure: the teacher, the teacher with the trimmed vocabulary, and the students (all, or `names`)."""
    folders, teachers = {}, {"teacher": lambda: lab.teacher}
    if lab.profile.student == "first_layers":  # else there is no vocabulary that both share
        teachers["teacher_trimmed"] = lambda: lab.trimmed
    for name, pick in teachers.items():
        folders[name] = lab.folder / "models" / f"{name}-{lab.teacher_id}"
        if not (folders[name] / "tokenizer.json").exists():
            models.save(*pick(), folders[name])
    for name, recipe in main_recipes(lab.profile).items():
        if names is None or name in names:
            folders[name] = lab.model_folder(recipe, lab.profile.seeds[0])
            if not (folders[name] / "tokenizer.json").exists():
                lab.student(recipe, lab.profile.seeds[0])
    return folders


def speeds(lab: Lab, names=None) -> pd.DataFrame:
    """Latency, throughput, memory and cost rows, all measured on the same prompts with the same number of threads."""
    prompts = lab.prompts["test"][: lab.profile.bench_prompts]
    rows = []
    for name, folder in tqdm(model_folders(lab, names).items(), desc="latency and throughput", unit="model"):
        measured = speed.measure(folder, prompts, max_new_tokens=lab.max_new_tokens)
        rows.append(speed.speed_rows(name, measured, models.parameters(models.load(folder)[0])))
    return pd.concat(rows, ignore_index=True)


def save(lab: Lab, *parts: pd.DataFrame) -> pd.DataFrame:
    """Join parts of the table and write `results.csv` of the run."""
    table = pd.concat(parts, ignore_index=True)[COLUMNS]
    table.to_csv(lab.folder / "results.csv", index=False, float_format="%.5g")
    return table


def verdicts(lab: Lab, tables: dict[str, list[pd.DataFrame]], ours: str = "distilled") -> pd.DataFrame:
    """Paired comparison of one model with every other, and the verdict in words."""
    stacks = {name: np.stack([table["main"] for table in found]) for name, found in tables.items()}
    rows = {name: evaluation.compare(stacks[ours], stack, clusters=clusters(lab)) for name, stack in stacks.items() if name != ours}
    return pd.DataFrame(rows).T.infer_objects()
