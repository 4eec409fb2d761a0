"""Rows held back for testing, where a dataset has no test set of its own."""

from __future__ import annotations

import warnings

import numpy as np

from fastmlp.arrays import Int64Array

__all__ = ["DEFAULT_TEST_FRACTION", "split"]

DEFAULT_TEST_FRACTION = 1 / 7
"""As large a part as MNIST's."""


def split(y: Int64Array, fraction: float, seed: int) -> tuple[Int64Array, Int64Array]:
    """Return the rows (n_train,) and (n_test,) of a training and a test set, each class divided by `fraction`.

    Each class gives the whole rows of its share; those still missing come from the classes that were rounded down most.
    A class keeps at least one row for training; where no class has a second one, both parts are all rows, with a
    UserWarning. The same seed holds back the same rows.

    >>> split(np.array([0, 1, 0, 1, 0, 1]), 1 / 3, seed=0)
    (array([0, 1, 4, 5]), array([2, 3]))
    """
    counts = np.bincount(y)
    shares = counts * fraction
    taken = np.minimum(np.floor(shares).astype(np.int64), np.maximum(counts - 1, 0))
    missing = max(1, round(len(y) * fraction)) - int(taken.sum())
    for k in np.argsort(taken - shares, kind="stable"):
        if missing > 0 and taken[k] + 1 < counts[k]:
            taken[k] += 1
            missing -= 1
    if taken.sum() == 0:
        warnings.warn(
            "no class has a second row that could be held back: the test set is the training set",
            UserWarning,
            stacklevel=3,
        )
        return np.arange(len(y)), np.arange(len(y))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    rank = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    held_back = rank < np.repeat(taken, counts)
    return np.sort(by_class[~held_back]), np.sort(by_class[held_back])
