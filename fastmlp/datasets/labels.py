"""Labels of every kind, as text or numbers, as classes numbered from 0."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Int64Array
from fastmlp.errors import DataError

__all__ = ["NumberedClasses", "number_classes"]

_LARGEST_LABEL = 2**53
"""Beyond, two whole numbers may be the same float."""
_LAST_CHARACTER, _FIRST_SURROGATE, _LAST_SURROGATE = 0x10FFFF, 0xD800, 0xDFFF


class NumberedClasses(NamedTuple):
    """The labels of each part as 0 to C - 1, and the names of the classes; None where the numbers are the names."""

    parts: list[Int64Array]
    names: tuple[str, ...] | None


def number_classes(parts: list[NDArray[Any]], name: str) -> NumberedClasses:
    """Return the labels of one or several parts of a dataset, numbered in the order of their values.

    Labels are text or whole numbers, (n,) or (n, 1), or one-hot rows (n, C); text that reads as whole numbers is taken
    for those. Raises DataError for others, and where there is one class only; `name` is what the message calls them.

    >>> number_classes([np.array(["rose", "lily", "rose"])], "kind")
    NumberedClasses(parts=[array([1, 0, 1])], names=('lily', 'rose'))
    """
    labels = [_as_labels(part, name) for part in parts]
    if len({part.dtype.kind for part in labels}) > 1:
        raise DataError(f"{name} and the test set's labels are of different kinds")
    values, codes = np.unique(np.concatenate(labels), return_inverse=True)
    names = tuple(str(value) for value in values)
    if len(names) < 2:
        raise DataError(
            f"{name} has one class only ({names[0]}); a classifier needs two or more, so check which column or array "
            "holds the labels"
        )
    numbers = codes.astype(np.int64).reshape(-1)
    ends = np.cumsum([len(part) for part in labels])
    counted = names == tuple(str(k) for k in range(len(names)))
    return NumberedClasses(np.split(numbers, ends[:-1]), None if counted else names)


def _as_labels(y: NDArray[Any], name: str) -> NDArray[np.str_] | Int64Array:
    """Return the labels (n,) as text, or as int64 where they are or read as whole numbers."""
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind not in "Ubuif":
        raise DataError(f"{name} holds {y.dtype}; labels are whole numbers or text")
    y = _one_per_row(y, name)
    if y.dtype.kind == "U":
        _check_characters(y, name)
        names, codes = np.unique(y, return_inverse=True)
        try:
            numbers = names.astype(np.float64)
        except ValueError:
            return y
        y = numbers[codes]
    return _as_whole_numbers(y, name)


def _one_per_row(y: NDArray[Any], name: str) -> NDArray[Any]:
    """Return one label per row (n,) from labels (n,) or (n, 1), or one-hot rows (n, C)."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind != "U":
        one_hot = ((y == 0) | (y == 1)).all(axis=1) & (y.sum(axis=1) == 1)
        if not one_hot.all():
            raise DataError(
                f"{name} has the shape {y.shape} and is not one-hot in row {int(np.argmin(one_hot))} (from 0); "
                "give one label per row"
            )
        y = y.argmax(axis=1)
    if y.ndim != 1:
        raise DataError(f"{name} has the shape {y.shape}; give one label per row")
    return y


def _check_characters(y: NDArray[np.str_], name: str) -> None:
    """Refuse text that could not be printed or saved: an array may hold numbers that are no character's."""
    width = y.dtype.itemsize // 4
    if width == 0:
        return
    native = np.ascontiguousarray(y, y.dtype.newbyteorder("="))
    characters = native.view(np.uint32).reshape(len(y), width)
    surrogate = (characters >= _FIRST_SURROGATE) & (characters <= _LAST_SURROGATE)
    wrong = ((characters > _LAST_CHARACTER) | surrogate).any(axis=1)
    if wrong.any():
        raise DataError(f"{name} has text in row {int(np.argmax(wrong))} (from 0) that is not valid Unicode")


def _as_whole_numbers(y: NDArray[Any], name: str) -> Int64Array:
    if y.dtype.kind == "f":
        wrong = ~(np.isfinite(y) & (y == np.rint(y)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(f"{name} has {y[row]} in row {row} (from 0); labels are whole numbers or text")
    too_large = (y < -_LARGEST_LABEL) | (y > _LARGEST_LABEL)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise DataError(f"{name} has {y[row]} in row {row} (from 0), too large for a label")
    return y.astype(np.int64)
