"""Tables with columns of text and with missing values, as the inputs of a net: `--preprocess auto`.

The columns are read as they stand. What becomes of them is learnt from the training rows by scikit-learn: numbers that
are missing are filled in with the median (`SimpleImputer`), text becomes one-hot (`OneHotEncoder`), missing text being
a category of its own. It is kept as `TableColumn`s, from which the same estimators are made again for other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Float64Array, Int64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.cells import LARGEST, Kind, kind_of, number_or_truth
from fastmlp.datasets.columns import Columns
from fastmlp.engine.table_columns import MISSING, TableColumn
from fastmlp.errors import DataError, MissingLibraryError
from fastmlp.printable import shown

__all__ = ["MixedColumns", "as_inputs", "learn_columns", "mixed_columns"]

_MOST_CATEGORIES = 1000
_FEW = 10  # categories that any column may have


class MixedColumns(NamedTuple):
    """Columns of the table `name`, by their names: float64 (n,) with NaN where a number is missing, or text (n,)."""

    name: str
    values: dict[str, NDArray[Any]]


def mixed_columns(columns: Columns, cells: dict[int, list[str]], text: Sequence[int], decimal: str) -> MixedColumns:
    """Return the `cells` of some columns, by their indices; those in `text` as text, the others as numbers.

    Raises DataError for a cell that is neither a number nor missing where numbers should stand.
    """
    values: dict[str, NDArray[Any]] = {}
    for j, texts in cells.items():
        name = columns.name_of(j)
        if name in values:
            raise DataError(f"{columns.name} has several columns called {name}; give each a name of its own")
        if j in text:
            array: NDArray[Any] = np.array(
                [MISSING if kind_of(cell) is Kind.MISSING else cell for cell in texts], object
            )
        else:
            array = _numbers(columns, j, texts, decimal)
        values[name] = array
    return MixedColumns(columns.name, values)


def _numbers(columns: Columns, index: int, texts: list[str], decimal: str) -> Float64Array:
    numbers = np.array([number_or_truth(text, decimal) for text in texts])
    for row in np.flatnonzero(~(abs(numbers) <= LARGEST)):
        if kind_of(texts[row], decimal) is not Kind.MISSING:
            raise DataError(
                f"{columns.name}: {columns.called(index)} has {texts[row]!r} in sample {row + 1}, where the model "
                "takes numbers of float32"
            )
        numbers[row] = np.nan
    return numbers


def learn_columns(table: MixedColumns, rows: Int64Array) -> tuple[TableColumn, ...]:
    """Return what becomes of each column, learnt from the training `rows`; only that values are missing, from all.

    Raises DataError for text that is another in most rows, and for a column without any number in these rows.
    """
    return tuple(
        _learn_text(table.name, name, column, rows)
        if column.dtype == object
        else _learn_numbers(table.name, name, column, rows)
        for name, column in table.values.items()
    )


def _learn_numbers(table: str, name: str, column: Float64Array, rows: Int64Array) -> TableColumn:
    if not np.isnan(column).any():
        return TableColumn(name)
    seen = column[rows]
    if np.isnan(seen).all():
        raise DataError(f"{table}: the column {name} has no value in the rows to train on; leave it out")
    imputer = _sklearn("impute").SimpleImputer(strategy="median").fit(seen[:, None])
    return TableColumn(name, float(imputer.statistics_[0]))


def _learn_text(table: str, name: str, column: NDArray[Any], rows: Int64Array) -> TableColumn:
    encoder = _sklearn("preprocessing").OneHotEncoder().fit(column[rows][:, None])
    categories = [str(category) for category in encoder.categories_[0]]
    if len(categories) > min(max(_FEW, len(rows) / 2), _MOST_CATEGORIES):
        raise DataError(
            f"{table}: the column {name} has {len(categories)} different texts in {len(rows)} rows to train on, too "
            "many to encode; leave it out"
        )
    if MISSING not in categories and (column == MISSING).any():
        categories.insert(0, MISSING)
    return TableColumn(name, None, tuple(categories))


def as_inputs(table: MixedColumns, columns: Sequence[TableColumn]) -> Float32Array:
    """Return the inputs (n, D) that some columns make of a table, which has these.

    A UserWarning names texts that were not seen in training: they count as none of the known ones. Raises DataError for
    values that are missing in columns where none was in training.
    """
    made = [
        _numbers_as_inputs(table, column) if column.categories is None else _text_as_inputs(table, column)
        for column in columns
    ]
    return np.ascontiguousarray(np.hstack(made), np.float32)


def _numbers_as_inputs(table: MixedColumns, column: TableColumn) -> Float64Array:
    values: Float64Array = table.values[column.name][:, None]
    missing = np.isnan(values)
    if column.fill is None:
        if missing.any():
            _refuse_missing(table.name, column.name, missing)
        return values
    imputer = _sklearn("impute").SimpleImputer(strategy="constant", fill_value=column.fill, keep_empty_features=True)
    filled: Float64Array = imputer.fit_transform(values)
    return filled


def _text_as_inputs(table: MixedColumns, column: TableColumn) -> Float64Array:
    values, known = table.values[column.name], column.categories or ()
    if MISSING not in known and (values == MISSING).any():
        _refuse_missing(table.name, column.name, values == MISSING)
    unseen = sorted(set(values) - set(known))
    if unseen:
        n_rows = int(np.isin(values.astype(str), unseen).sum())
        warn_caller(
            f"{table.name}: the column {column.name} holds {shown(map(repr, unseen))} in {n_rows} rows, not seen in "
            "training; they count as none of the known ones"
        )
    encoder = _sklearn("preprocessing").OneHotEncoder(
        categories=[np.array(known, object)], handle_unknown="ignore", sparse_output=False
    )
    encoded: Float64Array = encoder.fit(np.array([[known[0]]], object)).transform(values[:, None])
    return encoded


def _refuse_missing(table: str, name: str, missing: NDArray[np.bool_]) -> None:
    raise DataError(
        f"{table}: the column {name} lacks {np.count_nonzero(missing)} values, the first in sample "
        f"{missing.argmax() + 1}, and none was missing in training: fill them in, or delete their rows"
    )


def _sklearn(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"sklearn.{module}")
    except ImportError:
        raise MissingLibraryError(
            "encoding text and filling in missing values needs scikit-learn: pip install 'fastmlp[sklearn]'"
        ) from None
