"""Names of the array types that stand in signatures, and a question that is asked of arrays everywhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BoolArray",
    "Float32Array",
    "Float64Array",
    "Int64Array",
    "Labels",
    "SparseMatrix",
    "UInt8Array",
    "all_finite",
]

_AT_ONCE = 1 << 16  # numbers, which stay in a cache

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Labels = NDArray[np.integer]
SparseMatrix = Any  # of scipy.sparse, which has no types
UInt8Array = NDArray[np.uint8]


def all_finite(array: NDArray[Any]) -> bool:
    """Whether no value of a real array is NaN or infinite, in little memory.

    >>> all_finite(np.array([1.0, np.nan]))
    False
    """
    pieces = np.nditer(array, ["external_loop", "buffered", "zerosize_ok"], buffersize=_AT_ONCE)
    return all(np.isfinite(piece).all() for piece in pieces)
