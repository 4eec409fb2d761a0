"""What a sparse matrix of SciPy is, and whether its indices point into it; needs neither SciPy nor Numba."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.errors import InvalidValueError

__all__ = ["check_structure", "is_sparse"]


def is_sparse(value: Any) -> bool:
    """Whether `value` is a sparse matrix or array of SciPy, which is not loaded for this."""
    return hasattr(value, "tocsr") and any(base.__module__.startswith("scipy.sparse") for base in type(value).__mro__)


def check_structure(name: str, matrix: Any) -> None:
    """Refuse indices that point outside of a sparse matrix of SciPy, which neither looks at them nor survives them.

    Raises InvalidValueError. Formats whose indices SciPy does look at pass.
    """
    if matrix.format == "coo":
        for indices, length, what in ((matrix.row, matrix.shape[0], "row"), (matrix.col, matrix.shape[1], "column")):
            _check_indices(name, indices, length, what)
        return
    if matrix.format not in ("csr", "csc", "bsr"):
        return
    blocks = matrix.blocksize if matrix.format == "bsr" else (1, 1)
    sizes = [(size // block, what) for size, block, what in zip(matrix.shape, blocks, ("row", "column"), strict=True)]
    (n_major, _), (n_minor, what) = sizes[::-1] if matrix.format == "csc" else sizes
    indptr, indices = matrix.indptr, matrix.indices
    if len(indptr) != n_major + 1 or indptr[0] != 0 or indptr[-1] > min(len(indices), len(matrix.data)):
        raise InvalidValueError(f"{name} is inconsistent: its indptr does not fit its indices and data")
    if (np.diff(indptr) < 0).any():
        raise InvalidValueError(f"{name} is inconsistent: its indptr falls")
    _check_indices(name, indices[: indptr[-1]], n_minor, what)


def _check_indices(name: str, indices: NDArray[Any], length: int, what: str) -> None:
    if len(indices) and not 0 <= indices.min() <= indices.max() < length:
        wrong = indices.min() if indices.min() < 0 else indices.max()
        raise InvalidValueError(f"{name} is inconsistent: it has the {what} index {wrong}, and {length} {what}s")
