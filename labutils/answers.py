"""Stage one of distillation: the teacher answers the pool, and each answer is verified before it may teach."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd

from . import teachers
from .data import data_dir
from .products import read_table


def answer_pool(lab) -> pd.DataFrame:
    """The teacher's verified answers (see `pipeline.Lab.answers`); live answers go to the run's cache as they come."""
    pool, profile, task = lab.corpus["pool"], lab.profile, lab.task
    if not lab.shipped and profile.name != "full":  # all of it where answers are shipped or wanted; else more than will be trained on
        pool = pool[: 2 * profile.answers]
    prompts = [task.prompt(example) for example in pool]
    model, tokenizer = lab.speaking_teacher
    teacher = teachers.LocalTeacher(model, tokenizer, profile.generation_batch, lab.max_new_tokens)
    live = profile.live_prompts if lab.shipped else len(pool)
    own = teachers.AnswerCache(lab.own_answers)
    completions = teacher.respond(prompts[:live], own) + teacher.respond(prompts[live:], lab.cache())
    confidence = _confidence(lab, model, tokenizer, pool, prompts, completions, live)
    parsed = [task.parse(text) for text in completions]
    reasons = [task.verify(answer, example) for answer, example in zip(parsed, pool)]
    for place, value in enumerate(confidence):
        if value < lab.min_confidence:
            reasons[place].append("teacher not confident")
    return pd.DataFrame({
        "id": [e.id for e in pool], "source": [e.source for e in pool], "prompt": prompts,
        "completion": [f" {text.strip()}" for text in completions], "label": [answer.label or "" for answer in parsed],
        "confidence": confidence, "reasons": ["; ".join(r) for r in reasons], "kept": [not r for r in reasons],
    })


def _confidence(lab, model, tokenizer, pool, prompts, completions, live: int) -> list[float]:
    """The teacher's probability of its label, where labels can be listed, else of its whole answer: computed for the live prompts, read
    for those that came shipped."""
    known = {}
    if lab.shipped:
        lines = (lab.shipped / "teacher_answers.jsonl").read_text(encoding="utf-8").splitlines()
        known = {row["id"]: row["confidence"] for row in map(json.loads, lines)}
    missing = [i for i, example in enumerate(pool) if i < live or example.id not in known]
    asked = [prompts[i] for i in missing]
    if lab.task.labels:
        logs = teachers.label_log_probabilities(model, tokenizer, asked, list(lab.task.labels)).max(1)
    else:
        logs = teachers.completion_log_probabilities(model, tokenizer, asked, [completions[i] for i in missing])
    found = dict(zip(missing, np.exp(logs).round(4).tolist()))
    return [found.get(i, known.get(example.id)) for i, example in enumerate(pool)]


def checked(lab) -> pd.DataFrame:
    """Those answers whose message's right answer is known, with the columns `kind` (the gold label) and `right` (the task's main score,
    0 to 1); none for a corpus without `pool_gold.csv`."""
    path, task = data_dir(lab.task.name) / "pool_gold.csv", lab.task
    gold = read_table(path).set_index("id") if path.exists() else pd.DataFrame(columns=["label"])
    table = lab.answers[lab.answers["id"].isin(gold.index)]
    table = table.assign(kind=table["id"].map(gold["label"]))
    if task.labels:
        return table.assign(right=(table["label"] == table["kind"]).astype(float))
    examples = {example.id: example for example in lab.corpus["pool"]}
    known = [
        replace(examples[row.Index], label=row.label, reply=row.reply, facts=tuple(json.loads(row.facts)))
        for row in gold.loc[table["id"]].itertuples()
    ]
    return table.assign(right=task.score([task.parse(text) for text in table["completion"]], known)[task.main])
