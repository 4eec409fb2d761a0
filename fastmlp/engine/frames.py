"""Frames, that is tables in memory with named columns: of pandas, polars or Arrow, as arrays of numbers.

None of these libraries is imported: a frame is known by what it offers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array
from fastmlp.engine.feature_names import column_order
from fastmlp.engine.plain import as_float32, kind_of, objects_as_numbers
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.printable import shown

__all__ = ["frame_names", "is_frame", "only_column", "rows_of_frame"]

_FETCHED_BY = ("compute", "toPandas", "collect")  # how frames of dask, Spark and polars are computed


def is_frame(value: Any) -> bool:
    """Whether `value` is a table with columns, of whatever library.

    >>> is_frame(np.zeros((2, 2)))
    False
    """
    return hasattr(type(value), "columns")


def frame_names(value: Any) -> tuple[str, ...] | None:
    """Return the names of a frame's columns where they are different texts; None for others, and for no frame."""
    if not is_frame(value) or _fetched_by(value) is not None:
        return None
    names = _column_names(value)
    named = all(isinstance(name, str) for name in names) and len(set(names)) == len(names) > 0
    return tuple(map(str, names)) if named else None


def rows_of_frame(name: str, frame: Any, feature_names: Sequence[str] | None = None) -> Float32Array:
    """Return the numbers of a frame (n, D), its columns in the order of `feature_names` where both have names.

    Booleans are numbers. A UserWarning says that the columns came in another order. Raises InvalidTypeError for columns
    that hold no numbers, InvalidValueError for other names, missing values and numbers too large for float32.
    """
    _check_present(name, frame)
    names = _column_names(frame)
    order = None
    if feature_names is not None and names and all(isinstance(column, str) for column in names):
        order = column_order(name, names, feature_names)
    picked: Sequence[int] = range(len(names)) if order is None else order.tolist()
    names = [names[column] for column in picked]
    columns = _one_array(frame, picked)
    if columns is None:
        columns = _by_columns(name, [_values(frame, column) for column in picked], names)
    _refuse_missing(name, columns, names)
    return as_float32(name, columns, names)


def only_column(name: str, frame: Any) -> NDArray[Any] | None:
    """Return the column (n,) of a frame that has only one, whatever it holds; None where it has others."""
    _check_present(name, frame)
    return _values(frame, 0) if len(_column_names(frame)) == 1 else None


def _fetched_by(frame: Any) -> str | None:
    return next((method for method in _FETCHED_BY if hasattr(type(frame), method)), None)


def _check_present(name: str, frame: Any) -> None:
    method = _fetched_by(frame)
    if method is not None:
        raise InvalidTypeError(
            f"{name} is a {type(frame).__name__} whose values have not been computed yet: call its {method}() first"
        )
    if not any(hasattr(type(frame), known) for known in ("iloc", "to_series", "column")):
        raise InvalidTypeError(f"{name} is a {type(frame).__name__}; give it as an array or as a frame of pandas")


def _column_names(frame: Any) -> list[Any]:
    # The columns of a table of Arrow are their values. What is asked is the type: a column may have any name.
    return list(frame.column_names if hasattr(type(frame), "column_names") else frame.columns)


def _one_array(frame: Any, picked: Sequence[int]) -> NDArray[Any] | None:
    """Return the columns `picked` (n, D) of a frame of pandas whose columns are all of one of NumPy's types."""
    if not hasattr(type(frame), "iloc") or len(picked) == 0:
        return None
    kinds = set(frame.dtypes)
    if len(kinds) > 1 or not all(isinstance(kind, np.dtype) and kind.kind in "fiub" for kind in kinds):
        return None
    array: NDArray[Any] = frame.to_numpy()
    return array if list(picked) == list(range(array.shape[1])) else array[:, picked]


def _values(frame: Any, column: int) -> NDArray[Any]:
    """Return a column (n,) as an array: NaN or None, or what its library has for it, where a value is missing."""
    if hasattr(type(frame), "to_series"):  # polars
        return np.asarray(frame.to_series(column))
    if not hasattr(type(frame), "iloc"):  # Arrow
        return np.asarray(frame.column(column))
    series = frame.iloc[:, column]
    dtype = getattr(series.dtype, "numpy_dtype", None)  # which pandas' own types for numbers and those of Arrow have
    if dtype is None or dtype.kind not in "fiub":
        return np.asarray(series)
    if series.hasnans:
        values: NDArray[Any] = series.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        values = series.to_numpy(dtype=dtype)
    return values


def _by_columns(name: str, columns: list[NDArray[Any]], names: Sequence[object]) -> NDArray[Any]:
    """Return columns (n,) of several types as one array (n, D)."""
    kinds = [kind_of(column) for column in columns]
    others = [f"{column} ({kind})" for column, kind in zip(names, kinds, strict=True) if kind is not None]
    if others:
        raise InvalidTypeError(
            f"{name} has columns that hold no numbers: {shown(others)}; leave them out, or make numbers of them, "
            "as pandas.get_dummies does of classes"
        )
    numbers = [objects_as_numbers(name, column) if column.dtype.kind == "O" else column for column in columns]
    out = np.empty((len(numbers), len(numbers[0]) if numbers else 0), np.result_type(np.float32, *numbers))
    for row, column in zip(out, numbers, strict=True):
        row[...] = column
    return out.T


def _refuse_missing(name: str, columns: NDArray[Any], names: Sequence[object]) -> None:
    if columns.dtype.kind != "f":
        return
    missing = np.count_nonzero(np.isnan(columns), axis=0)
    if missing.any():
        where = [str(names[column]) for column in np.flatnonzero(missing).tolist()]
        values = "1 missing value" if missing.sum() == 1 else f"{missing.sum()} missing values"
        place = "column" if len(where) == 1 else "columns"
        raise InvalidValueError(f"{name} has {values} in the {place} {shown(where)}: fill or remove them")
