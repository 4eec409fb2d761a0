"""Rows held back for testing, where a dataset has no test set of its own, and for validation."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.dataset import Dataset
from fastmlp.errors import InvalidValueError

__all__ = ["DEFAULT_TEST_FRACTION", "hold_back", "split"]

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
        warn_caller("no class has a second row that could be held back: the test set is the training set")
        return np.arange(len(y)), np.arange(len(y))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    rank = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    held_back = rank < np.repeat(taken, counts)
    return np.sort(by_class[~held_back]), np.sort(by_class[held_back])


def hold_back(data: Dataset, fraction: float) -> tuple[Dataset, tuple[Float32Array, Int64Array]]:
    """Return the data without a part of each class of its training set, and that part, inputs and labels.

    The same data always gives the same part. Raises InvalidValueError where no class has a second sample to spare.

    >>> x, y = np.eye(6, dtype=np.float32), np.array([0, 1, 0, 1, 0, 1])
    >>> rest, (held_x, held_y) = hold_back(Dataset(x, y, x, y, "tiny"), 1 / 3)
    >>> rest.y_train, held_y, len(rest.y_test)
    (array([0, 1, 0, 1]), array([0, 1]), 6)
    """
    if np.bincount(data.y_train).max() < 2:
        raise InvalidValueError(f"no class of {data.name} has a second training sample to hold back for validation")
    kept, held = split(data.y_train, fraction, seed=0)
    rest = data._replace(x_train=data.x_train[kept], y_train=data.y_train[kept])
    return rest, (data.x_train[held], data.y_train[held])
