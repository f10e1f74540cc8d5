"""The run of record (profile `full`): every curve with every seed, resumable at any point, and its shipped tables."""

import dataclasses
import datetime
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from importlib.metadata import version

import pandas as pd
import psutil
import torch

from . import evaluation, figures, models, quality, results
from .origin import data_hash
from .pipeline import Lab
from .products import read_table, whole
from .profile import ROOT, Profile, load_profile
from .recipes import Recipe, layer_recipes, main_recipes, rate_recipes, size_recipes, steps, verification_recipes
from .tasks import Task
from .teachers import answer_key

WORKER = [sys.executable, "-m", "labutils", "reference", "--worker"]
SECONDS = "student_seconds.csv"  # on one core, a line a student: a record made in several sittings still knows its cost
PROMPT_VERSION = "1"  # raise it when tasks/ changes what a model reads or writes


def jobs(profile: Profile) -> list[tuple[Recipe, int, str]]:
    """(recipe, seed, split) of every student of the record: the first seed before the second, the table before the curves, and
    cheap students before dear ones, so that a record that is published early shows something of every curve."""
    main = main_recipes(profile)
    groups = [
        (list(main.values()), profile.seeds, "test"),
        (layer_recipes(profile), profile.curve_seeds, "test"),
        (verification_recipes(profile), profile.curve_seeds, "test"),
        (size_recipes(profile), profile.curve_seeds, "test"),
        (rate_recipes(profile), profile.curve_seeds[:1], "validation"),
    ]
    listed = [(recipe, seed, split) for recipes, seeds, split in groups for seed in seeds for recipe in recipes]
    return sorted(listed, key=lambda job: (job[1], job[0].name not in main, steps(job[0], profile, gold=0) * job[0].layers))


def quality_jobs(profile: Profile) -> list[tuple[Recipe, int, str]]:
    """The students of the data-quality notebook; with each seed, other rows are drawn and spoiled."""
    return [(dataclasses.replace(r, draw=seed), seed, "test") for seed in profile.seeds for r in quality.quality_recipes(profile)]


PARTS = {"core": jobs, "quality": quality_jobs}


def work(lab: Lab, part: str = "core") -> None:
    """Carry out jobs that nobody has claimed; several processes may do this side by side."""
    claims = lab.folder / "claims"
    claims.mkdir(exist_ok=True)
    if "LAB_RECORD_PROCESS" in os.environ:
        threading.Thread(target=_end_with, args=(int(os.environ["LAB_RECORD_PROCESS"]),), daemon=True).start()
    for recipe, seed, split in PARTS[part](lab.profile):
        claim = claims / f"{recipe.name}-seed{seed}"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        start, main = time.time(), recipe.name in main_recipes(lab.profile)
        table = lab.predictions(recipe, seed, split, replies=None if main else 0, keep=main and seed == lab.profile.seeds[0])
        seconds = time.time() - start
        with (lab.folder / SECONDS).open("a", encoding="utf-8") as file:
            file.write(f"{recipe.name},{seed},{torch.get_num_threads() * seconds:.0f}\n")
        print(f"{recipe.name} seed {seed}: {table['main'].mean():.3f} on {split}, {seconds:.0f} s", flush=True)


def _end_with(record: int) -> None:
    """End this worker when the record's process is gone: started again, the record gives the same students to new workers."""
    while psutil.pid_exists(record):
        time.sleep(0.5)
    os._exit(1)


def run(lab: Lab, workers: int = 2) -> None:
    """Make or go on with the record: teacher, its answers and distributions first, then all students in `workers` processes."""
    lab.teacher_predictions()
    needed = [lab.training_rows(recipe) for recipe, _, _ in jobs(lab.profile) if recipe.data in ("answers", "both") and recipe.soft]
    lab.targets(pd.concat(needed).drop_duplicates("prompt"), lab.speaking_teacher[1])  # once, for all workers
    start_workers(lab, "core", workers)


def start_workers(lab: Lab, part: str, workers: int) -> None:
    """Carry out a part's jobs in `workers` processes, and wait for them."""
    claims = lab.folder / "claims"
    for claim in claims.glob("*") if claims.exists() else []:
        claim.unlink()  # whatever was finished has its predictions on disk
    threads = str(max(1, (os.cpu_count() or 2) // workers))
    settings = {"LAB_TASK": lab.task.name, "LAB_RECORD_PROCESS": str(os.getpid()), "OMP_NUM_THREADS": threads}
    environment = {**os.environ, **settings}
    running = [subprocess.Popen([*WORKER, "--part", part], env=environment, cwd=ROOT) for _ in range(workers)]
    if any([process.wait() for process in running]):
        raise RuntimeError("A worker of the record failed; what it finished is kept. Run the command again to go on.")


def open_lab(part: str = "core") -> Lab:
    """The lab of the record: nothing shipped may feed its core, which works in the folder of a fresh run; the other parts begin with the
    shipped teacher and its answers."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 2)))
    os.environ["LAB_FRESH"] = "1" if part == "core" else "0"
    if part == "core":
        return Lab()
    lab = Lab(dataclasses.replace(load_profile(), name=f"full-{part}", live_prompts=0))
    if lab.shipped is None:
        raise FileNotFoundError(f"The part {part} begins with the core's teacher: make that first, by `python -m labutils reference`.")
    return lab


def main(workers: int = 2, part: str = "core") -> None:
    """A part of the record: students, tables; then everything that is shipped."""
    start, lab = time.time(), open_lab(part)
    run(lab, workers) if part == "core" else start_workers(lab, part, workers)
    publish(lab, time.time() - start, part)


def publish(lab: Lab, seconds: float, part: str = "core") -> None:
    """Tables, speeds and figures from what is finished, written to data/reference/<task>/."""
    if part != "core":
        return ship_part(lab, part, seconds)
    tables = results.predictions(lab, finished_only=True)
    table = results.save(lab, results.quality(lab, tables), results.speeds(lab, list(tables)))
    ship_teacher(lab)
    ship(lab, table, results.verdicts(lab, tables), seconds)
    figures.draw(lab)
    print(table[table["metric"].isin(["main", "retention"])].to_string(index=False))


def curve(lab: Lab, recipes: list[Recipe], split: str) -> pd.DataFrame:
    """One row a recipe: accuracy with its interval over seeds and messages, and parameters."""
    rows = []
    vocabulary = len(lab.trimmed[1])
    for recipe in recipes:
        trained_on = lab._answers_for(recipe) if recipe.data in ("answers", "both") else None
        if trained_on is not None and recipe.source and len(trained_on) < recipe.answers:
            continue  # the pool holds no more prompts of this source
        candidates = [[lab.predictions_path(recipe, seed, split, replies) for replies in (None, 0)] for seed in lab.profile.seeds]
        found = [next((path for path in paths if path.exists()), None) for paths in candidates]
        tables = [read_table(path)["main"] for path in found if path]
        if tables:
            clusters = [lab.task.cluster(example) for example in lab.corpus[split]]
            value, low, high = evaluation.interval(pd.concat(tables, axis=1).T.to_numpy(), clusters=clusters)
            size = models.llama_parameters(lab.untouched[0].config, recipe.layers, vocabulary)
            settings = {key: getattr(recipe, key) for key in ("name", "layers", "choice", "source", "answers", "rate", "lora")}
            if trained_on is not None:
                settings |= {"answers": len(trained_on), "source": " and ".join(sorted(set(trained_on["source"]), reverse=True))}
            rows.append({**settings, "parameters": size, "value": value, "low": low, "high": high, "seeds": len(tables)})
    return pd.DataFrame(rows)


def ship(lab: Lab, table: pd.DataFrame, verdicts: pd.DataFrame, seconds: float) -> None:
    """Write the record's tables to data/reference/<task>/, with provenance."""
    folder, profile = ROOT / "data" / "reference" / lab.task.name, lab.profile
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "results.csv", index=False, float_format="%.5g")
    verdicts.to_csv(folder / "verdicts.csv", index_label="model", float_format="%.5g")
    curves = {
        "layers": (layer_recipes(profile), "test"), "sizes": (size_recipes(profile), "test"),
        "verification": (verification_recipes(profile), "test"), "rates": (rate_recipes(profile), "validation"),
    }
    for name, (recipes, split) in curves.items():
        curve(lab, recipes, split).to_csv(folder / f"{name}.csv", index=False, float_format="%.5g")
    write_provenance(lab, folder, seconds)


def ship_part(lab: Lab, part: str, seconds: float) -> None:
    """Write a part's one table, and where it came from, beside the core's."""
    folder = ROOT / "data" / "reference" / lab.task.name
    listed = PARTS[part](load_profile("full"))
    quality.summary(lab, [recipe for recipe, seed, _ in listed if seed == lab.profile.seeds[0]]).to_csv(
        folder / f"{part}.csv", index=False, float_format="%.5g",
    )
    made = {"data": data_hash(lab.task.name), "recipe": recipe_hash(load_profile("full"), lab.task, part), "adapter": lab.teacher_id,
            "date": datetime.date.today().isoformat(), "seconds_of_last_sitting": round(seconds)}
    (folder / f"{part}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
    figures.draw_part(lab.task.name, part)


def ship_teacher(lab: Lab) -> None:
    """Copy the adapter and write the answers file: key, id, answer, confidence."""
    folder = ROOT / "data" / "reference" / lab.task.name
    shutil.copytree(lab.folder / "teacher", folder / "teacher", dirs_exist_ok=True)
    with whole(folder / "teacher_answers.jsonl") as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
        for row in lab.answers.itertuples():
            line = {"key": answer_key(row.prompt), "id": row.id, "answer": row.completion.strip(), "confidence": row.confidence}
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def recipe_hash(profile: Profile, task: Task, part: str = "core") -> str:
    """Hash of all that decides a part besides the data: the settings of profile and task, all recipes, the prompt's version."""
    text = repr((profile, task.settings, PARTS[part](profile), PROMPT_VERSION))
    return hashlib.sha256(text.encode()).hexdigest()


def write_provenance(lab: Lab, folder, seconds: float) -> None:
    """What the record was made from and where."""
    settings = {
        "data": data_hash(lab.task.name), "recipe": recipe_hash(lab.profile, lab.task), "prompt_version": PROMPT_VERSION,
        "teacher": "SmolLM2-135M-Instruct (Apache-2.0), adapted by LoRA", "weights_sha256": models.GGUF_SHA256, "adapter": lab.teacher_id,
        "sampling": {"temperature": 0, "max_new_tokens": lab.max_new_tokens}, "answers_licence": "CC0-1.0",
        "versions": {name: version(name) for name in ("torch", "transformers", "trl", "peft", "datasets")},
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {platform.system()}",
        "date": datetime.date.today().isoformat(), "seconds_of_last_sitting": round(seconds),
        "student_core_seconds": _student_seconds(lab.folder / SECONDS),
    }
    (folder / "provenance.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")


def _student_seconds(path) -> int:
    """Seconds on one core that all students took, training and test answers."""
    if not path.exists():
        return 0
    table = pd.read_csv(path, names=["name", "seed", "seconds"], on_bad_lines="skip")  # a kill may have cut a line short
    return int(pd.to_numeric(table["seconds"], errors="coerce").sum())
