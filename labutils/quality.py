"""Experiments on the quality of training data: students that differ in their rows alone, each spoiled, mended or chosen in one way."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from . import evaluation, own_data, spoil, teachers
from .products import read_table
from .profile import ROOT, Profile
from .recipes import Recipe

RATES = {  # planted faults, and the shares of the rows that they spoil
    "copies": (0.5, 0.75, 0.9), "wrong labels": (0.1, 0.2, 0.4), "imbalance": (0.5, 0.9), "imbalance mended": (0.9,),
    "narrow": (0.5, 0.8), "foreign": (0.5, 1.0),
}
FOREIGN = ROOT / "data" / "examples" / "library_desk.csv"


@dataclass(frozen=True)
class RowsRecipe(Recipe):
    """A student of words, at the budget of its sisters, whose training rows were chosen or spoiled on purpose.

    Attributes:
        fault, share: one of RATES and how much of it; or "leak": every second validation message stands among the rows; or None.
        rows: how many different rows there are; None for as many as `answers`. The number of optimiser steps stays that of `answers`.
        order: "easy first" or "hard first" by the teacher's confidence, or None for batches drawn at random.
        draw: seed of what is drawn at random.
    """

    fault: str | None = None
    share: float = 0.0
    rows: int | None = None
    order: str | None = None
    draw: int = 0


def quality_recipes(profile: Profile) -> list[RowsRecipe]:
    """One clean student; one for each fault and share; one for each order; and few labels against few answers."""
    count = profile.curve_answers
    clean = RowsRecipe("clean", profile.student_layers, soft=False, answers=count, source="hand", epochs=2)
    faults = [replace(clean, name=f"{fault} {share:.0%}", fault=fault, share=share) for fault, shares in RATES.items() for share in shares]
    orders = [replace(clean, name=order, order=order) for order in ("easy first", "hard first")]
    sizes = [max(1, count // divisor) for divisor in (8, 4, 2)]
    few = [replace(clean, name=f"{size} answers", rows=size) for size in sizes]
    gold = [replace(clean, name=f"{size} gold labels", source="gold", rows=size) for size in (*sizes, count)]
    return [clean, *faults, *orders, *few, *gold]


def training_rows(lab, recipe: RowsRecipe) -> pd.DataFrame:
    """prompt, completion and label of the rows that a recipe trains on."""
    size, draw = recipe.rows or recipe.answers, recipe.draw
    table = gold_rows(lab, "train") if recipe.source == "gold" else _answers(lab, recipe)
    if recipe.fault == "narrow":
        return spoil.narrowed(table, recipe.share, size, draw)
    if recipe.fault in ("imbalance", "imbalance mended"):
        skewed = spoil.skewed(table, recipe.share, draw)
        table = skewed.sample(min(size, len(skewed)), random_state=draw)
        return evened(table, draw) if recipe.fault.endswith("mended") else table
    table = table.sample(min(size, len(table)), random_state=draw)
    if recipe.fault == "copies":
        return spoil.duplicated(table, recipe.share, draw)
    if recipe.fault == "wrong labels":
        return spoil.mislabelled(table, recipe.share, draw)
    if recipe.fault == "foreign":
        foreign = foreign_answers(lab)
        other = foreign.sample(min(round(recipe.share * len(table)), len(foreign)), random_state=draw)
        return pd.concat([table.iloc[: len(table) - len(other)], other], ignore_index=True)
    if recipe.fault == "leak":
        leaked = gold_rows(lab, "validation").iloc[::2].head(size)
        return pd.concat([table.iloc[: len(table) - len(leaked)], leaked], ignore_index=True)
    if recipe.order:
        return table.sort_values("confidence", ascending=recipe.order == "hard first")
    return table


def summary(lab, recipes: list[RowsRecipe]) -> pd.DataFrame:
    """One row a recipe: fault, share, rows, order, source; its accuracy with the interval over the finished seeds and messages; and
    the difference from the first recipe (the clean one) with its interval and verdict, message by message."""
    found, clean = [], None
    for recipe in recipes:
        paths = [lab.predictions_path(recipe, seed, "test", 0) for seed in lab.profile.seeds]
        tables = [read_table(path)["main"] for path in paths if path.exists()]
        if tables:
            scores = np.stack(tables)
            clean = scores if clean is None else clean
            value, low, high = evaluation.interval(scores)
            compared = evaluation.compare(scores, clean)
            found.append({
                **{key: getattr(recipe, key) for key in ("name", "fault", "share", "order", "source")},
                "rows": recipe.rows or recipe.answers, "value": value, "low": low, "high": high, "seeds": len(tables),
                "difference": compared["difference"], "difference_low": compared["low"], "difference_high": compared["high"],
                "verdict": compared["verdict"],
            })
    return pd.DataFrame(found)


def evened(table: pd.DataFrame, draw: int = 0) -> pd.DataFrame:
    """As many rows, every label equally often: rows of rare labels are drawn more than once, of frequent ones some are left out."""
    labels = sorted(table["label"].unique())
    sizes = [len(table) // len(labels) + (place < len(table) % len(labels)) for place in range(len(labels))]
    parts = []
    for label, size in zip(labels, sizes):
        group = table[table["label"] == label].sample(frac=1, random_state=draw)
        parts.append(pd.concat([group] * -(-size // len(group))).head(size))
    return pd.concat(parts, ignore_index=True)


def foreign_answers(lab) -> pd.DataFrame:
    """What this lab's teacher says to the messages of another desk, unverified: nothing in them is of its domain."""
    texts = [row["message"] for _, row in own_data.read_rows(FOREIGN)]
    prompts = list(dict.fromkeys(lab.task.prompt(replace(lab.corpus["train"][0], turns=(("user", text),))) for text in texts))
    prompts = prompts[: lab.profile.curve_answers]
    teacher = teachers.LocalTeacher(*lab.speaking_teacher, lab.profile.generation_batch, lab.max_new_tokens)
    completions = teacher.respond(prompts, teachers.AnswerCache(lab.folder / f"foreign-{lab.teacher_id}.jsonl"))
    labels = [lab.task.parse(text).label or "" for text in completions]
    return pd.DataFrame({"prompt": prompts, "completion": [f" {text.strip()}" for text in completions], "label": labels})


def gold_rows(lab, split: str) -> pd.DataFrame:
    """prompt, completion and label of a gold split."""
    gold = lab.corpus[split]
    return pd.DataFrame({
        "prompt": lab.prompts[split], "completion": [lab.task.gold(e) for e in gold], "label": [e.label for e in gold],
    })


def _answers(lab, recipe: RowsRecipe) -> pd.DataFrame:
    table = lab.answers[lab.answers["kept"] | (not recipe.verified)]
    return table[table["source"] == recipe.source].reset_index(drop=True)
