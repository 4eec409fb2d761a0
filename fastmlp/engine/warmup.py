"""Compiling ahead, so that the first training does not wait."""

from __future__ import annotations

import time

import numpy as np

from fastmlp.engine.inference import score
from fastmlp.engine.inputs import Samples
from fastmlp.engine.training import FitOptions, Trainee, fit
from fastmlp.engine.weights import Weights

__all__ = ["warm_up"]

_INPUTS = 64  # so many that one pair of them is few
_ROWS = 16  # so many that a forward pass looks whether their zeros are worth skipping


def warm_up(hidden_size: int) -> float:
    """Compile every kernel that a net of this hidden size needs, and return the seconds that it took.

    Where compiled kernels can be kept on disk, later processes load them.
    """
    start = time.perf_counter()
    weights = Weights(_INPUTS, hidden_size, 2)
    trainee = Trainee(weights, np.random.default_rng(0), lambda: 0.1, 1)
    for nonzeros in (_INPUTS, 2, 0):  # the forms of input: dense rows, coded pairs, sparse rows
        X = (np.arange(_INPUTS) < nonzeros).astype(np.float32)[None]
        samples = Samples(X, np.zeros(1, np.int64))
        fit(trainee, samples, FitOptions(batch_size=1, number_epochs=1, shuffle=True, callback=None))
    for value in (0, 1):  # rows of zeros, which are skipped, and rows without any
        score(weights, np.full((_ROWS, _INPUTS), value, np.float32), np.zeros(_ROWS, np.int64), 1)
    return time.perf_counter() - start
