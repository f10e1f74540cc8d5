"""The teacher's distributions on disk, so that all students and all runs share one pass of the teacher."""

import numpy as np

from .products import whole


def save(path, stored: dict) -> None:
    """All distributions in one file: long arrays of ids and log-probabilities, and where each text ends."""
    ids, logs = (np.concatenate([pair[side] for pair in stored.values()]) for side in (0, 1))
    ends = np.cumsum([len(pair[0]) for pair in stored.values()])
    with whole(path) as partial:
        np.savez(partial, texts=np.array(list(stored)), ends=ends, ids=ids, logs=logs)


def load(path) -> dict:
    """What `save` wrote, by text; empty when there is no file yet."""
    if not path.exists():
        return {}
    with np.load(path) as file:
        pieces = zip(np.split(file["ids"], file["ends"][:-1]), np.split(file["logs"], file["ends"][:-1]))
        return dict(zip(file["texts"].tolist(), pieces))
