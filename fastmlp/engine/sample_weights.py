"""How much each sample counts, as people hand it in."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Float32Array
from fastmlp.engine.inputs import as_inputs
from fastmlp.errors import InvalidValueError

__all__ = ["as_sample_weights"]


def as_sample_weights(name: str, value: ArrayLike | None, n: int) -> Float32Array | None:
    """Return weights (n,) float32, None where there are none and each sample counts as 1.

    Raises TypeError or ValueError for weights that are missing, below 0, too few, or all 0.

    >>> as_sample_weights("sample_weight", [1, 0.5], 2)
    array([1. , 0.5], dtype=float32)
    """
    if value is None:
        return None
    weights = as_inputs(name, value, ndim=1)
    if len(weights) != n:
        raise InvalidValueError(f"{name} has {len(weights)} weights for {n} samples")
    wrong = ~(np.isfinite(weights) & (weights >= 0))
    if wrong.any():
        row = int(wrong.argmax())
        raise InvalidValueError(
            f"{name} has {weights[row]:g} in row {row} (from 0); each must be finite, and 0 or more"
        )
    if not weights.any():
        raise InvalidValueError(f"{name} is 0 for every sample: at least one must count")
    return weights
