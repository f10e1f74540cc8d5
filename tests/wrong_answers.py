"""Typical wrong answers to the exercises, for the tests of `check` and for whole notebooks."""

import math
import random
import re
from statistics import mode

import numpy as np

from labutils import solutions


def boot(draw=None, ends=(2.5, 97.5), generator=lambda seed: np.random.default_rng(seed), axis=1):
    def answer(values, resamples, seed):
        rng = generator(seed)
        drawn = draw(rng, values, resamples) if draw else rng.choice(values, (resamples, len(values)))
        return tuple(np.percentile(drawn.mean(axis), ends))

    return answer


def legacy_generator(values, resamples, seed):
    np.random.seed(seed)
    return tuple(np.percentile(np.random.choice(values, (resamples, len(values))).mean(1), [2.5, 97.5]))


def normal_approximation(values, resamples, seed):
    half = 1.96 * values.std() / math.sqrt(len(values))
    return values.mean() - half, values.mean() + half


def normal_from_resamples(values, resamples, seed):
    means = np.random.default_rng(seed).choice(values, (resamples, len(values))).mean(1)
    return values.mean() - 1.96 * means.std(), values.mean() + 1.96 * means.std()


def duplicates(key, first=True, every=False):
    def answer(texts):
        keys, pairs = [key(text) for text in texts], []
        for j in range(len(keys)):
            equal = [i for i in range(j) if keys[i] == keys[j]]
            pairs += [(i, j) for i in (equal if every else equal[:1] if first else equal[-1:])]
        return pairs

    return answer


def squeezed(text, number="#", pattern=r"\d+"):
    return " ".join(re.sub(pattern, number, text.lower()).split())


def parameters(embeddings=1, key_value=None, norms=2, final=1, matrices=3, shared=True):
    def answer(layers, vocabulary, hidden=576, intermediate=1536, heads=9, kv_heads=3):
        kv = hidden // heads * kv_heads if shared else hidden
        layer = 2 * hidden**2 + 2 * hidden * kv + matrices * hidden * intermediate + norms * hidden
        return embeddings * vocabulary * hidden + layers * layer + final * hidden

    return answer


def naive_kl(teacher, student):
    p, q = (logits.exp() / logits.exp().sum(-1, keepdim=True) for logits in (teacher, student))
    return (p * (p / q).log()).sum(-1)


def softmax_then_log(teacher, student, small=0.0):
    p, q = (logits.softmax(-1) + small for logits in (teacher, student))
    return (p * (p.log() - q.log())).sum(-1)


def kl_terms(teacher, student):
    p, q = teacher.log_softmax(-1), student.log_softmax(-1)
    return p.exp() * (p - q)


def in_random_order(labels, per_label):
    picked = random.Random(0).sample(range(len(labels)), len(labels))
    return sorted(i for label in set(labels) for i in [k for k in picked if labels[k] == label][:per_label])


def by_group(labels, per_label):
    return [i for label in dict.fromkeys(labels) for i in [k for k, other in enumerate(labels) if other == label][:per_label]]


def last_items(labels, per_label):
    groups = ([k for k, other in enumerate(labels) if other == label] for label in set(labels))
    return sorted(i for group in groups for i in group[max(0, len(group) - per_label) :])


def large_groups(labels, per_label):
    return sorted(i for i in by_group(labels, per_label) if labels.count(labels[i]) >= per_label)


def most(samples, winner, share=lambda count, n: count / n):
    return (None, 0.0) if not samples else (winner(samples), share(samples.count(winner(samples)), len(samples)))


def first_to_reach(samples):
    return max(samples, key=lambda s: (samples.count(s), -[k for k, other in enumerate(samples) if other == s][samples.count(s) - 1]))


# (exercise, what is wrong, answer, number of the case that fails first)
WRONG = [
    ("student_parameters", "final norm forgotten", parameters(final=0), 1),
    ("student_parameters", "norms of the layers forgotten", parameters(norms=0), 1),
    ("student_parameters", "embeddings not tied", parameters(embeddings=2), 1),
    ("student_parameters", "key and value as wide as the query", parameters(shared=False), 1),
    ("student_parameters", "two feed-forward matrices", parameters(matrices=2), 1),
    ("student_parameters", "widths fixed", lambda layers, vocabulary, *_: parameters()(layers, vocabulary), 3),
    ("student_parameters", "no defaults", lambda layers, vocabulary, hidden, intermediate, heads, kv_heads: 0, 1),
    ("training_minutes", "seconds", lambda n, e, t, s: n * e * t / s, 1),
    ("training_minutes", "hours", lambda n, e, t, s: n * e * t / s / 3600, 1),
    ("training_minutes", "epochs forgotten", lambda n, e, t, s: n * t / s / 60, 1),
    ("training_minutes", "whole minutes", lambda n, e, t, s: n * e * t // s // 60, 2),
    ("training_minutes", "rounded", lambda n, e, t, s: round(n * e * t / s / 60), 2),
    ("training_minutes", "whole epochs", lambda n, e, t, s: n * int(e) * t / s / 60, 3),
    ("training_minutes", "never less than a minute", lambda n, e, t, s: max(1.0, n * e * t / s / 60), 4),
    ("find_duplicates", "exact match only", duplicates(lambda t: t), 1),
    ("find_duplicates", "case ignored wrongly", duplicates(lambda t: " ".join(re.sub(r"\d+", "#", t).split())), 1),
    ("find_duplicates", "digits missed", duplicates(lambda t: " ".join(t.lower().split())), 2),
    ("find_duplicates", "one # per digit", duplicates(lambda t: squeezed(t, pattern=r"\d")), 2),
    ("find_duplicates", "white space kept", duplicates(lambda t: re.sub(r"\d+", "#", t.lower())), 3),
    ("find_duplicates", "the last earlier match", duplicates(squeezed, first=False), 4),
    ("find_duplicates", "all pairs", duplicates(squeezed, every=True), 4),
    ("find_duplicates", "digits removed", duplicates(lambda t: squeezed(t, number="")), 5),
    ("find_duplicates", "blanks removed", duplicates(lambda t: re.sub(r"\d+", "#", re.sub(r"\s", "", t.lower()))), 5),
    ("find_duplicates", "pairs the wrong way round", lambda texts: [(j, i) for i, j in solutions.find_duplicates(texts)], 1),
    ("balanced_sample", "grouped, not sorted", by_group, 1),
    ("balanced_sample", "the first items of all", lambda labels, n: list(range(min(len(labels), n * len(set(labels))))), 1),
    ("balanced_sample", "one too many", lambda labels, n: solutions.balanced_sample(labels, n + 1), 1),
    ("balanced_sample", "drawn at random", in_random_order, 1),
    ("balanced_sample", "the last of each label", last_items, 1),
    ("balanced_sample", "labels, not indices", lambda labels, n: [labels[i] for i in solutions.balanced_sample(labels, n)], 1),
    ("balanced_sample", "small groups dropped", large_groups, 3),
    ("balanced_sample", "at least one", lambda labels, n: solutions.balanced_sample(labels, max(1, n)), 4),
    ("grounded", "the grounded names", lambda slots, text: sorted(k for k, v in slots.items() if v and v in text), 1),
    ("grounded", "values, not names", lambda slots, text: sorted(v for v in slots.values() if v and v not in text), 1),
    ("grounded", "only single words", lambda slots, text: sorted(k for k, v in slots.items() if v and v not in text.split()), 2),
    ("grounded", "None looked up", lambda slots, text: sorted(k for k, v in slots.items() if v not in text), 3),
    ("grounded", "None as text", lambda slots, text: sorted(k for k, v in slots.items() if str(v) not in text), 3),
    ("grounded", "not sorted", lambda slots, text: [k for k, v in slots.items() if v and v not in text], 4),
    ("grounded", "case ignored", lambda slots, text: sorted(k for k, v in slots.items() if v and v.lower() not in text.lower()), 5),
    ("majority", "count, not share", lambda samples: most(samples, lambda s: max(s, key=s.count), lambda count, n: count), 1),
    ("majority", "share in per cent", lambda samples: most(samples, lambda s: max(s, key=s.count), lambda count, n: 100 * count / n), 1),
    ("majority", "the label alone", lambda samples: max(samples, key=samples.count), 1),
    ("majority", "the first sample", lambda samples: most(samples, lambda s: s[0]), 2),
    ("majority", "ties in alphabetical order", lambda samples: most(samples, lambda s: max(sorted(s), key=s.count)), 3),
    ("majority", "ties to the last seen", lambda samples: most(samples, lambda s: max(s[::-1], key=s.count)), 3),
    ("majority", "ties to the first that reaches the count", lambda samples: most(samples, first_to_reach), 4),
    ("majority", "ties in the order of a set", lambda samples: most(samples, lambda s: max(sorted(set(s), key=str), key=s.count)), 3),
    ("majority", "empty list", lambda samples: (mode(samples), samples.count(mode(samples)) / len(samples)), 5),
    ("majority", "empty list gives NaN", lambda samples: solutions.majority(samples) if samples else (None, float("nan")), 5),
    ("completion_labels", "prompt not masked", lambda p, c: p + c, 1),
    ("completion_labels", "all masked", lambda p, c: [-100] * (len(p) + len(c)), 1),
    ("completion_labels", "prompt dropped", lambda p, c: list(c), 1),
    ("completion_labels", "completion masked instead", lambda p, c: p + [-100] * len(c), 1),
    ("completion_labels", "masked with 0", lambda p, c: [0] * len(p) + c, 1),
    ("completion_labels", "shifted by one", lambda p, c: [-100] * (len(p) - 1) + c + [-100], 1),
    ("completion_labels", "one label too many", lambda p, c: [-100] * len(p) + c + [c[-1] if c else -100], 1),
    ("completion_labels", "masked by value", lambda p, c: [-100 if token in p else token for token in p + c], 2),
    ("completion_labels", "zeros masked", lambda p, c: [-100] * len(p) + [token or -100 for token in c], 3),
    ("completion_labels", "first token always masked", lambda p, c: [-100] * max(1, len(p)) + c[0 if p else 1 :], 4),
    ("kl_divergence", "reversed", lambda t, s: solutions.kl_divergence(s, t), 1),
    ("kl_divergence", "cross-entropy", lambda t, s: -(t.softmax(-1) * s.log_softmax(-1)).sum(-1), 1),
    ("kl_divergence", "mean over the vocabulary", lambda t, s: kl_terms(t, s).mean(-1), 1),
    ("kl_divergence", "over the positions", lambda t, s: kl_terms(t, s).sum(0), 1),
    ("kl_divergence", "one number for all", lambda t, s: kl_terms(t, s).sum(-1).mean(), 1),
    ("kl_divergence", "one number for all, kept as an axis", lambda t, s: kl_terms(t, s).sum(-1).mean(0, keepdim=True), 2),
    ("kl_divergence", "in bits", lambda t, s: kl_terms(t, s).sum(-1) / math.log(2), 1),
    ("kl_divergence", "softmax over the positions", lambda t, s: (t.softmax(0) * (t.log_softmax(0) - s.log_softmax(0))).sum(-1), 1),
    ("kl_divergence", "logits taken for log-probabilities", lambda t, s: (t.exp() * (t - s)).sum(-1), 2),
    ("kl_divergence", "exp overflows", naive_kl, 4),
    ("kl_divergence", "log of a softmax", softmax_then_log, 5),
    ("kl_divergence", "a small number added", lambda t, s: softmax_then_log(t, s, 1e-8), 5),
    ("bootstrap_interval", "without replacement", boot(lambda rng, v, n: np.stack([rng.permutation(v) for _ in range(n)])), 1),
    ("bootstrap_interval", "percentiles of the values", lambda v, n, seed: tuple(np.percentile(v, [2.5, 97.5])), 1),
    ("bootstrap_interval", "90% interval", boot(ends=(5, 95)), 1),
    ("bootstrap_interval", "one-sided ends", boot(ends=(0, 95)), 1),
    ("bootstrap_interval", "ends swapped", boot(ends=(97.5, 2.5)), 1),
    ("bootstrap_interval", "mean over the wrong axis", boot(axis=0), 1),
    ("bootstrap_interval", "resamples of half the size", boot(lambda rng, v, n: rng.choice(v, (n, len(v) // 2))), 1),
    ("bootstrap_interval", "three numbers", lambda v, n, seed: (v.mean(), *boot()(v, n, seed)), 1),
    ("bootstrap_interval", "not seeded", boot(generator=lambda seed: np.random.default_rng()), 2),
    ("bootstrap_interval", "seed ignored", boot(generator=lambda seed: np.random.default_rng(0)), 2),
    ("bootstrap_interval", "the global generator", legacy_generator, 2),
    ("bootstrap_interval", "the legacy generator", boot(generator=np.random.RandomState), 2),
    ("bootstrap_interval", "no resampling", normal_approximation, 2),
    ("bootstrap_interval", "always 60 draws", boot(lambda rng, v, n: rng.choice(v, (n, 400 if len(v) == 400 else 60))), 3),
    ("bootstrap_interval", "symmetric, not percentiles", normal_from_resamples, 4),
    ("cost_per_thousand", "price of a minute", lambda price, speed: price / 60 / speed * 1000, 1),
    ("cost_per_thousand", "one answer", lambda price, speed: price / 3600 / speed, 1),
    ("cost_per_thousand", "speed on the wrong side", lambda price, speed: price / 3600 * speed * 1000, 2),
    ("cost_per_thousand", "rounded to cents", lambda price, speed: round(price / 3.6 / speed, 2), 2),
    ("cost_per_thousand", "whole answers a second", lambda price, speed: price / 3.6 / max(1, int(speed + 0.5)), 2),
    ("rare_labels", "the frequent ones", lambda labels, least: sorted({x for x in labels if x and labels.count(x) >= least}), 1),
    ("rare_labels", "one for each row", lambda labels, least: sorted(x for x in labels if x and labels.count(x) < least), 3),
    ("rare_labels", "as many as asked for", lambda labels, least: sorted({x for x in labels if x and labels.count(x) <= least}), 2),
    ("rare_labels", "no label counted", lambda labels, least: sorted({x for x in labels if labels.count(x) < least}), 3),
    ("rare_labels", "not sorted", lambda labels, least: [x for x in dict.fromkeys(labels) if x and labels.count(x) < least], 4),
    ("margin", "standard error", lambda p, n: (p * (1 - p) / n) ** 0.5, 1),
    ("margin", "whole width", lambda p, n: 2 * solutions.margin(p, n), 1),
    ("margin", "90% interval", lambda p, n: 1.645 * (p * (1 - p) / n) ** 0.5, 1),
    ("margin", "root of the messages forgotten", lambda p, n: 1.96 * (p * (1 - p)) ** 0.5 / n, 1),
    ("margin", "always the worst case", lambda p, n: 1.96 * (0.25 / n) ** 0.5, 1),
    ("margin", "rounded", lambda p, n: round(solutions.margin(p, n), 3), 1),
    ("suspects", "most probable first", lambda p, k: sorted(range(len(p)), key=lambda i: -p[i])[:k], 1),
    ("suspects", "values, not positions", lambda p, k: sorted(p)[:k], 1),
    ("suspects", "in the order of the rows", lambda p, k: sorted(solutions.suspects(p, k)), 1),
    ("suspects", "of equals the later first", lambda p, k: sorted(range(len(p)), key=lambda i: (p[i], -i))[:k], 2),
    ("suspects", "at least one", lambda p, k: solutions.suspects(p, max(1, k)), 3),
    ("answers_for", "straight on a plain scale", lambda a, s, v: float(np.interp(a, v, s)), 1),
    ("answers_for", "axes swapped", lambda a, s, v: float(np.interp(a, s, v)), 1),
    ("answers_for", "the logarithm left", lambda a, s, v: float(np.interp(a, v, np.log(s))), 1),
    ("answers_for", "the next point", lambda a, s, v: next((float(x) for x, y in zip(s, v) if y >= a), math.inf), 1),
    ("answers_for", "the first size below the curve", lambda a, s, v: max(s[0], solutions.answers_for(a, s, v)), 5),
    ("answers_for", "the ends go on", lambda a, s, v: float(np.exp(np.interp(a, v, np.log(s)))), 4),
]


def wrong_answer(name: str, wrong: str):
    """The answer to an exercise that is wrong in this way, and the number of the first case that it fails."""
    return next((answer, number) for exercise, what, answer, number in WRONG if (exercise, what) == (name, wrong))
