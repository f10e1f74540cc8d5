"""Quality with confidence intervals, comparisons and verdicts, as tidy tables."""

import numpy as np
import pandas as pd
from sacrebleu.metrics import BLEU, CHRF

from .data import Example
from .tasks import Answer, Task
from .teachers import LocalTeacher, label_log_probabilities

RESAMPLES = 2000


def predict(model, tokenizer, task: Task, examples: list[Example], replies: int, batch_size: int = 32,
            max_new_tokens: int | None = None) -> pd.DataFrame:
    """One row an example: kind (its label), gold, predicted, `main` (the task's main score); and for the first `replies` examples (all of
    them, where the task's answers cannot be listed) the full completion and its scores.

    A label is the most probable of the task's labels after the prompt (one forward pass); the completion is greedy.
    """
    prompts = [task.prompt(example) for example in examples]
    table = pd.DataFrame({"id": [e.id for e in examples], "kind": [e.label for e in examples], "gold": [task.target(e) for e in examples]})
    if task.labels:
        logs = label_log_probabilities(model, tokenizer, prompts, list(task.labels), batch_size)
        table["predicted"] = [task.labels[column] for column in logs.argmax(1)]
        table["probability"] = np.exp(logs.max(1))
        table["main"] = (table["gold"] == table["predicted"]).astype(float)
    replies = min(replies, len(examples)) if task.labels else len(examples)
    generator = LocalTeacher(model, tokenizer, batch_size, max_new_tokens or task.max_new_tokens)
    completions = generator.respond(prompts[:replies], progress=False)
    answers = [task.parse(text) for text in completions]
    if not task.labels:
        table["predicted"] = [answer.label for answer in answers]
    scores = task.score(answers, examples[:replies])
    if not task.labels:
        table["main"] = scores.pop(task.main)
    return table.join(pd.DataFrame({"completion": completions, **scores}))


def main_scores(model, tokenizer, task: Task, prompts: list[str], examples: list[Example], batch_size: int = 32,
                max_new_tokens: int | None = None) -> np.ndarray:
    """The task's main score of each example, for prompts of any form: of the most probable label, or where answers cannot be listed of
    the greedy completion."""
    if task.labels:
        logs = label_log_probabilities(model, tokenizer, prompts, list(task.labels), batch_size)
        return np.array([task.labels[column] == example.label for column, example in zip(logs.argmax(1), examples)], dtype=float)
    generator = LocalTeacher(model, tokenizer, batch_size, max_new_tokens or task.max_new_tokens)
    completions = generator.respond(prompts, progress=False)
    return np.array(task.score([task.parse(text) for text in completions], examples)[task.main])


def interval(values, seed: int = 0, clusters=None) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval (Efron 1979).

    Args:
        values: (examples,), or (seeds, examples): then seeds and examples are both drawn anew.
        clusters: one name an example; those of one name are drawn together (Davison and Hinkley 1997, section 3.8), for three claims about
            one policy are not three independent ones. None: each example by itself.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    means = [values[rows][:, columns].mean() for rows, columns in _draws(len(values), values.shape[1], seed, clusters)]
    return float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))


def _draws(seeds: int, examples: int, seed: int, clusters=None):
    """RESAMPLES pairs of rows (seeds) and columns (examples), drawn with replacement."""
    rng = np.random.default_rng(seed)
    _, members = np.unique(range(examples) if clusters is None else list(clusters), return_inverse=True)
    groups = [np.flatnonzero(members == group) for group in range(members.max() + 1)]
    for _ in range(RESAMPLES):
        rows, drawn = rng.integers(seeds, size=seeds), rng.integers(len(groups), size=len(groups))
        yield rows, drawn if len(groups) == examples else np.concatenate([groups[group] for group in drawn])


def compare(ours, theirs, seed: int = 0, clusters=None) -> dict:
    """Paired bootstrap of the difference of two models on the same examples: the same messages are drawn for both (in clusters, see
    `interval`), and each one's seeds by themselves.

    Returns:
        difference, low, high (95%), p (two-sided share of resamples on the other side of zero, counting the data themselves as one)
        and a verdict: better, worse, or no difference shown.
    """
    ours, theirs = (np.atleast_2d(np.asarray(v, dtype=float)) for v in (ours, theirs))
    rng = np.random.default_rng(seed + 1)
    means = np.array([
        ours[rows][:, columns].mean() - theirs[rng.integers(len(theirs), size=len(theirs))][:, columns].mean()
        for rows, columns in _draws(len(ours), ours.shape[1], seed, clusters)
    ])
    low, high = np.quantile(means, [0.025, 0.975])
    tail = (min((means <= 0).sum(), (means >= 0).sum()) + 1) / (RESAMPLES + 1)
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    numbers = {"difference": float(ours.mean() - theirs.mean()), "low": float(low), "high": float(high), "p": float(min(1, 2 * tail))}
    return {**numbers, "verdict": verdict}


def retention(student, teacher, seed: int = 0, clusters=None) -> tuple[float, float, float]:
    """Share of the teacher's score that the student keeps, with a 95% interval over the same resampled examples."""
    student, teacher = (np.atleast_2d(np.asarray(v, dtype=float)) for v in (student, teacher))
    ratios = [
        student[rows][:, columns].mean() / max(teacher[:, columns].mean(), 1e-9)
        for rows, columns in _draws(len(student), student.shape[1], seed, clusters)
    ]
    return float(student.mean() / max(teacher.mean(), 1e-9)), *map(float, np.quantile(ratios, [0.025, 0.975]))


def macro_f1(gold: np.ndarray, predicted: np.ndarray, labels, seed: int = 0, clusters=None) -> tuple[float, float, float]:
    """Mean of the labels' F1 scores, with a 95% bootstrap interval; a label that neither side names counts 0.

    Args:
        gold: (examples,). predicted: (seeds, examples).
    """
    gold, predicted = np.asarray(gold), np.atleast_2d(np.asarray(predicted))

    def score(rows, columns) -> float:
        right, found = gold[columns], predicted[rows][:, columns]
        hits = np.array([((found == label) & (right == label)).sum() for label in labels])
        totals = np.array([(found == label).sum() + len(rows) * (right == label).sum() for label in labels])
        return float(np.mean(2 * hits / np.maximum(totals, 1)))

    draws = [score(rows, columns) for rows, columns in _draws(len(predicted), len(gold), seed, clusters)]
    return score(np.arange(len(predicted)), np.arange(len(gold))), *map(float, np.quantile(draws, [0.025, 0.975]))


class _Chrf(CHRF):
    """sacrebleu's, in plain floats: its bootstrap stops where some resamples share letters with the gold and others share none."""

    def _compute_f_score(self, statistics):
        return float(super()._compute_f_score(statistics))


def corpus_scores(answers: list[Answer], examples: list[Example]) -> dict[str, np.ndarray]:
    """BLEU (Papineni et al. 2002) and chrF (Popovic 2015) of the replies, 0 to 100: value, low, high of sacrebleu's bootstrap."""
    texts, references = [answer.reply for answer in answers], [[example.reply for example in examples]]
    scores = {}
    for name, metric in (("bleu", BLEU(effective_order=False)), ("chrf", _Chrf())):
        score = metric.corpus_score(texts, references, n_bootstrap=500)
        scores[name] = np.array([score.score, max(0.0, score._mean - score._ci), score._mean + score._ci])
    return scores


def quality_rows(model: str, predictions: list[pd.DataFrame], task, examples: list[Example]) -> pd.DataFrame:
    """Rows model, metric, value, low, high, seeds of one model; one table of predictions a seed.

    The scores of a whole corpus, BLEU and chrF, and their intervals are the means of the seeds': those speak of other messages, not of
    other seeds.
    """
    rows, by_id = [], {example.id: example for example in examples}
    clusters = {example.id: task.cluster(example) for example in examples}
    for metric in ("main", *task.metrics):
        answered = predictions[0].dropna(subset=[metric])["id"]
        values = np.stack([table[metric].dropna().to_numpy(float) for table in predictions])
        rows.append((model, metric, *interval(values, clusters=[clusters[i] for i in answered]), len(predictions)))
    rows.insert(0, (model, task.main, *rows[0][2:]))
    if task.labels:
        first = predictions[0]
        found = np.stack([table["predicted"] for table in predictions])
        f1 = macro_f1(first["gold"], found, task.labels, clusters=first["id"].map(clusters))
        rows.insert(2, (model, "macro_f1", *f1, len(predictions)))
    scores = []
    for table in predictions:
        answered = table[table["valid"].notna()]
        answers = [task.parse(text) for text in answered["completion"].fillna("")]
        scores.append(corpus_scores(answers, [by_id[i] for i in answered["id"]]))
    for metric in scores[0]:
        rows.append((model, metric, *np.mean([score[metric] for score in scores], axis=0), len(predictions)))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "seeds"])
