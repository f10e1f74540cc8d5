"""Find what spoils a corpus: duplicates, leakage into the test set, imbalance, low diversity."""

import re
from collections import Counter, defaultdict

import pandas as pd

from .data import Example

NEAR = 0.6  # share of common word pairs from which two messages count as near duplicates


def words(text: str) -> list[str]:
    """Lowercase words; numbers become `#`, so that another order number does not hide a copy."""
    return re.findall(r"(?:[^\W_]|')+|#", re.sub(r"\d+", "#", text.lower()))


def ngrams(text: str, n: int) -> set[tuple[str, ...]]:
    """The distinct word n-grams of a text; of a shorter text, the whole of it."""
    tokens = words(text)
    return {tuple(tokens[i : i + n]) for i in range(max(1, len(tokens) - n + 1))}


def near_duplicates(examples: list[Example], others: list[Example] | None = None, threshold: float = NEAR) -> list[tuple[str, str, float]]:
    """Pairs of ids whose word pairs overlap at least `threshold` (Jaccard), all of them, found through an index of the word pairs.

    Args:
        others: search these for near copies of `examples`; without it, search within `examples`.
    """
    within, others = others is None, examples if others is None else others
    grams, holders = [ngrams(example.text, 2) for example in examples], defaultdict(list)
    for place, mine in enumerate(grams):
        for gram in mine:
            holders[gram].append(place)
    pairs = []
    for number, other in enumerate(others):
        theirs = ngrams(other.text, 2)
        for place, common in Counter(place for gram in theirs for place in holders.get(gram, ())).items():
            overlap = common / (len(grams[place]) + len(theirs) - common)
            if overlap >= threshold and not (within and place >= number):
                pairs.append((examples[place].id, other.id, overlap))
    return pairs


def shared_ngrams(test: list[Example], training: list[Example], n: int = 6) -> dict[str, set[str]]:
    """Test ids that share a run of n words with training text, and the runs."""
    seen = set().union(*(ngrams(e.text, n) for e in training if len(words(e.text)) >= n)) if training else set()
    shared = defaultdict(set)
    for example in test:
        if len(words(example.text)) >= n:
            shared[example.id] = {" ".join(gram) for gram in ngrams(example.text, n) & seen}
    return {key: runs for key, runs in shared.items() if runs}


def openings(examples: list[Example], n: int = 3) -> Counter:
    """How often each first n words open a message."""
    return Counter(" ".join(words(example.text)[:n]) for example in examples)


def distinct(examples: list[Example], n: int = 2, sample: int = 2000) -> float:
    """Distinct-n (Li et al. 2016): different word n-grams per n-gram, over the first `sample` words so that sizes compare."""
    tokens = [word for example in examples for word in words(example.text)][:sample]
    grams = list(zip(*(tokens[i:] for i in range(n))))
    return len(set(grams)) / max(1, len(grams))


def balance(examples: list[Example]) -> pd.Series:
    """Examples per label, largest first."""
    return pd.Series(Counter(str(example.label) for example in examples)).sort_values(ascending=False)


def audit(corpus: dict[str, list[Example]]) -> pd.DataFrame:
    """One row a split: size, exact and near duplicates, contact with the test set, openings, length, diversity, balance."""
    rows = {}
    for split, examples in corpus.items():
        texts = Counter(" ".join(words(example.text)) for example in examples)
        counts = balance(examples)
        rows[split] = {
            "messages": len(examples),
            "exact duplicates": len(examples) - len(texts),
            "near duplicates": len(near_duplicates(examples)),
            "near copies of a test message": 0 if split == "test" else len(near_duplicates(corpus["test"], examples)),
            "test messages sharing 6 words": 0 if split == "test" else len(shared_ngrams(corpus["test"], examples)),
            "most common opening": openings(examples).most_common(1)[0][1] / len(examples),
            "words per message": sum(len(words(e.text)) for e in examples) / len(examples),
            "distinct-2": distinct(examples),
            "largest to smallest label": counts.max() / counts.min(),
        }
    return pd.DataFrame(rows).T
