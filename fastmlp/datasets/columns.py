"""Which column of a table holds the labels, and which only numbers the rows: by name, by kind, by values."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.header import LABEL_NAMES
from fastmlp.errors import DataError, InvalidTypeError
from fastmlp.printable import shown

__all__ = [
    "Columns",
    "Layout",
    "is_index_name",
    "is_label_name",
    "label_by_kind",
    "label_by_name",
    "label_by_values",
    "label_column_index",
    "numbers_rows",
]

_INDEX_NAME = re.compile(r"|unnamed: \d+|index|id|level_0|__index_level_0__|row|row[._ ]?(names?|id|number|nr|no)")
_FEWEST_COUNTED = 10  # rows: fewer may count up by chance
_FEW_CLASSES = 10  # may be classes in a short table too
_MOST_CLASSES = 1000  # that numbers in order, from 0 or 1, are taken for


class Columns(NamedTuple):
    """The columns of a table in the file `name`, and what they are called where they have names."""

    name: str
    n: int
    header: Sequence[str] | None

    def called(self, index: int) -> str:
        """Return what messages call a column."""
        return f"column {index + 1}" + (f" ({self.header[index]})" if self.header and self.header[index] else "")

    def name_of(self, index: int) -> str:
        """Return the name of a column, or what messages call it where it has none."""
        return (self.header[index] if self.header else "") or self.called(index)


class Layout(NamedTuple):
    """How the cells of a table are read: the column of labels, those that hold no inputs, those of true and false."""

    label: int | None
    ignored: frozenset[int]
    truths: frozenset[int]
    decimal: str


# --- Labels -----------------------------------------------------------------------------------------------------------


def is_label_name(name: str) -> bool:
    """Whether columns of labels are often called so.

    >>> is_label_name("Species"), is_label_name("length")
    (True, False)
    """
    return any(name.lower() in group for group in LABEL_NAMES)


def label_column_index(columns: Columns, label_column: str | int) -> int:
    """Return the index of the column that a person names: by its name, or by its number from 1 or, backwards, from -1.

    A number is a name where a column is called so. Raises DataError where there is no such column, TypeError for a
    `label_column` that is neither.
    """
    name, n, header = columns
    named = [index for index, cell in enumerate(header or ()) if cell == str(label_column)]
    if len(named) > 1:
        raise DataError(f"{name} has {len(named)} columns called {label_column}; name one by its number")
    if named:
        return named[0]
    try:
        number = int(label_column) if isinstance(label_column, str) else operator.index(label_column)
    except TypeError:
        raise InvalidTypeError(f"label_column is {label_column!r}; it must be a column's name or number") from None
    except ValueError:
        told = f"its columns are {shown(header)}" if header is not None else "it has no header"
        raise DataError(f"{name} has no column called {label_column}; {told}") from None
    if number == 0 or abs(number) > n:
        raise DataError(f"{name} has no column {number} for the labels; it has columns 1 to {n}, and -1 is the last")
    return number - 1 if number > 0 else n + number


def label_by_name(columns: Columns) -> int | None:
    """Return the index of the column that is called as labels are; None where there is none.

    Raises DataError where several are.

    >>> label_by_name(Columns("own.csv", 3, ["x", "y", "Species"]))
    2
    """
    lowered = [cell.lower() for cell in columns.header or ()]
    for group in LABEL_NAMES:
        found = [index for index, cell in enumerate(lowered) if cell in group]
        if group == ("y",) and "x" in lowered and len(lowered) > 2:
            found = []  # these are places
        if len(found) > 1:
            names = " and ".join(columns.called(index) for index in found)
            raise DataError(f"{columns.name}: the labels may stand in {names}; say in which with --label-column")
        if found:
            return found[0]
    return None


def label_by_kind(columns: Columns, of_text: Sequence[int], repeated: Sequence[int]) -> int | None:
    """Return the index of the column that holds text, as only labels do; None where none does.

    `of_text` are the columns that hold text in the first rows, `repeated` those whose values come again there. Raises
    DataError where the last column may hold the labels too.
    """
    last = columns.n - 1
    if last in of_text or not of_text:
        return last if of_text else None
    label = of_text[0]
    if len(of_text) > 1 or label not in repeated:
        return last  # the text is reported, column by column
    if last in repeated:
        raise DataError(
            f"{columns.name}: the labels may stand in {columns.called(label)}, which is text, or in the last, "
            f"{columns.called(last)}; say in which with --label-column (text cannot be an input)"
        )
    warn_caller(
        f"{columns.name}: {columns.called(label)}, the only one of text, was taken for the labels; "
        "--label-column names another"
    )
    return label


def label_by_values(columns: Columns, candidates: tuple[int, int], values: tuple[Float64Array, Float64Array]) -> int:
    """Return the index of the labels, in the first column or the last, and say with a UserWarning which it is.

    Classes are whole numbers, fewer than there are rows; those that count up from 0 or 1 without a gap are a strong
    sign. The last column is taken unless only the first can hold labels. Raises DataError where the first has the
    strong sign and the last may hold classes too, unless the columns have names and the last has that sign as well.
    """
    first, last = candidates
    (first_classes, first_strong), (last_classes, last_strong) = (_classes(column) for column in values)
    named = any(not cell.isdigit() for cell in columns.header or ())
    if first != last and first_strong and last_classes and not (named and last_strong):
        raise DataError(
            f"{columns.name}: the labels may stand in the first column, {columns.called(first)}, or in the last, "
            f"{columns.called(last)}, as both hold a few whole numbers; say in which with --label-column"
        )
    label = first if first_classes and not last_classes else last
    place = "last" if label == last else "first"
    warn_caller(
        f"{columns.name}: the {place} column, {columns.called(label)}, was taken for the labels; "
        "--label-column names another"
    )
    return label


def _classes(column: Float64Array) -> tuple[bool, bool]:
    """Say whether the values of a column may be classes, and whether they count up without a gap, a strong sign."""
    found = np.unique(column)
    whole = bool((found == np.rint(found)).all())
    few = 2 <= len(found) <= max(len(column) / 2, _FEW_CLASSES)
    counted = found[0] in (0, 1) and found[-1] - found[0] == len(found) - 1 < _MOST_CLASSES
    return whole and few, bool(whole and few and counted)


# --- Columns that number the rows -------------------------------------------------------------------------------------


def is_index_name(name: str) -> bool:
    """Whether columns that only number or name the rows are often called so.

    >>> is_index_name("Unnamed: 0"), is_index_name("Id"), is_index_name("width")
    (True, True, False)
    """
    return _INDEX_NAME.fullmatch(name.lower()) is not None


def numbers_rows(values: Sequence[str] | Float64Array, named: bool) -> bool:
    """Whether the values of a column, in the order of the rows, only number these.

    Where the column is named so, they are whole numbers or text, another in each row; where not, they count up from 0
    or 1.

    >>> numbers_rows(["12", "7", "9"], named=True), numbers_rows(["12", "7", "12"], named=True)
    (True, False)
    """
    try:
        numbers = np.asarray(values, np.float64)
    except ValueError:  # text, such as the names of the rows
        return named and len(set(values)) == len(values)
    if named:
        return bool((numbers == np.rint(numbers)).all()) and len(np.unique(numbers)) == len(numbers)
    start = numbers[0]
    return len(numbers) >= _FEWEST_COUNTED and start in (0, 1) and bool((np.diff(numbers) == 1).all())
