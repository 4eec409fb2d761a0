"""Tables in Parquet and Feather files, which PyArrow reads: the same rules as for tables of text.

Columns have names and types there, so that neither a header nor a separator is in question.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.columns import (
    Columns,
    is_index_name,
    label_by_kind,
    label_by_name,
    label_by_values,
    label_column_index,
    numbers_rows,
)
from fastmlp.datasets.limits import check_size
from fastmlp.datasets.source import Source
from fastmlp.datasets.table import LabelledTable, names_of
from fastmlp.errors import DataError, MissingLibraryError
from fastmlp.printable import shown

__all__ = ["ARROW_SUFFIXES", "FEATHER_MAGIC", "PARQUET_MAGIC", "ArrowTable", "open_parquet"]

ARROW_SUFFIXES = (".parquet", ".feather", ".arrow")
PARQUET_MAGIC, FEATHER_MAGIC = b"PAR1", b"ARROW1"
_FLOAT_BYTES = 4


class _Kind(NamedTuple):
    """Whether a column holds numbers or text, and what else it is called if neither."""

    is_number: bool
    is_text: bool
    what: str


class ArrowTable:
    """A table in a Parquet or Feather file, with the methods of `fastmlp.datasets.table.Table`.

    Raises DataError for a file that is none or is damaged; ImportError where PyArrow is not installed.
    """

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._table: Any = _read(source)
        if not self._table.num_rows or not self._table.num_columns:
            raise DataError(f"{source.name} is empty; give it one row per sample")

    @classmethod
    def of(cls, name: str, table: Any) -> ArrowTable:
        """Return a table of PyArrow that was read already, which messages call `name`."""
        made = cls.__new__(cls)
        made._name, made._table = name, table
        return made

    @property
    def n_columns(self) -> int:
        """The number of columns."""
        return int(self._table.num_columns)

    def columns(self, expected: Sequence[str] = ()) -> Columns:  # noqa: ARG002 - as of a table of text
        """Return the columns with their names."""
        return Columns(self._name, self.n_columns, list(self._table.column_names))

    def inputs(self, columns: Columns, order: Sequence[int] | None = None) -> Float32Array:
        """Return the columns (n, D) at the places in `order`, or all; none of these holds labels."""
        return self._matrix(columns, range(columns.n) if order is None else order)

    def inputs_and_labels(self, label_column: str | int | None = None) -> LabelledTable:
        """Return the inputs (n, D) and the n labels, as the method of the same name of a table of text does."""
        columns = self.columns()
        if columns.n < 2:
            raise DataError(f"{self._name} has one column only; it needs a label and at least one number in each row")
        label = self._label(columns, label_column)
        named = [j for j, cell in enumerate(columns.header or ()) if is_index_name(cell) and j != label]
        dropped = [j for j in named if self._numbers_rows(j)]
        if dropped:
            names = shown(columns.called(j) for j in dropped)
            warn_caller(f"{self._name}: {names}, which only numbers or names the rows, was left out")
        kept = [j for j in range(columns.n) if j != label and j not in dropped]
        if not kept:
            raise DataError(f"{self._name} has no inputs beside its labels and the numbers of its rows")
        if self._table.column(label).null_count:
            raise DataError(
                f"{self._name}: {columns.called(label)} lacks {self._table.column(label).null_count} values; every row "
                "needs a label"
            )
        labels = [str(value) for value in self._table.column(label).to_pylist()]
        notes = [("labels", columns.called(label))]
        if dropped:
            notes.append(("left out", shown(columns.called(j) for j in dropped)))
        header = columns.header or ()
        return LabelledTable(self._matrix(columns, kept), labels, names_of(header, kept), header[label], tuple(notes))

    def _label(self, columns: Columns, label_column: str | int | None) -> int:
        if label_column is not None:
            return label_column_index(columns, label_column)
        label = label_by_name(columns)
        if label is None:
            others = [j for j, cell in enumerate(columns.header or ()) if not is_index_name(cell)] or [columns.n - 1]
            of_text = [j for j in others if self._kind(j).is_text]
            repeated = [j for j in (*of_text, columns.n - 1) if self._has_repeats(j)]
            label = label_by_kind(columns, of_text, repeated)
        if label is None:
            first, last = others[0], others[-1]
            a, b = (self._matrix(columns, [j])[:, 0].astype(np.float64) for j in (first, last))
            label = label_by_values(columns, (first, last), (a, b))
        return label

    def _kind(self, index: int) -> _Kind:
        import pyarrow.types as types

        kind = self._table.schema.field(index).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        is_text = types.is_string(kind) or types.is_large_string(kind)
        is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind)
        return _Kind(is_number, is_text, "text" if is_text else str(kind))

    def _has_repeats(self, index: int) -> bool:
        column = self._table.column(index)
        kind = self._table.schema.field(index).type
        return not str(kind).startswith(("float", "double", "half")) and len(column.unique()) < len(column)

    def _numbers_rows(self, index: int) -> bool:
        column = self._table.column(index)
        if column.null_count or not (self._kind(index).is_text or self._kind(index).is_number):
            return False
        return numbers_rows([str(value) for value in column.to_pylist()], named=True)

    def _matrix(self, columns: Columns, kept: Sequence[int]) -> Float32Array:
        """Return columns of numbers (n, D), or say which are none and which lack values."""
        no_numbers = [j for j in kept if not self._kind(j).is_number]
        if no_numbers:
            kinds = shown(f"{columns.called(j)} of {self._kind(j).what}" for j in no_numbers)
            raise DataError(
                f"{self._name}: inputs must be numbers, which these columns are not: {kinds}; leave them out, number "
                "their values, or say with --label-column where the labels are"
            )
        lacking = [j for j in kept if self._table.column(j).null_count]
        if lacking:
            n_missing = sum(self._table.column(j).null_count for j in lacking)
            raise DataError(
                f"{self._name}: {n_missing} values are missing, in {shown(columns.called(j) for j in lacking)}; fill "
                "missing values in, or delete their rows"
            )
        X = np.empty((self._table.num_rows, len(kept)), np.float32)
        for place, j in enumerate(kept):
            with np.errstate(over="ignore"):  # too large becomes infinite, and is refused
                X[:, place] = _as_array(self._table.column(j))
            if not np.isfinite(X[:, place]).all():
                row = int(np.argmin(np.isfinite(X[:, place])))
                raise DataError(
                    f"{self._name}: row {row + 1}, {columns.called(j)} is {_as_array(self._table.column(j))[row]}; "
                    "inputs must be finite float32 numbers"
                )
        return X


def _as_array(column: Any) -> NDArray[Any]:
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    array: NDArray[Any] = column.to_numpy()
    return array


@contextmanager
def open_parquet(path: Path) -> Iterator[Any]:
    """Open a Parquet file, whose row groups can be read one by one. Raises DataError for any damage."""
    pa, parquet = _pyarrow()
    with Source.at(path).open() as file:
        try:
            yield parquet.ParquetFile(file)
        except DataError:
            raise
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise _damaged(str(path), error) from None


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise MissingLibraryError(
            "reading Parquet and Feather files needs PyArrow: pip install 'fastmlp[tables]'"
        ) from None
    return pa, parquet


def _damaged(name: str, error: BaseException) -> DataError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return DataError(f"{name} is no Parquet or Feather file, or is damaged ({first})")


def _read(source: Source) -> Any:
    pa, parquet = _pyarrow()
    with source.open() as file:
        start = file.read(len(FEATHER_MAGIC))
        file.seek(0)
        try:
            if not start.startswith(PARQUET_MAGIC):
                return _bounded_table(pa.ipc.open_file(file), source.name)
            opened = parquet.ParquetFile(file)
            check_size(source.name, opened.metadata.num_rows * opened.metadata.num_columns * _FLOAT_BYTES)
            return opened.read()
        except DataError:
            raise
        except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
            raise _damaged(source.name, error) from None


def _bounded_table(file: Any, name: str) -> Any:
    """Return the table in an opened Feather file, which does not say how large it is: batch by batch."""
    import pyarrow as pa

    batches, n_bytes = [], 0
    for k in range(file.num_record_batches):
        batches.append(file.get_batch(k))
        n_bytes += batches[-1].nbytes
        check_size(name, n_bytes)
    return pa.Table.from_batches(batches, file.schema)
