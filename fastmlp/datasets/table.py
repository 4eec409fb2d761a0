"""A table of text, such as CSV: a row per sample, and numbers in all columns but that of the labels, if there is one.

The text is UTF-8, plain or gzipped. Cells are separated by commas, or by semicolons or tabs where the first row has no
comma, and may stand in double quotes; blank lines are skipped. Numbers are written as in `-1.5e3`: not 1_000, 1,5 or
0x10.

The first row is a header where none of its cells is a number. In a table with labels it is one also where the label
column is named by it, and where only its cell in that column is not a number but the cell below is one.
"""

from __future__ import annotations

import csv
import io
import operator
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TextIO

import numpy as np

from fastmlp.arrays import Float32Array
from fastmlp.datasets.samples import all_finite
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError, InvalidTypeError

__all__ = ["NotTextError", "Table"]

_LABEL_NAMES = ("label", "class", "target", "y")
_LARGEST = float(np.finfo(np.float32).max)


class NotTextError(DataError):
    """The bytes are not UTF-8 text, and so perhaps no table at all."""


class Table:
    """A table of text: its making reads the first two rows, `inputs` and `inputs_and_labels` read them all.

    All three raise DataError for what is no such table; the messages name row and column, both counted from 1.

    >>> table = Table(Source("flowers.csv", b"length;width;kind\\n5;3;rose\\n6;2;lily\\n"))
    >>> table.n_columns
    3
    >>> table.inputs_and_labels()
    (array([[5., 3.],
           [6., 2.]], dtype=float32), ['rose', 'lily'])
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        with _open_text(source) as file:
            self._delimiter = _delimiter(file)
            rows = _rows(file, self._delimiter)
            self._first_line, self._first = next(rows, (0, []))
            _, self._second = next(rows, (0, []))
        if not self._first:
            raise DataError(f"{source.name} is empty; give it one row per sample")

    @property
    def n_columns(self) -> int:
        """The number of columns, by the first row."""
        return len(self._first)

    def inputs(self) -> Float32Array:
        """Return all columns (n, D); none holds labels.

        >>> Table(Source("flowers.csv", b"length,width\\n5,3\\n6,2\\n")).inputs()
        array([[5., 3.],
               [6., 2.]], dtype=float32)
        """
        table, _ = self._read(self._columns(has_header=all(_number(cell) is None for cell in self._first), label=None))
        return table

    def inputs_and_labels(self, label_column: str | int | None = None) -> tuple[Float32Array, list[str]]:
        """Return the inputs (n, D) and the n labels as they are written.

        `label_column` is the column's name or its number, counted from 1, or from -1 backwards; None is the column
        called label, class, target or y, else the last. Raises TypeError for a `label_column` that is neither.
        """
        if self.n_columns < 2:
            raise DataError(
                f"{self._source.name} has one column only; it needs a label and at least one number in each row, "
                "separated by commas"
            )
        label = self._label_index(label_column)
        texts = [index for index, cell in enumerate(self._first) if _number(cell) is None]
        second = self._second
        has_header = (
            len(texts) == self.n_columns
            or (isinstance(label_column, str) and label_column in self._first)
            or (texts == [label] and len(second) > label and _number(second[label]) is not None)
        )
        table, codes = self._read(self._columns(has_header, label))
        names = list(codes)
        labels = [names[int(code)] for code in table[:, label]]
        return np.delete(table, label, axis=1), labels

    def _label_index(self, label_column: str | int | None) -> int:
        first, name = self._first, self._source.name
        if label_column is None:
            lowered = [cell.lower() for cell in first]
            found = [lowered.index(label) for label in _LABEL_NAMES if label in lowered]
            return found[0] if found else len(first) - 1
        if label_column in first:
            return first.index(str(label_column))
        try:
            number = int(label_column) if isinstance(label_column, str) else operator.index(label_column)
        except TypeError:
            raise InvalidTypeError(f"label_column is {label_column!r}; it must be a column's name or number") from None
        except ValueError:
            shown = ", ".join(first[:10]) + (", ..." if len(first) > 10 else "")
            raise DataError(f"{name} has no column called {label_column}; its first row is {shown}") from None
        if number == 0 or abs(number) > len(first):
            raise DataError(
                f"{name} has no column {number} for the labels; it has columns 1 to {len(first)}, and -1 is the last"
            )
        return number - 1 if number > 0 else len(first) + number

    def _columns(self, has_header: bool, label: int | None) -> _Columns:
        if has_header and not self._second:
            raise DataError(f"{self._source.name} has a header but no rows; give it one row per sample")
        return _Columns(self.n_columns, self._first if has_header else None, label)

    def _read(self, columns: _Columns) -> tuple[Float32Array, dict[str, int]]:
        """Return all rows (n, columns), each label being replaced by its number in the dict."""
        codes: dict[str, int] = {}
        skipped = 0 if columns.header is None else self._first_line
        table, reason = None, "unknown"
        with _open_text(self._source) as file:
            try:
                with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
                    table = np.loadtxt(
                        file,
                        np.float32,
                        comments=None,
                        delimiter=self._delimiter,
                        converters=None
                        if columns.label is None
                        else {columns.label: lambda label: codes.setdefault(label.strip(), len(codes))},
                        skiprows=skipped,
                        ndmin=2,
                        encoding=None,
                        quotechar='"',
                    )
            except (UnicodeDecodeError, DataError):
                raise
            except ValueError as error:
                reason = str(error)
        if table is None or "" in codes or not all_finite(table):
            self._raise_first_fault(columns, skipped)
            raise DataError(f"{self._source.name} cannot be read as a table: {reason}")
        return table, codes

    def _raise_first_fault(self, columns: _Columns, skipped: int) -> None:
        """Go through the rows cell by cell and raise DataError about the first that is wrong."""
        with _open_text(self._source) as file:
            for line, row in _rows(file, self._delimiter):
                if line <= skipped:
                    continue
                if len(row) != columns.n:
                    raise DataError(
                        f"{self._source.name}: row {line} has {len(row)} columns where the first row has {columns.n}"
                    )
                for index, cell in enumerate(row):
                    fault = columns.fault(index, cell)
                    if fault:
                        raise DataError(f"{self._source.name}: row {line}, {columns.name(index)} {fault}")


class _Columns(NamedTuple):
    """The columns of a table: their names where there is a header, and the index of the labels where there are any."""

    n: int
    header: list[str] | None
    label: int | None

    def name(self, index: int) -> str:
        """What messages call a column."""
        return f"column {index + 1}" + (f" ({self.header[index]})" if self.header else "")

    def fault(self, index: int, cell: str) -> str | None:
        """Say what is wrong with a cell, None where nothing is."""
        if index == self.label:
            return None if cell else "is empty; every row needs a label"
        value = _number(cell)
        if value is None:
            return f"is {cell!r}, not a number; inputs must be numbers" if cell else "is empty; inputs must be numbers"
        return None if abs(value) <= _LARGEST else f"is {cell}; inputs must be finite float32 numbers"


@contextmanager
def _open_text(source: Source) -> Iterator[TextIO]:
    """Open the text; every way in which reading it can fail becomes a DataError."""
    try:
        with source.decompressed() as binary:
            yield io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError:
        raise NotTextError(f"{source.name} is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{source.name} is not a CSV file: {error}") from None


def _delimiter(file: TextIO) -> str:
    """Return what separates the cells of the first row that is not blank, and go back to the start."""
    first = next((line for line in file if line.strip("\r\n")), "")
    file.seek(0)
    return next((mark for mark in ",;\t" if mark in first), ",")


def _rows(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its last line in the file, from 1."""
    reader = csv.reader(file, delimiter=delimiter)
    for row in reader:
        if row:
            yield reader.line_num, [cell.strip() for cell in row]


def _number(cell: str) -> float | None:
    """Return the number in a cell, None where there is none; unlike `float`, take neither 1_000 nor non-ASCII digits.

    >>> _number("-1.5e3"), _number("1_000")
    (-1500.0, None)
    """
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None
