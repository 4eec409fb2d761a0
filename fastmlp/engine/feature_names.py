"""The names of the inputs: those that a net was trained on, and those of what it is given later."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fastmlp.arrays import Int64Array
from fastmlp.caller import warn_caller
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.printable import shown

__all__ = ["check_feature_names", "column_order"]


def check_feature_names(value: Sequence[str], n: int) -> tuple[str, ...]:
    """Return `value` as n different names, one per input; TypeError or ValueError says what was wrong.

    >>> check_feature_names(["length", "width"], 2)
    ('length', 'width')
    """
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise InvalidTypeError(f"feature_names is {value!r}; it must be one string per input")
    if len(value) != n or len(set(value)) != len(value):
        raise InvalidValueError(f"feature_names must be {n} different names, one per input")
    return tuple(value)


def column_order(what: str, given: Sequence[str], wanted: Sequence[str]) -> Int64Array | None:
    """Return for each of the `wanted` names the index of its column among those `given`; None where they agree.

    Where only the order differs a UserWarning says that the columns of `what` are put in order. Raises
    InvalidValueError where a name is missing, is one too many, or stands twice.

    >>> column_order("X", ["length", "width"], ["length", "width"]) is None
    True
    >>> column_order("X", ["length", "colour"], ["length", "width"])
    Traceback (most recent call last):
        ...
    fastmlp.errors.InvalidValueError: X lacks the column width and has the column colour, which the model does not know
    """
    if tuple(given) == tuple(wanted):
        return None
    index = {name: column for column, name in enumerate(given)}
    missing = [name for name in wanted if name not in index]
    unknown = sorted(index.keys() - set(wanted), key=lambda name: index[name])
    faults = []
    if missing:
        faults.append(f"lacks {_columns(missing)}")
    if unknown:
        faults.append(f"has {_columns(unknown)}, which the model does not know")
    if not faults and len(index) < len(given):
        faults.append("has a column twice")
    if faults:
        raise InvalidValueError(f"{what} {' and '.join(faults)}")
    warn_caller(f"the columns of {what} come in another order than in training; they are taken by their names")
    return np.array([index[name] for name in wanted], np.int64)


def _columns(names: Sequence[str]) -> str:
    return f"the column{'s' if len(names) > 1 else ''} {shown(names)}"
