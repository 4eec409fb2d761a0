"""Samples that were read, whatever their shape and type, as the float32 rows that a net takes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, all_finite
from fastmlp.errors import DataError

__all__ = ["as_rows"]


def as_rows(array: NDArray[Any], name: str, *, check: bool = True) -> Float32Array:
    """Return samples (n, D) or (n, h, w) as rows (n, D) of finite float32 numbers that can be changed in place.

    Only what is not in this form already is copied. Raises DataError where the samples are not real, finite numbers of
    such a shape; `name` is what the message calls them. Without `check` they may be NaN or infinite.

    >>> as_rows(np.zeros((5, 2, 3), np.uint8), "X").shape
    (5, 6)
    """
    if array.ndim < 2:
        raise DataError(f"{name} has the shape {array.shape}; it must be (samples, inputs) or (samples, height, width)")
    if array.size == 0:
        raise DataError(f"{name} is empty, its shape is {array.shape}")
    if array.dtype.kind not in "buif":
        raise DataError(f"{name} holds {array.dtype}, not real numbers")
    flat = array.reshape(len(array), -1)
    with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
        X = np.require(flat, np.float32, ["C", "W"])
    if check and not all_finite(X):
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise DataError(
            f"{name} has {flat[row, column]} in row {row}, column {column} (from 0); "
            "inputs must be finite float32 numbers"
        )
    return X
