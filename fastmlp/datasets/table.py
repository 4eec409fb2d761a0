"""A CSV file: one row per sample, one column of labels, numbers in all others."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from fastmlp.arrays import Float32Array
from fastmlp.datasets.dataset import all_finite
from fastmlp.datasets.idx import GZIP_MAGIC
from fastmlp.errors import DataError

_LABEL_NAMES = ("label", "class", "target", "y")
_LARGEST = float(np.finfo(np.float32).max)


class _Layout(NamedTuple):
    """What the first rows of a file tell.

    ``header`` is None where there is none, and ``skip`` is the number of lines up to its end;
    ``label`` is the index of the label column.
    """

    delimiter: str
    header: list[str] | None
    skip: int
    n_columns: int
    label: int

    def column(self, index: int) -> str:
        """Name a column for a person: they are counted from 1."""
        return f"column {index + 1}" + (f" ({self.header[index]})" if self.header else "")


def read_table(path: Path, label_column: str | int | None) -> tuple[Float32Array, list[str]]:
    """Return the inputs (n, D) and the n labels as they are written.

    Parameters
    ----------
    path : Path
        UTF-8 text, plain or gzipped; cells are separated by commas, or by semicolons or tabs where
        the first row has no comma. The first row is a header where no cell of it is a number, or
        only its label is none and the label below is one.
    label_column : str, int or None
        The column's name or its number, counted from 1, or from -1 backwards. None is the
        column called label, class, target or y, else the last.

    Raises
    ------
    DataError
        Where the file is not such a table; the message names the row and the column.
    """
    with _open(path) as file:
        layout = _layout(path, file, label_column)
    codes: dict[str, int] = {}

    def code(label: str) -> int:
        return codes.setdefault(label.strip(), len(codes))

    table, reason = None, "unknown"
    with _open(path) as file:
        try:
            with np.errstate(over="ignore"):  # too large becomes infinite, which is told below
                table = np.loadtxt(
                    file,
                    np.float32,
                    comments=None,
                    delimiter=layout.delimiter,
                    converters={layout.label: code},
                    skiprows=layout.skip,
                    ndmin=2,
                    encoding=None,
                    quotechar='"',
                )
        except UnicodeDecodeError:
            raise
        except ValueError as error:
            reason = str(error)
    if table is None or "" in codes or not all_finite(table):
        with _open(path) as file:
            _raise_first_fault(path, layout, file)
        raise DataError(f"{path} cannot be read as a table: {reason}")
    names = list(codes)
    labels = [names[int(number)] for number in table[:, layout.label]]
    return np.delete(table, layout.label, axis=1), labels


@contextmanager
def _open(path: Path) -> Iterator[TextIO]:
    """Open text that may be gzipped; tell every way in which reading it fails in a sentence."""
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == GZIP_MAGIC
        with gzip.open(path) if zipped else path.open("rb") as binary:
            yield io.TextIOWrapper(binary, encoding="utf-8-sig", newline="")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; save it as CSV in UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged, it cannot be decompressed ({error})") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a CSV file: {error}") from None


def _delimiter(file: TextIO) -> str:
    """Return what separates the cells of the first row, and go back to the start."""
    first = file.readline()
    file.seek(0)
    return next((mark for mark in ",;\t" if mark in first), ",")


def _rows(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with its number in the file, from 1."""
    reader = csv.reader(file, delimiter=delimiter)
    for row in reader:
        if row:
            yield reader.line_num, [cell.strip() for cell in row]


def _number(cell: str) -> float | None:
    """Return what a cell says as a number, None where it says none."""
    try:
        return None if "_" in cell else float(cell)  # Python reads 1_000, no other program does
    except ValueError:
        return None


def _layout(path: Path, file: TextIO, label_column: str | int | None) -> _Layout:
    """Find the header, if there is one, and the label column."""
    delimiter = _delimiter(file)
    rows = _rows(file, delimiter)
    first_number, first = next(rows, (0, []))
    if not first:
        raise DataError(f"{path} is empty; give it one row per sample")
    if len(first) < 2:
        raise DataError(
            f"{path} has one column only; it needs a label and at least one number in each row, separated by commas"
        )
    _, second = next(rows, (0, []))
    texts = [index for index, cell in enumerate(first) if _number(cell) is None]
    label = _named_column(path, first, label_column)
    has_header = (
        len(texts) == len(first)
        or (isinstance(label_column, str) and label_column in first)
        or (texts == [label] and len(second) > label and _number(second[label]) is not None)
    )
    if has_header and not second:
        raise DataError(f"{path} has a header but no rows; give it one row per sample")
    return _Layout(delimiter, first if has_header else None, first_number if has_header else 0, len(first), label)


def _named_column(path: Path, first: list[str], label_column: str | int | None) -> int:
    """Return the index of the label column."""
    if label_column is None:
        names = [cell.lower() for cell in first]
        found = [names.index(name) for name in _LABEL_NAMES if name in names]
        return found[0] if found else len(first) - 1
    if label_column in first:
        return first.index(str(label_column))
    try:
        number = int(label_column)
    except ValueError:
        names = first[:10] + (["..."] if len(first) > 10 else [])
        raise DataError(f"{path} has no column called {label_column}; its first row is {', '.join(names)}") from None
    if number == 0 or abs(number) > len(first):
        raise DataError(
            f"{path} has no column {number} for the labels; it has columns 1 to {len(first)}, and -1 is the last"
        )
    return number - 1 if number > 0 else len(first) + number


def _raise_first_fault(path: Path, layout: _Layout, file: TextIO) -> None:
    """Go through the file cell by cell and tell where it is wrong first."""
    for number, row in _rows(file, layout.delimiter):
        if number <= layout.skip:
            continue
        if len(row) != layout.n_columns:
            raise DataError(f"{path}: row {number} has {len(row)} columns where the first row has {layout.n_columns}")
        for index, cell in enumerate(row):
            place = f"{path}: row {number}, {layout.column(index)}"
            if index == layout.label:
                if not cell:
                    raise DataError(f"{place} is empty; every row needs a label")
                continue
            value = _number(cell)
            if value is None:
                told = f"is {cell!r}, not a number" if cell else "is empty"
                raise DataError(f"{place} {told}; inputs must be numbers")
            if not abs(value) <= _LARGEST:
                raise DataError(f"{place} is {cell}; inputs must be finite float32 numbers")
