"""Judges of an exercise whose result is drawn at random: a bootstrap interval is right within its own random error."""

from unittest import mock

import numpy as np

SCORES = np.random.default_rng(3).normal(5.0, 2.0, 400)
PAIR = "two numbers, low and high"


def _is_pair(result) -> bool:
    return isinstance(result, list) and len(result) == 2 and all(isinstance(end, (int, float)) for end in result)


def near_normal(result, again) -> str:
    """The ends lie where the central limit theorem puts them. Their own random error is 2% of half the width (5,000 resamples), a 90%
    interval lies 16% off: 8% separates the two."""
    if not _is_pair(result):
        return PAIR
    mean, half = SCORES.mean(), 1.96 * SCORES.std() / np.sqrt(len(SCORES))
    if not result[0] < mean < result[1]:
        return f"low < mean < high, with the mean of the values {mean:.4f}"
    wrong = max(abs(result[0] - (mean - half)), abs(result[1] - (mean + half))) > 0.08 * half
    return f"about ({mean - half:.2f}, {mean + half:.2f}), where 95% of the resampled means lie" if wrong else ""


def follows_seed(result, again) -> str:
    if not _is_pair(result):
        return PAIR
    if again(SCORES[:60], 500, 7) != result:
        return "the same interval for the same seed"
    with mock.patch.object(np.random, "default_rng", wraps=np.random.default_rng) as generator:
        other = again(SCORES[:60], 500, 8)
    if other == result:
        return "a slightly different interval for another seed, because the resamples are others"
    return "" if generator.called else "random numbers from np.random.default_rng(seed), called by this name"


def narrows(result, again) -> str:
    """Nine times the values: a third of the width, up to a few per cent by chance."""
    more = again(np.tile(SCORES[:40], 9), 1000, 0)
    if not (_is_pair(result) and _is_pair(more)):
        return PAIR
    share = (more[1] - more[0]) / max(result[1] - result[0], 1e-12)
    return "" if 0.25 < share < 0.42 else f"with each value nine times over, an interval about 0.33 times as wide (it is {share:.2f} times)"


def stays_inside(result, again) -> str:
    """1 right answer of 20: a resample holds 0 to 3 of it in 98% of draws, so the percentiles are 0.00 and 0.15."""
    if not _is_pair(result):
        return PAIR
    right = abs(result[0]) < 1e-9 and abs(result[1] - 0.15) < 1e-9
    return "" if right else "(0.0, 0.15): percentiles of the resampled means, which cannot lie below the smallest value"
