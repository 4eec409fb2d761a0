"""Compiling ahead, so that the first training does not wait."""

from __future__ import annotations

import time

import numpy as np

from fastmlp.engine.inference import forward, prepared, score
from fastmlp.engine.inputs import Samples
from fastmlp.engine.training import FitOptions, Trainee, fit
from fastmlp.engine.weights import Weights

__all__ = ["warm_up"]


def warm_up(hidden_size: int) -> float:
    """Compile every kernel that a net of this hidden size needs, and return the seconds that it took.

    Where compiled kernels can be kept on disk, later processes load them.
    """
    start = time.perf_counter()
    weights = Weights(8, hidden_size, 2)
    trainee = Trainee(weights, np.random.default_rng(0), lambda: 0.1, 1)
    for X in (np.ones((1, 8), np.float32), np.zeros((1, 8), np.float32)):  # dense and sparse
        samples = Samples(X, np.zeros(1, np.int64))
        fit(trainee, samples, FitOptions(batch_size=1, number_epochs=1, shuffle=True, callback=None))
        inputs = prepared(weights, X, 1)
        forward(weights, inputs, 1, 1)
        score(weights, inputs, samples.y, 1)
    return time.perf_counter() - start
