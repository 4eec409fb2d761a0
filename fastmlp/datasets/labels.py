"""Labels of every kind, as text or numbers, as classes numbered from 0."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Int64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.cells import number
from fastmlp.errors import DataError

__all__ = ["NumberedClasses", "as_class_labels", "number_classes"]

_LARGEST_LABEL = 2**53
"""Beyond, two whole numbers may be the same float."""
_LAST_CHARACTER, _FIRST_SURROGATE, _LAST_SURROGATE = 0x10FFFF, 0xD800, 0xDFFF
_WHOLE = re.compile(r"(-?[1-9][0-9]*|0)(\.0*)?")
"""A whole number as people write it who mean one: not 007, +7 or 1e3, which may be codes."""
_MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-"))


class NumberedClasses(NamedTuple):
    """The labels of each part as 0 to C - 1, and the names of the classes; None where the numbers are the names."""

    parts: list[Int64Array]
    names: tuple[str, ...] | None


def number_classes(parts: list[NDArray[Any]], name: str, fewest: int = 2) -> NumberedClasses:
    """Return the labels of one or several parts of a dataset, numbered in the order of their values.

    Labels are text or whole numbers, (n,) or (n, 1), or one-hot rows (n, C). Text is taken for whole numbers where all
    of it is written as these are: `7` or `7.0`, but not `007`. A UserWarning tells of labels that may mean that there
    is none, such as NA, and of labels that differ only in how they are written. Raises DataError for others, and where
    there are less than `fewest` classes; `name` is what the message calls them.

    >>> number_classes([np.array(["rose", "lily", "rose"])], "kind")
    NumberedClasses(parts=[array([1, 0, 1])], names=('lily', 'rose'))
    """
    labels = _text_as_numbers([as_class_labels(part, name) for part in parts], name)
    if len({part.dtype.kind for part in labels}) > 1:
        raise DataError(f"{name} and the test set's labels are of different kinds")
    values, codes = np.unique(np.concatenate(labels), return_inverse=True)
    names = tuple(str(value) for value in values)
    if len(names) < fewest:
        raise DataError(
            f"{name} has one class only ({names[0]}); a classifier needs two or more, so check which column or array "
            "holds the labels"
        )
    numbers = codes.astype(np.int64).reshape(-1)
    if labels[0].dtype.kind == "U":
        _warn_of_missing(names, np.bincount(numbers), name)
    ends = np.cumsum([len(part) for part in labels])
    counted = names == tuple(str(k) for k in range(len(names)))
    return NumberedClasses(np.split(numbers, ends[:-1]), None if counted else names)


def _warn_of_missing(names: tuple[str, ...], counts: Int64Array, name: str) -> None:
    """Tell of labels that may mean that there is none."""
    found = [(each, n) for each, n in zip(names, counts, strict=True) if each.lower() in _MISSING]
    if found:
        told = " and ".join(f"{each!r} {n} times" for each, n in found)
        n_classes = "a class" if len(found) == 1 else "classes"
        warn_caller(
            f"{name} has {told}, taken for {n_classes} as any other; delete these rows if their labels are missing"
        )


def _text_as_numbers(parts: list[NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """Return labels of text as whole numbers where all of them, in all parts, are written as such."""
    if any(part.dtype.kind != "U" for part in parts):
        whole = [part.dtype.kind == "U" and all(map(_is_whole, part)) for part in parts]
        return [
            _as_whole_numbers(part.astype(np.float64), name) if each else part
            for part, each in zip(parts, whole, strict=True)
        ]
    written = [str(each) for each in np.unique(np.concatenate(parts))]
    if all(map(_is_whole, written)):
        return [_as_whole_numbers(part.astype(np.float64), name) for part in parts]
    _refuse_fractions(parts, written, name)
    _warn_of_likes(written, name)
    return parts


def _is_whole(text: str) -> bool:
    return _WHOLE.fullmatch(text.strip()) is not None


def _refuse_fractions(parts: list[NDArray[Any]], written: list[str], name: str) -> None:
    """Refuse labels that are all numbers and some no whole ones: these are measurements, and no classes."""
    values = {each: number(each.strip()) for each in written if each.strip().lower() not in _MISSING}
    fractions = {each for each, value in values.items() if value is None or not value.is_integer()}
    if fractions and all(value is not None for value in values.values()):
        labels = np.concatenate(parts)
        row = next(row for row, label in enumerate(labels) if label in fractions)
        raise DataError(f"{name} has {labels[row]} in row {row} (from 0); labels are whole numbers or text")


def _warn_of_likes(written: list[str], name: str) -> None:
    """Tell of labels that differ only in how a number is written, such as 7 and 007."""
    groups: dict[float, list[str]] = {}
    for each in written:
        value = number(each.strip())
        if value is not None:
            groups.setdefault(value, []).append(each)
    alike = next((group for group in groups.values() if len(group) > 1), None)
    if alike:
        warn_caller(
            f"{name}: {' and '.join(alike[:3])} are taken for different classes; write them alike if they are the same"
        )


def as_class_labels(y: NDArray[Any], name: str) -> NDArray[np.str_] | Int64Array:
    """Return the labels (n,) as text, or as int64 where they are numbers. Raises DataError for what is neither."""
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind not in "Ubuif":
        raise DataError(f"{name} holds {y.dtype}; labels are whole numbers or text")
    y = _one_per_row(y, name)
    if y.dtype.kind == "U":
        _check_characters(y, name)
        return y
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
