"""Names of the array types that stand in signatures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoolArray", "Float32Array", "Float64Array", "Int64Array", "Labels", "SparseMatrix", "UInt8Array"]

BoolArray = NDArray[np.bool_]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]
Int64Array = NDArray[np.int64]
Labels = NDArray[np.integer]
SparseMatrix = Any  # of scipy.sparse, which has no types
UInt8Array = NDArray[np.uint8]
