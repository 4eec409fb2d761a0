"""Compiling ahead, so that the first training does not wait."""

from __future__ import annotations

import time

import numpy as np

from fastmlp.engine.inference import score
from fastmlp.engine.inputs import Samples
from fastmlp.engine.optimizers import SGD
from fastmlp.engine.packed import compile_training
from fastmlp.engine.weights import Weights
from fastmlp.kernels.hidden import FORMS

__all__ = ["warm_up"]

_INPUTS = 64
_ROWS = 16  # so many that a forward pass looks whether their zeros are worth skipping


def warm_up(hidden_size: int) -> float:
    """Compile every kernel that a net of this hidden size needs, and return the seconds that it took.

    Where compiled kernels can be kept on disk, later processes load them.
    """
    start = time.perf_counter()
    weights = Weights(_INPUTS, hidden_size, 2)
    for form in FORMS:
        compile_training(weights.lanes, form, SGD())
    for value in (0, 1):  # rows of zeros, which are skipped, and rows without any
        score(weights, Samples(np.full((_ROWS, _INPUTS), value, np.float32), np.zeros(_ROWS, np.int64)), 1)
    return time.perf_counter() - start
