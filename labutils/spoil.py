"""Spoil training rows on purpose, each in one way and at a known rate, to see what it does to a student and whether an audit finds it.

Every function takes a table with the columns prompt, completion and label, and returns one with as many rows, unless it says otherwise.
"""

import numpy as np
import pandas as pd


def duplicated(table: pd.DataFrame, share: float, seed: int = 0) -> pd.DataFrame:
    """`share` of the rows are replaced by copies of the others: the same number of rows, fewer different ones."""
    rng = np.random.default_rng(seed)
    kept = rng.permutation(len(table))[: max(1, round((1 - share) * len(table)))]
    copies = rng.choice(kept, len(table) - len(kept))
    return table.iloc[np.concatenate([kept, copies])].reset_index(drop=True)


def mislabelled(table: pd.DataFrame, share: float, seed: int = 0) -> pd.DataFrame:
    """`share` of the rows get another label, drawn from those of the other rows; the words of the reply stay.

    The completion must begin with the label, as those of `conversation` and `nli` do; and the student must learn from words, for the
    teacher's distribution before the label does not change with it. Rows without a label stay as they are.

    Raises:
        ValueError: fewer than two labels.
    """
    rng, table = np.random.default_rng(seed), table.reset_index(drop=True).copy()
    labels = sorted(set(table["label"]) - {""})
    if len(labels) < 2:
        raise ValueError("There is no second label to put in place of a right one.")
    places = rng.permutation(np.flatnonzero(table["label"] != ""))
    for place in places[: round(share * len(places))]:
        old = table.at[place, "label"]
        new = rng.choice([label for label in labels if label != old])
        table.at[place, "completion"] = table.at[place, "completion"].replace(old, new, 1)
        table.at[place, "label"] = new
    return table


def skewed(table: pd.DataFrame, share: float, seed: int = 0) -> pd.DataFrame:
    """Every second label (in alphabetical order) keeps only `1 - share` of its rows; fewer rows than before."""
    rng, labels = np.random.default_rng(seed), sorted(table["label"].unique())
    rare = table["label"].isin(labels[::2]).to_numpy()
    return table[~rare | (rng.random(len(table)) >= share)].reset_index(drop=True)


def narrowed(table: pd.DataFrame, share: float, size: int, seed: int = 0) -> pd.DataFrame:
    """`size` rows, drawn from the `1 - share` of each label's rows that speak most like their label's others.

    A message's score is the mean, over its words, of the share of its label's messages that hold the word.
    """
    scores = pd.Series(0.0, index=table.index)
    for _, group in table.groupby("label"):
        words = group["prompt"].str.lower().str.findall(r"\w+").map(set)
        frequency = words.explode().value_counts() / len(group)
        scores[group.index] = [frequency[list(found)].mean() for found in words]
    ranks = scores.groupby(table["label"]).rank(ascending=False, pct=True, method="first")
    usual = table[ranks <= 1 - share]
    return usual.sample(min(size, len(usual)), random_state=seed).reset_index(drop=True)
