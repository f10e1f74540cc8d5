"""Reference solutions of the exercises: plain functions, one an exercise, each complete enough to stand in a notebook cell."""

import numpy as np
import torch


def student_parameters(layers, vocabulary, hidden=576, intermediate=1536, heads=9, kv_heads=3):
    """Number of parameters of a Llama model whose input and output embeddings are tied (the defaults are SmolLM2-135M's widths)."""
    attention = 2 * hidden * hidden + 2 * hidden * (hidden // heads * kv_heads)
    feed_forward = 3 * hidden * intermediate
    norms = 2 * hidden
    return vocabulary * hidden + layers * (attention + feed_forward + norms) + hidden


def training_minutes(examples, epochs, tokens_per_example, tokens_per_second):
    """Minutes that a training takes at the given speed."""
    return examples * epochs * tokens_per_example / tokens_per_second / 60


def find_duplicates(texts):
    """Index pairs (i, j): text j equals the earlier text i, its first match, apart from case, numbers and white space."""
    import re

    first, pairs = {}, []
    for j, text in enumerate(texts):
        key = " ".join(re.sub(r"\d+", "#", text.lower()).split())
        if key in first:
            pairs.append((first[key], j))
        else:
            first[key] = j
    return pairs


def balanced_sample(labels, per_label):
    """Ascending indices of the first `per_label` items of each label."""
    counts, chosen = {}, []
    for index, label in enumerate(labels):
        if counts.get(label, 0) < per_label:
            chosen.append(index)
            counts[label] = counts.get(label, 0) + 1
    return chosen


def grounded(slots, text):
    """Sorted names of the slots that are filled with words which do not stand in the text."""
    return sorted(name for name, value in slots.items() if value is not None and value not in text)


def majority(samples):
    """(label, share) of the most frequent sample, the first seen among equals; (None, 0.0) without samples (Wang et al. 2022)."""
    from collections import Counter

    if not samples:
        return None, 0.0
    label, count = Counter(samples).most_common(1)[0]
    return label, count / len(samples)


def completion_labels(prompt_ids, completion_ids):
    """Training labels of prompt plus completion: -100, which the loss ignores, for each prompt token, then the completion's ids."""
    return [-100] * len(prompt_ids) + list(completion_ids)


def kl_divergence(teacher_logits, student_logits):
    """Forward KL(teacher || student) in nats at each position: logits (positions, vocabulary) to (positions,)."""
    teacher = torch.log_softmax(teacher_logits, dim=-1)
    student = torch.log_softmax(student_logits, dim=-1)
    return (teacher.exp() * (teacher - student)).sum(dim=-1)


def bootstrap_interval(values, resamples, seed):
    """(low, high) of the 95% percentile bootstrap interval of the mean (Efron 1979)."""
    rng, values = np.random.default_rng(seed), np.asarray(values, dtype=float)
    means = [rng.choice(values, size=len(values)).mean() for _ in range(resamples)]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def cost_per_thousand(price_per_hour, answers_per_second):
    """Cost of 1,000 answers, in the currency of the price."""
    return price_per_hour / 3600 / answers_per_second * 1000


def rare_labels(labels, least):
    """Sorted names of the labels with fewer than `least` examples; "" is no label."""
    from collections import Counter

    return sorted(label for label, count in Counter(labels).items() if label and count < least)


def margin(accuracy, messages):
    """Half the width of the 95% interval of an accuracy, by the normal approximation of the binomial."""
    return 1.96 * (accuracy * (1 - accuracy) / messages) ** 0.5


def suspects(probabilities, k):
    """Positions of the k least probable labels, least probable first, of equals the earlier (after Northcutt et al. 2021)."""
    return sorted(range(len(probabilities)), key=lambda place: probabilities[place])[:k]


def answers_for(accuracy, sizes, accuracies):
    """Size at which a rising curve reaches an accuracy, straight on a logarithmic scale; 0 below the curve, infinity above it."""
    if accuracy < accuracies[0]:
        return 0.0
    if accuracy > accuracies[-1]:
        return float("inf")
    return float(np.exp(np.interp(accuracy, accuracies, np.log(sizes))))


REFERENCES = {
    function.__name__: function
    for function in (
        student_parameters, training_minutes, find_duplicates, balanced_sample, grounded,
        majority, completion_labels, kl_divergence, bootstrap_interval, cost_per_thousand, rare_labels, margin, suspects, answers_for,
    )
}
