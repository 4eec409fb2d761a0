"""Which of the arrays in a file are inputs and labels, by the names that people give them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from numpy.typing import NDArray

from fastmlp.errors import DataError

__all__ = ["arrays_of_data", "arrays_of_inputs", "in_order"]

_X, _Y = ("x", "images", "data", "inputs", "features"), ("y", "labels", "targets", "target", "label")
_ALIKE = (  # X and y in one style
    ("x", "y"),
    ("data", "target"),
    ("data", "targets"),
    ("data", "labels"),
    ("data", "label"),
    ("images", "labels"),
    ("features", "labels"),
    ("features", "target"),
    ("inputs", "targets"),
    ("inputs", "labels"),
)
_NEEDED = "x_train, y_train (and x_test, y_test), or X, y"
_UNNAMED = ("arr_0", "arr_1", "arr_2", "arr_3")  # what numpy.savez calls arrays without a name


def arrays_of_data(present: Sequence[str], name: str) -> list[str]:
    """Return the names of the inputs and labels of the training set and, if there is one, of the test set.

    Those of numpy.savez for arrays without a name come in their order: see `in_order`. Raises DataError where there are
    none, or several that could be these; `name` is what the message calls the file.

    >>> arrays_of_data(["X_train", "Y_train", "note"], "own.npz"), arrays_of_data(["data", "target"], "own.npz")
    (['X_train', 'Y_train'], ['data', 'target'])
    """
    named = _by_lower_case(present, name)
    if set(_UNNAMED[:2]) <= set(present) and set(present) in (set(_UNNAMED[:2]), set(_UNNAMED)):
        return sorted(present)
    train, test = _pairs(named, ("train",)), _pairs(named, ("test", "t10k"))
    single = [(x, y) for x, y in _ALIKE if x in named and y in named] if not train else []
    found = train or single
    if len(found) > 1 or len(test) > 1:
        several = found if len(found) > 1 else test
        told = " or ".join(f"{named[x]} and {named[y]}" for x, y in several)
        raise DataError(f"{name}: the samples may be {told}; leave one of these pairs out of the file")
    if not found:
        lacking = "y" if {"x", "images", "data"} & named.keys() else "X"
        raise DataError(
            f"{name} lacks the array {lacking}; it has {', '.join(sorted(present)) or 'none'} and needs {_NEEDED}"
        )
    if train and not test:
        half = [each for each in named if each in _styles("test", _X) + _styles("test", _Y)]
        if half:
            lacking = "y_test" if half[0] in _styles("test", _X) else "x_test"
            raise DataError(
                f"{name} lacks the array {lacking}; it has {', '.join(sorted(present))} and needs {_NEEDED}"
            )
    pairs = [*train, *test] if train else single
    return [named[each] for pair in pairs for each in pair]


def arrays_of_inputs(present: Sequence[str], name: str) -> list[str]:
    """Return the names of the arrays that may hold inputs, the likeliest first; the only array is one.

    >>> arrays_of_inputs(["X_test", "y_test"], "own.npz")
    ['X_test']
    """
    named = _by_lower_case(present, name)
    wanted = ["x", *_styles("test", _X), *_X[1:], "arr_0"]
    return [named[each] for each in wanted if each in named] or (list(present) if len(present) == 1 else [])


def in_order(arrays: Mapping[str, NDArray[Any]], name: str) -> list[NDArray[Any]]:
    """Return X, y, or x_train, y_train, x_test, y_test, from arrays without names, told apart by their shapes.

    Raises DataError where their shapes do not tell.

    >>> import numpy as np
    >>> [array.ndim for array in in_order({"arr_0": np.zeros(3), "arr_1": np.zeros((3, 2))}, "own.npz")]
    [2, 1]
    """
    given = [arrays[key] for key in sorted(arrays)]
    is_labels = [array.ndim == 1 for array in given]
    orders = [[0, 1], [1, 0]] if len(given) == 2 else [[0, 1, 2, 3], [0, 2, 1, 3]]
    for order in orders:
        if [is_labels[k] for k in order] == [False, True] * (len(given) // 2):
            ordered = [given[k] for k in order]
            if all(len(x) == len(y) for x, y in zip(ordered[::2], ordered[1::2], strict=True)):
                return ordered
    shapes = ", ".join(f"{key} {arrays[key].shape}" for key in sorted(arrays))
    raise DataError(
        f"{name}: the shapes {shapes} do not say which are inputs and which labels; name the arrays {_NEEDED}"
    )


def _styles(part: str, what: Sequence[str]) -> list[str]:
    """Return the names, in lower case, of the inputs or the labels of a part."""
    return [
        spelling for each in what for spelling in (f"{each}_{part}", f"{part}_{each}", f"{each}{part}", f"{part}{each}")
    ]


def _pairs(named: Mapping[str, str], parts: Sequence[str]) -> list[tuple[str, str]]:
    """Return the names of inputs and labels of a part that are both there, spelt in one style."""
    found = []
    for part, (x, y) in product(parts, _ALIKE):
        found += [pair for pair in zip(_styles(part, [x]), _styles(part, [y]), strict=True) if set(pair) <= set(named)]
    return found


def _by_lower_case(present: Sequence[str], name: str) -> dict[str, str]:
    named: dict[str, str] = {}
    for key in present:
        if named.setdefault(key.lower(), key) != key:
            raise DataError(f"{name} has both {named[key.lower()]} and {key}; leave one of them out of the file")
    return named
