"""Plain arrays: what people hand in as an array of real numbers, and such an array as float32."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Float64Array
from fastmlp.engine.strangers import refuse_stranger
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["as_any_array", "as_array", "as_float32", "kind_of", "objects_as_numbers"]

_MISSING = ("NoneType", "NAType", "NaTType")  # the types of None, pandas.NA and pandas.NaT
_KINDS = {"U": "text", "S": "text", "T": "text", "M": "dates", "m": "time spans", "c": "complex numbers"}


def as_any_array(name: str, value: Any) -> NDArray[Any]:
    """Return what people hand in as an array, of whatever it holds.

    Raises InvalidTypeError or InvalidValueError for what is no array: `name` is what the message calls it.
    """
    refuse_stranger(name, value)
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise InvalidValueError(f"{name} has masked values; fill or remove them")
    if hasattr(value, "detach"):  # a tensor of torch that is still part of a computation
        value = value.detach()
    try:
        array = np.asarray(value)
    except ValueError:
        raise InvalidValueError(f"{name} is no array of numbers: its rows have different lengths") from None
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, say, or of a type that NumPy lacks
        raise InvalidTypeError(f"{name} cannot be read as an array: {error}") from None
    if array.dtype.kind == "O" and array.ndim == 0:
        raise InvalidTypeError(f"{name} is a {type(value).__name__}; it must be an array of numbers")
    return array


def as_array(name: str, value: Any) -> NDArray[Any]:
    """Return what people hand in as an array of real numbers; objects become float64, and missing ones NaN.

    Raises InvalidTypeError or InvalidValueError for what is none; `name` is what the message calls it.

    >>> as_array("X", [[True, 2.5], [3, False]])
    array([[1. , 2.5],
           [3. , 0. ]])
    """
    array = as_any_array(name, value)
    kind = kind_of(array)
    if kind is not None:
        raise InvalidTypeError(f"{name} has dtype {array.dtype} and holds {kind}; it must hold real numbers")
    return objects_as_numbers(name, array) if array.dtype.kind == "O" else array


def kind_of(array: NDArray[Any]) -> str | None:
    """Say what an array holds where it is not real numbers, or None; objects may also be missing.

    >>> kind_of(np.array([1, None, "rose"], object)), kind_of(np.array([1, None], object))
    ('text', None)
    """
    if array.dtype.kind in "fiub":
        return None
    if array.dtype.kind != "O":
        return _KINDS.get(array.dtype.kind, "records")
    others = [
        kind
        for kind in set(map(type, array.flat))
        if not issubclass(kind, (Real, Decimal, np.bool_)) and kind.__name__ not in _MISSING
    ]
    if not others:
        return None
    if any(issubclass(kind, (str, bytes)) for kind in others):
        return "text"
    if any(issubclass(kind, datetime.date) for kind in others):
        return "dates"
    return f"objects of the type {min(kind.__name__ for kind in others)}"


def objects_as_numbers(name: str, array: NDArray[Any]) -> Float64Array:
    """Return an array of numbers that are Python objects as float64, NaN where one is missing.

    Raises InvalidValueError for a whole number beyond float64. `kind_of` must have found nothing else in it.
    """
    missing = np.array([type(value).__name__ in _MISSING for value in array.flat]).reshape(array.shape)
    try:
        return np.where(missing, np.nan, array).astype(np.float64)
    except OverflowError:
        raise InvalidValueError(f"{name} holds whole numbers that are too large for float32; scale it") from None


def as_float32(name: str, array: NDArray[Any], columns: Sequence[object] | None = None) -> Float32Array:
    """Return real numbers as a C-contiguous, aligned float32 array, copied only where needed.

    Raises InvalidValueError for a finite number that is too large; the message names its column by `columns`.

    >>> as_float32("X", np.array([[1, 2], [3, 1e300]]))
    Traceback (most recent call last):
        ...
    fastmlp.errors.InvalidValueError: X holds 1e+300 in row 1, column 1 (from 0), too large for float32: scale it
    """
    try:
        with np.errstate(over="raise"):
            return np.require(array, np.float32, ["C", "A"])
    except FloatingPointError:
        with np.errstate(over="ignore"):
            lost = np.isinf(array.astype(np.float32)) & np.isfinite(array)
        place = np.unravel_index(int(lost.argmax()), lost.shape)
        raise InvalidValueError(
            f"{name} holds {array[place]:g} in {_place(place, columns)}, too large for float32: scale it"
        ) from None


def _place(place: Sequence[Any], columns: Sequence[object] | None) -> str:
    if len(place) != 2:
        return f"the place {', '.join(str(int(index)) for index in place)} (from 0)"
    row, column = place
    if columns is not None:
        return f"row {row} (from 0), column {columns[column]}"
    return f"row {row}, column {column} (from 0)"
