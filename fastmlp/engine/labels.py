"""The door for labels: what people hand in, as class numbers from 0."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Int64Array
from fastmlp.engine.frames import is_frame, only_column
from fastmlp.engine.plain import as_any_array, as_array, kind_of
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["as_labels"]


def as_labels(name: str, value: ArrayLike | None, n: int, n_classes: int) -> Int64Array:
    """Return labels (n,) int64 from labels (n,) or (n, 1), or one-hot rows (n, C); booleans are 0 and 1.

    Raises TypeError or ValueError for labels that are text, missing, fractional, negative, too large or too few.

    >>> as_labels("Y", [[0, 1], [1, 0]], 2, 2)
    array([1, 0])
    """
    array = _one_per_row(name, _as_numbers(name, value), n, n_classes)
    if array.dtype.kind == "f":
        usable = np.isfinite(array)
        if not usable.all():
            raise InvalidValueError(
                f"{name} has {np.count_nonzero(~usable)} missing labels (NaN or infinity), the first in row "
                f"{int(usable.argmin())} (from 0): leave these samples out"
            )
        if (array != np.floor(array)).any():
            raise InvalidValueError(f"{name} has fractional labels; they must be whole numbers")
    if array.min() < 0 or array.max() >= n_classes:
        worst = array.min() if array.min() < 0 else array.max()
        raise InvalidValueError(
            f"{name} has the label {worst:g}; labels run from 0 to {n_classes - 1} (output_size={n_classes})"
        )
    return np.ascontiguousarray(array, np.int64)


def _as_numbers(name: str, value: ArrayLike | None) -> NDArray[Any]:
    """Return labels of whatever shape as real numbers."""
    array = only_column(name, value) if is_frame(value) else None
    if array is None:
        array = as_any_array(name, value)
    if kind_of(array) == "text":
        example = next((text for text in array.flat if isinstance(text, (str, bytes))), "")
        raise InvalidTypeError(
            f"{name} holds text such as {str(example)!r}, and labels are numbers from 0: number them with "
            "names, Y = numpy.unique(Y, return_inverse=True), and keep the names as net.class_names = names"
        )
    array = as_array(name, array)
    return array.astype(np.int64) if array.dtype.kind == "b" else array


def _one_per_row(name: str, array: NDArray[Any], n: int, n_classes: int) -> NDArray[Any]:
    """Return labels (n,) from these or from labels (n, 1) or one-hot rows (n, C)."""
    if array.ndim == 0 or len(array) != n:
        length = len(array) if array.ndim else "no"
        raise InvalidValueError(f"{name} has {length} labels for {n} samples")
    if array.ndim == 1:
        return array
    if array.ndim != 2:
        raise InvalidValueError(f"{name} has {array.ndim} dimensions; labels have 1, one-hot rows 2")
    if array.shape[1] == 1 and not (n_classes == 1 and (array == 1).all()):
        column: NDArray[Any] = array[:, 0]
        return column
    if array.shape[1] != n_classes:
        raise InvalidValueError(
            f"{name} has shape {array.shape}; labels are of shape ({n},), one-hot rows of shape ({n}, {n_classes})"
        )
    if not (((array == 0) | (array == 1)).all() and (array.sum(axis=1) == 1).all()):
        raise InvalidValueError(f"{name} is not one-hot: each row must hold one 1 and otherwise 0")
    labels: Int64Array = array.argmax(axis=1)
    return labels
