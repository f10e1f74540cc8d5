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
    """One row an example: kind (its label), gold, predicted, `main` (the task's main score); and for the first `replies` examples (all of them, where the task's
    answers cannot be listed) the full completion and its scores.

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


def main_scores(model, tokenizer, task: Task, prompts: list[str], examples: list[Example], batch_size: int = 32) -> np.ndarray:
    """The task's main score of each example, for prompts of any form: of the most probable label, or where answers cannot be listed of
    the greedy completion."""
    if task.labels:
        logs = label_log_probabilities(model, tokenizer, prompts, list(task.labels), batch_size)
        return np.array([task.labels[column] == example.label for column, example in zip(logs.argmax(1), examples)], dtype=float)
    completions = LocalTeacher(model, tokenizer, batch_size, task.max_new_tokens).respond(prompts, progress=False)
    return np.array(task.score([task.parse(text) for text in completions], examples)[task.main])


def interval(values, seed: int = 0) -> tuple[float, float, float]:
    """Mean and 95% bootstrap interval (Efron 1979).

    Args:
        values: (examples,), or (seeds, examples): then seeds and examples are both drawn anew.
    """
    values = np.atleast_2d(np.asarray(values, dtype=float))
    means = _resampled_means(values, seed)
    return float(values.mean()), *map(float, np.quantile(means, [0.025, 0.975]))


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    rng, (seeds, examples) = np.random.default_rng(seed), values.shape
    means = np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        rows = rng.integers(seeds, size=seeds)
        means[i] = values[rows][:, rng.integers(examples, size=examples)].mean()
    return means


def compare(ours, theirs, seed: int = 0) -> dict:
    """Paired bootstrap of the difference of two models on the same examples: the same messages are drawn for both, and each one's
    seeds by themselves.

    Returns:
        difference, low, high (95%), p (two-sided share of resamples on the other side of zero, counting the data themselves as one)
        and a verdict: better, worse, or no difference shown.
    """
    ours, theirs = (np.atleast_2d(np.asarray(v, dtype=float)) for v in (ours, theirs))
    rng, means = np.random.default_rng(seed), np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        columns = rng.integers(ours.shape[1], size=ours.shape[1])
        means[i] = np.subtract(*(model[rng.integers(len(model), size=len(model))][:, columns].mean() for model in (ours, theirs)))
    low, high = np.quantile(means, [0.025, 0.975])
    tail = (min((means <= 0).sum(), (means >= 0).sum()) + 1) / (RESAMPLES + 1)
    verdict = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
    numbers = {"difference": float(ours.mean() - theirs.mean()), "low": float(low), "high": float(high), "p": float(min(1, 2 * tail))}
    return {**numbers, "verdict": verdict}


def retention(student, teacher, seed: int = 0) -> tuple[float, float, float]:
    """Share of the teacher's accuracy that the student keeps, with a 95% interval over the same resampled examples."""
    student, teacher = (np.atleast_2d(np.asarray(v, dtype=float)) for v in (student, teacher))
    rng, ratios = np.random.default_rng(seed), np.empty(RESAMPLES)
    for i in range(RESAMPLES):
        columns, rows = rng.integers(student.shape[1], size=student.shape[1]), rng.integers(len(student), size=len(student))
        ratios[i] = student[rows][:, columns].mean() / max(teacher[:, columns].mean(), 1e-9)
    return float(student.mean() / max(teacher.mean(), 1e-9)), *map(float, np.quantile(ratios, [0.025, 0.975]))


def corpus_scores(answers: list[Answer], examples: list[Example]) -> dict[str, np.ndarray]:
    """BLEU (Papineni et al. 2002) and chrF (Popovic 2015) of the replies, 0 to 100: value, low, high of sacrebleu's bootstrap."""
    texts, references = [answer.reply for answer in answers], [[example.reply for example in examples]]
    scores = {}
    for name, metric in (("bleu", BLEU(effective_order=False)), ("chrf", CHRF())):
        score = metric.corpus_score(texts, references, n_bootstrap=500)
        scores[name] = np.array([score.score, max(0.0, score._mean - score._ci), score._mean + score._ci])
    return scores


def quality_rows(model: str, predictions: list[pd.DataFrame], task, examples: list[Example]) -> pd.DataFrame:
    """Rows model, metric, value, low, high, seeds of one model; one table of predictions a seed.

    The scores of a whole corpus, BLEU and chrF, and their intervals are the means of the seeds': those speak of other messages, not of
    other seeds.
    """
    rows = []
    for metric in ("main", *task.metrics):
        values = np.stack([table[metric].dropna().to_numpy(float) for table in predictions])
        rows.append((model, metric, *interval(values), len(predictions)))
    rows.insert(0, (model, task.main, *rows[0][2:]))
    by_id = {example.id: example for example in examples}
    scores = []
    for table in predictions:
        answered = table[table["valid"].notna()]
        answers = [task.parse(text) for text in answered["completion"].fillna("")]
        scores.append(corpus_scores(answers, [by_id[i] for i in answered["id"]]))
    for metric in scores[0]:
        rows.append((model, metric, *np.mean([score[metric] for score in scores], axis=0), len(predictions)))
    return pd.DataFrame(rows, columns=["model", "metric", "value", "low", "high", "seeds"])
