"""The door: what people hand in, turned into the few types that the kernels take, or refused in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, NoReturn, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.frames import is_frame, rows_of_frame
from fastmlp.engine.parts import Parts
from fastmlp.engine.plain import as_array, as_float32
from fastmlp.engine.sparse_inputs import SparseInputs, as_sparse_inputs, is_sparse
from fastmlp.errors import InvalidValueError
from fastmlp.kernels.packing import nonzeros_by_row

__all__ = ["Samples", "as_inputs", "as_rows", "as_triple", "count_nonzeros", "refuse_unusable"]


Rows = Float32Array | SparseInputs
"""Inputs X (n, D)."""


class Samples(NamedTuple):
    """Inputs X (n, D) float32, their labels y (n,) int64, 0 to C - 1, and weights (n,), None where each counts as 1."""

    X: Rows
    y: Int64Array
    weights: Float32Array | None = None

    @property
    def n_samples(self) -> int:
        """How many samples there are."""
        return len(self.y)


def as_inputs(name: str, value: ArrayLike, ndim: int) -> Float32Array:
    """Return `value` as a C-contiguous float32 array that Numba types in one way, copied only where needed.

    Raises TypeError for what cannot be numbers, ValueError for another number of dimensions, no elements, and numbers
    too large for float32.

    >>> as_inputs("X", [[1, 2]], ndim=2).dtype
    dtype('float32')
    """
    if _is_ready(value, ndim):  # what is left to do here takes longer than a forward pass of one row
        return value
    array = as_array(name, value)
    if array.ndim != ndim:
        hint = "; one sample is X[None, :]" if ndim == 2 and array.ndim == 1 else ""
        raise InvalidValueError(f"{name} has {array.ndim} dimensions; it must have {ndim}{hint}")
    if array.size == 0:
        raise InvalidValueError(f"{name} is empty, of shape {array.shape}")
    return _writable_view(as_float32(name, array))


def as_rows(name: str, X: ArrayLike, input_size: int, feature_names: Sequence[str] | None = None) -> Rows:
    """Return X as the rows (n, D) that the kernels take, for a net whose inputs have these names.

    X is an array, images (n, h, w) with or without an axis of length 1 for the channel, a sparse matrix or array of
    SciPy, or a frame of pandas, polars or Arrow, whose columns are put in the order of `feature_names` where both have
    names. Raises InvalidValueError or InvalidTypeError for what does not fit.

    >>> as_rows("X", np.zeros((5, 2, 3)), 6).shape
    (5, 6)
    """
    if _is_ready(X, 2):
        array = X
    elif is_sparse(X):
        return as_sparse_inputs(name, X, input_size)
    elif is_frame(X):
        array = as_inputs(name, rows_of_frame(name, X, feature_names), ndim=2)
    else:
        array = as_inputs(name, _images_as_rows(name, as_array(name, X), input_size), ndim=2)
    if array.shape[1] != input_size:
        hint = "; one image is X[None]" if array.size == input_size and min(array.shape) > 1 else ""
        raise InvalidValueError(f"{name} has {array.shape[1]} columns; this net has input_size={input_size}{hint}")
    return array


def as_triple(name: str, value: Any) -> tuple[Any, ArrayLike | None, ArrayLike | None]:
    """Return (X, Y, weights), None for what is not there; raises InvalidValueError for what is none."""
    if isinstance(value, Parts):
        return value, None, None
    if not isinstance(value, (tuple, list)) or len(value) not in (2, 3):
        raise InvalidValueError(f"{name} must be a pair (X, Y), or (X, Y, weights)")
    X, Y, *weights = value
    return X, Y, weights[0] if weights else None


def count_nonzeros(X: Rows, n_threads: int, name: str = "X") -> Int64Array:
    """Return the nonzeros of each row of X (n, D). Raises InvalidValueError for NaN or infinity."""
    if isinstance(X, SparseInputs):
        return X.counts
    counts, unusable = nonzeros_by_row(X, n_threads)
    if unusable:
        refuse_unusable(name, X)
    return counts


def refuse_unusable(name: str, X: Float32Array) -> NoReturn:
    """Raise the InvalidValueError for X (n, D), which holds NaN or infinity."""
    unusable = ~np.isfinite(X)
    row, column = np.unravel_index(int(unusable.argmax()), unusable.shape)
    raise InvalidValueError(
        f"{name} holds {np.count_nonzero(unusable)} values that are NaN or infinite, "
        f"the first in row {row}, column {column} (from 0): replace them"
    )


def _is_ready(value: ArrayLike, ndim: int) -> TypeGuard[Float32Array]:
    """Whether `value` is, as it stands, what `as_inputs` returns."""
    return (
        type(value) is np.ndarray
        and value.dtype == np.float32
        and value.ndim == ndim
        and value.size > 0
        and value.flags.carray  # C-contiguous, aligned and writable
    )


def _images_as_rows(name: str, array: NDArray[Any], input_size: int) -> NDArray[Any]:
    """Return images of one channel, (n, h, w), (n, h, w, 1) or (n, 1, h, w), as rows; any other array as it is."""
    shape = array.shape
    if array.ndim not in (3, 4) or array.size == 0:
        return array
    if math.prod(shape) == input_size and shape[0] != 1:
        raise InvalidValueError(f"{name} has the shape {shape}, which is one image: a batch of it is X[None]")
    if math.prod(shape[1:]) != input_size:
        raise InvalidValueError(
            f"{name} has the shape {shape}, which is {math.prod(shape[1:])} numbers per sample; "
            f"this net has input_size={input_size}"
        )
    if array.ndim == 4 and 1 not in (shape[1], shape[3]):
        raise InvalidValueError(
            f"{name} has the shape {shape}, images of several channels: make rows of them with X.reshape(len(X), -1), "
            "always in the same order"
        )
    return array.reshape(len(array), -1)


class _Memory:
    """The memory of an array, offered to NumPy as writable."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._keep = array
        pointer, _ = array.__array_interface__["data"]
        self.__array_interface__ = {**array.__array_interface__, "data": (pointer, False)}


def _writable_view(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only array (a memory map, say) is another type to Numba and would compile every kernel again.

    Kernels never write to their inputs, so they may see it as an ordinary one.
    """
    return array.view(np.ndarray) if array.flags.writeable else np.asarray(_Memory(array))
