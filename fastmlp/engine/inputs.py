"""The door: what people hand in, turned into the few types that the kernels take, or refused in one sentence."""

from __future__ import annotations

from typing import Any, NamedTuple, NoReturn, TypeGuard

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels.packing import nonzeros_by_row

__all__ = [
    "Samples",
    "as_inputs",
    "as_labels",
    "as_rows",
    "as_samples",
    "count_nonzeros",
    "refuse_unusable",
]


def _as_array(name: str, value: ArrayLike) -> NDArray[Any]:
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidValueError(f"{name} has masked values; fill or remove them")
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidValueError(f"{name} is no array of numbers: its rows have different lengths") from None
    if array.dtype.kind not in "fiub":
        raise InvalidTypeError(f"{name} has dtype {array.dtype}; it must hold real numbers")
    return array


def as_inputs(name: str, value: ArrayLike, ndim: int) -> Float32Array:
    """Return `value` as a C-contiguous float32 array that Numba types in one way, copied only where needed.

    Raises TypeError for a dtype that cannot be numbers, ValueError for another number of dimensions or no elements.

    >>> as_inputs("X", [[1, 2]], ndim=2).dtype
    dtype('float32')
    """
    if _is_ready(value, ndim):  # what is left to do here takes longer than a forward pass of one row
        return value
    array = _as_array(name, value)
    if array.ndim != ndim:
        hint = "; one sample is X[None, :]" if ndim == 2 and array.ndim == 1 else ""
        raise InvalidValueError(f"{name} has {array.ndim} dimensions; it must have {ndim}{hint}")
    if array.size == 0:
        raise InvalidValueError(f"{name} is empty, of shape {array.shape}")
    with np.errstate(over="ignore"):  # beyond float32 becomes infinite, and is refused as such
        array = np.require(array, np.float32, ["C", "A"])
    return _writable_view(array)


def _is_ready(value: ArrayLike, ndim: int) -> TypeGuard[Float32Array]:
    """Whether `value` is, as it stands, what `as_inputs` returns."""
    return (
        type(value) is np.ndarray
        and value.dtype == np.float32
        and value.ndim == ndim
        and value.size > 0
        and value.flags.carray  # C-contiguous, aligned and writable
    )


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


def as_labels(name: str, value: ArrayLike, n: int, n_classes: int) -> Int64Array:
    """Return labels (n,) int64 from labels (n,) or one-hot rows (n, C).

    Raises TypeError or ValueError for labels that are missing, fractional, negative, too large or too few.

    >>> as_labels("Y", [[0, 1], [1, 0]], 2, 2)
    array([1, 0])
    """
    array = _as_array(name, value)
    if len(array.shape) == 0 or len(array) != n:
        length = len(array) if array.ndim else "no"
        raise InvalidValueError(f"{name} has {length} labels for {n} samples")
    if array.ndim == 2:
        if array.shape[1] != n_classes:
            raise InvalidValueError(
                f"{name} has shape {array.shape}; labels are of shape ({n},), one-hot rows of shape ({n}, {n_classes})"
            )
        if not (((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()):
            raise InvalidValueError(f"{name} is not one-hot: each row must hold one 1 and otherwise 0")
        array = array.argmax(axis=1)
    elif array.ndim != 1:
        raise InvalidValueError(f"{name} has {array.ndim} dimensions; labels have 1, one-hot rows 2")
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InvalidValueError(f"{name} has missing labels (NaN or infinity)")
        if (array != np.floor(array)).any():
            raise InvalidValueError(f"{name} has fractional labels; they must be whole numbers")
    if array.min() < 0 or array.max() >= n_classes:
        worst = array.min() if array.min() < 0 else array.max()
        raise InvalidValueError(
            f"{name} has the label {worst:g}; labels run from 0 to {n_classes - 1} (output_size={n_classes})"
        )
    return np.ascontiguousarray(array, np.int64)


class Samples(NamedTuple):
    """Inputs X (n, D) float32 and their labels y (n,) int64, 0 to C - 1."""

    X: Float32Array
    y: Int64Array


def as_rows(name: str, X: ArrayLike, input_size: int) -> Float32Array:
    """Return X (n, D) as the kernels take it; raises InvalidValueError for another number of columns than the net's."""
    array = as_inputs(name, X, ndim=2)
    if array.shape[1] != input_size:
        raise InvalidValueError(f"{name} has {array.shape[1]} columns; this net has input_size={input_size}")
    return array


def as_samples(X: ArrayLike, Y: ArrayLike, input_size: int, output_size: int, part: str = "") -> Samples:
    """Return X (n, D) and Y, labels (n,) or one-hot (n, C), as samples; `part` stands before their names in messages.

    Raises InvalidValueError or InvalidTypeError for what does not fit a net of these sizes.
    """
    array = as_rows(f"{part}X", X, input_size)
    return Samples(array, as_labels(f"{part}Y", Y, len(array), output_size))


def count_nonzeros(X: Float32Array, n_threads: int, name: str = "X") -> Int64Array:
    """Return the nonzeros of each row of X (n, D). Raises InvalidValueError for NaN or infinity."""
    counts, unusable = nonzeros_by_row(X, n_threads)
    if unusable:
        refuse_unusable(name, X)
    return counts


def refuse_unusable(name: str, X: Float32Array) -> NoReturn:
    """Raise the InvalidValueError for X (n, D), which holds NaN or infinity."""
    counts = np.count_nonzero(~np.isfinite(X), axis=1)
    raise InvalidValueError(
        f"{name} holds {counts.sum()} values that are NaN or infinite, "
        f"the first in row {np.flatnonzero(counts)[0]}: replace them"
    )
