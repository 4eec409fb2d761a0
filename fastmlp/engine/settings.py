"""The door for settings: numbers and names that people hand in, checked before NumPy has to be loaded."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence
from numbers import Real
from typing import Any

from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.machine import available_processors

__all__ = [
    "check_class_names",
    "check_integer",
    "check_number",
    "check_share",
    "check_size",
    "default_threads",
    "is_unicode",
]

_SMALLEST = 2.0**-126  # of normal float32
_LARGEST = (2 - 2.0**-23) * 2.0**127


def check_integer(name: str, value: Any, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`; TypeError or ValueError says what was wrong.

    >>> check_integer("hidden_size", 30)
    30
    """
    if _is_bool(value):
        raise InvalidTypeError(f"{name} is {value}; it must be a whole number")
    try:
        number = operator.index(value)
    except TypeError:
        raise InvalidTypeError(f"{name} is {value!r}; it must be a whole number") from None
    if number < minimum:
        raise InvalidValueError(f"{name} is {number}; it must be at least {minimum}")
    return number


def check_number(name: str, value: Any) -> float:
    """Return `value` as a float above 0; TypeError or ValueError says what was wrong.

    >>> check_number("lr", 0.1)
    0.1
    """
    if _is_bool(value) or isinstance(value, (str, bytes)):
        raise InvalidTypeError(f"{name} is {value!r}; it must be a number above 0")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidTypeError(f"{name} is {value!r}; it must be a number above 0") from None
    except OverflowError:  # an integer beyond all floats
        number = math.inf
    if not _SMALLEST <= number <= _LARGEST:  # NaN too
        raise InvalidValueError(f"{name} is {number}; it must be a number above 0 that float32 can hold")
    return number


def check_size(name: str, value: Any) -> float:
    """Return `value` as a float of at least 0; TypeError or ValueError says what was wrong.

    >>> check_size("l2", 0)
    0.0
    """
    return 0.0 if not _is_bool(value) and isinstance(value, Real) and value == 0 else check_number(name, value)


def check_share(name: str, value: Any) -> float:
    """Return `value` as a float from 0 to below 1; TypeError or ValueError says what was wrong.

    >>> check_share("momentum", 0.9)
    0.9
    """
    share = check_size(name, value)
    if share >= 1:
        raise InvalidValueError(f"{name} is {share}; it must lie between 0 and 1")
    return share


def check_class_names(value: Sequence[str], n: int) -> tuple[str, ...]:
    """Return `value` as n different names, one per class; TypeError or ValueError says what was wrong.

    >>> check_class_names(["lily", "rose"], 2)
    ('lily', 'rose')
    """
    if isinstance(value, str) or not all(isinstance(name, str) for name in value):
        raise InvalidTypeError(f"class_names is {value!r}; it must be one string per class")
    if len(value) != n or len(set(value)) != len(value):
        raise InvalidValueError(f"class_names must be {n} different names, one per class")
    if not all(is_unicode(name) for name in value):
        raise InvalidValueError("class_names has a name that is no Unicode, so that no file could hold it")
    return tuple(value)


def is_unicode(name: str) -> bool:
    r"""Whether `name` is text that every file can hold: Python strings may have half a character, too.

    >>> is_unicode("r\u00f3\u017ca"), is_unicode("\udcff")
    (True, False)
    """
    return not any("\ud800" <= character <= "\udfff" for character in name)


def default_threads() -> int:
    """Return the number of threads where none is given: `FASTMLP_NUM_THREADS`, or else that of the processors.

    `OMP_NUM_THREADS` and `NUMBA_NUM_THREADS`, which a parent sets for the processes that it starts (as joblib does),
    bound the latter. InvalidValueError says that FASTMLP_NUM_THREADS is no number of threads.
    """
    if text := os.environ.get("FASTMLP_NUM_THREADS", "").strip():
        if not text.isdecimal() or int(text) < 1:
            raise InvalidValueError(f"FASTMLP_NUM_THREADS is {text!r}; set it to a whole number above 0, or unset it")
        return int(text)
    # OpenMP allows a list, a number for each level of nesting. What is no number is another library's to refuse.
    texts = [os.environ.get(name, "").split(",")[0].strip() for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")]
    bounds = [int(text) for text in texts if text.isdecimal()]
    return max(1, min([available_processors(), *bounds]))


def _is_bool(value: Any) -> bool:
    """Whether `value` is a bool, NumPy's too: neither is meant as a number."""
    return isinstance(value, bool) or type(value).__name__ in ("bool", "bool_")
