"""A table of text, such as CSV: a row per sample, and numbers in all columns but that of the labels, if there is one.

The text is that of `text.py`, and how it is written is found in `dialect.py`: what separates the cells, which may stand
in double quotes, and the decimal mark. Blank lines are skipped. Numbers are written as in `-1.5e3`: not 1_000 or 0x10;
true and false are 1 and 0. Whether the first row is a header is found in `header.py`, and which column holds the
labels in `columns.py`. Columns that only number the rows are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Float64Array, all_finite
from fastmlp.caller import warn_caller
from fastmlp.datasets.cells import LARGEST, SWAPPED, TRUTH, Kind, kind_of, number, number_or_truth
from fastmlp.datasets.columns import (
    Columns,
    Layout,
    is_index_name,
    label_by_kind,
    label_by_name,
    label_by_values,
    label_column_index,
    numbers_rows,
)
from fastmlp.datasets.dialect import Row, read_head, rows_of
from fastmlp.datasets.faults import find_faults
from fastmlp.datasets.header import has_header
from fastmlp.datasets.mixed import MixedColumns, mixed_columns
from fastmlp.datasets.source import Source
from fastmlp.datasets.text import open_text
from fastmlp.engine.table_columns import TableColumn
from fastmlp.errors import DataError
from fastmlp.printable import shown

__all__ = ["LabelledTable", "MixedTable", "Table", "names_of"]

_LOOKED_AT = 20_000  # cells, to find the header and the column of labels
_FEWEST_ROWS = 10
_ROWS_AT_ONCE = 1024
_SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
_Codes = dict[str, int]


class LabelledTable(NamedTuple):
    """The inputs X (n, D) and the n labels of a table, as they are written.

    `feature_names` are those of the inputs where there is a header with another name for each; `notes` say how the
    table was read.
    """

    X: Float32Array
    labels: list[str]
    feature_names: tuple[str, ...] | None
    label_column: str
    notes: tuple[tuple[str, str], ...]


class MixedTable(NamedTuple):
    """The columns of a table that are inputs, of numbers or text, and its labels.

    `named` says whether the columns have names of their own; the rest is as in `LabelledTable`.
    """

    columns: MixedColumns
    labels: list[str]
    label_column: str
    notes: tuple[tuple[str, str], ...]
    named: bool


class Table:
    """A table of text: its making reads the first rows, `inputs` and `inputs_and_labels` read them all.

    `header` says whether the first row is one; None leaves that to the content. All methods raise DataError for what is
    no such table; the messages name row and column, both counted from 1.

    >>> table = Table(Source("flowers.csv", b"length;width;kind\\n5;3;rose\\n6;2;lily\\n"))
    >>> table.n_columns
    3
    >>> X, labels, feature_names, *_ = table.inputs_and_labels()
    >>> X, labels, feature_names
    (array([[5., 3.],
           [6., 2.]], dtype=float32), ['rose', 'lily'], ('length', 'width'))
    """

    def __init__(self, source: Source, *, header: bool | None = None) -> None:
        self._source, self._asked = source, header
        self._dialect, self._head = read_head(source)
        if not self._head:
            raise DataError(f"{source.name} is empty; give it one row per sample")
        parts = self._head[0].cells[0].split()
        if self.n_columns == 1 and len(parts) > 1 and all(number(part) is not None for part in parts):
            raise DataError(f"{source.name} has spaces between its numbers; put commas, semicolons or tabs there")

    @property
    def n_columns(self) -> int:
        """The number of columns, by the first row."""
        return len(self._head[0].cells)

    def columns(self, expected: Sequence[str] = ()) -> Columns:
        """Return the columns with their names; a header has those `expected`. Raises DataError where that is unclear.

        >>> Table(Source("flowers.csv", b"length,width\\n5,3\\n6,2\\n")).columns().header
        ['length', 'width']
        """
        first = self._head[0].cells
        header = self._asked
        if header is None:
            below = [row.cells for row in self._head[1 : 1 + self._n_looked_at]]
            header = has_header(self._source.name, first, below, expected, self._dialect.decimal)
        if header and len(self._head) < 2:
            raise DataError(f"{self._source.name} has a header but no rows; give it one row per sample")
        return Columns(self._source.name, len(first), first if header else None)

    def inputs(self, columns: Columns | None = None, order: Sequence[int] | None = None) -> Float32Array:
        """Return the columns (n, D) at the places in `order`, or all; none of these holds labels.

        >>> Table(Source("flowers.csv", b"length,width\\n5,3\\n6,2\\n")).inputs()
        array([[5., 3.],
               [6., 2.]], dtype=float32)
        """
        columns = self.columns() if columns is None else columns
        kept = range(columns.n) if order is None else order
        ignored = frozenset(range(columns.n)) - set(kept)
        layout = Layout(None, ignored, self._truths(columns), self._dialect.decimal)
        table = self._read(columns, layout, {j: {} for j in ignored})
        return _take(table, kept)

    def inputs_and_labels(self, label_column: str | int | None = None) -> LabelledTable:
        """Return the inputs (n, D) and the n labels as they are written.

        `label_column` is the column's name or its number, counted from 1, or from -1 backwards; None is the column
        that is called as labels are, or the only one of text, else the last, or, where only that can hold classes, the
        first. A UserWarning says which was taken where that is not certain, and which columns were left out. Raises
        TypeError for a `label_column` that is neither.
        """
        if self.n_columns < 2:
            raise DataError(
                f"{self._source.name} has one column only; it needs a label and at least one number in each row, "
                "separated by commas, semicolons or tabs"
            )
        columns = self.columns((label_column,) if isinstance(label_column, str) else ())
        label = self._label_before_reading(columns, label_column)
        named = [j for j, cell in enumerate(columns.header or ()) if is_index_name(cell) and j != label]
        others = [j for j in range(columns.n) if j not in named] or [columns.n - 1]
        candidates = (others[0], others[-1]) if label is None else (label, label)
        watched: dict[int, _Codes] = {j: {} for j in (*candidates, *named)}
        layout = Layout(label, frozenset(watched), self._truths(columns), self._dialect.decimal)
        table = self._read(columns, layout, watched)
        if label is None:
            label = self._label_after_reading(columns, candidates, table, watched)
        layout = layout._replace(label=label, decimal=self._dialect.decimal)
        if "" in watched[label]:
            self._raise_faults(columns, layout)
        dropped = self._without_row_numbers(columns, layout, named, table, watched)
        kept = [j for j in range(columns.n) if j != label and j not in dropped]
        if not kept:
            raise DataError(f"{self._source.name} has no inputs beside its labels and the numbers of its rows")
        feature_names = names_of(columns.header, kept)
        if columns.header is not None and feature_names is None:
            warn_caller(
                f"{columns.name}: some columns have no name, or the same, so columns are known by their places only"
            )
        labels = _texts(table[:, label], watched[label])
        return LabelledTable(
            _take(table, kept),  # which leaves nothing of the table as it was
            labels,
            feature_names,
            columns.header[label] if columns.header else str(label + 1),
            self._notes(columns, label, dropped),
        )

    def mixed(self, label_column: str | int | None = None, wanted: Sequence[TableColumn] | None = None) -> MixedTable:
        """Return columns of numbers, some of which may be missing, and of text, and the n labels; else as above.

        Where a model says with `wanted` which columns hold text, the content does not.

        Raises DataError also where neither names nor kinds say which column holds the labels.
        """
        columns = self.columns((label_column,) if isinstance(label_column, str) else ())
        label = self._label_before_reading(columns, label_column)
        if label is None:
            raise DataError(f"{columns.name}: say with --label-column where the labels are, as no name tells it")
        if wanted is None:
            text = self._columns_of_text(columns, label)
        else:
            of_text = {column.name for column in wanted if column.categories is not None}
            text = [j for j in range(columns.n) if columns.name_of(j) in of_text]
        cells = self._cells(columns, range(columns.n))
        labels = cells.pop(label)
        named = [j for j in cells if _is_index(columns, j)]
        dropped = [j for j in named if set(cells[j]) == {""} or numbers_rows(cells[j], named=True)]
        for j in dropped:
            del cells[j]
        if dropped:
            warn_caller(f"{columns.name}: {shown(map(columns.called, dropped))}, which names the rows, was left out")
        if not cells:
            raise DataError(f"{self._source.name} has no inputs beside its labels and the numbers of its rows")
        values = mixed_columns(columns, cells, text, self._dialect.decimal)
        name = columns.header[label] if columns.header else str(label + 1)
        return MixedTable(values, labels, name, self._notes(columns, label, dropped), columns.header is not None)

    def mixed_inputs(self, columns: Columns, order: Sequence[int], wanted: Sequence[TableColumn]) -> MixedColumns:
        """Return the columns at the places in `order` as the model takes them, which are those `wanted`."""
        cells = self._cells(columns, order)
        text = [j for j, column in zip(order, wanted, strict=True) if column.categories is not None]
        found = mixed_columns(columns, cells, text, self._dialect.decimal)
        return found._replace(
            values={column.name: array for column, array in zip(wanted, found.values.values(), strict=True)}
        )

    # --- Roles of the columns -----------------------------------------------------------------------------------------

    @property
    def _n_looked_at(self) -> int:
        return max(_FEWEST_ROWS, _LOOKED_AT // self.n_columns)

    def _sample(self, columns: Columns) -> list[list[str]]:
        """Return some rows below the header, as far as they have all columns."""
        rows = self._head[0 if columns.header is None else 1 :][: self._n_looked_at]
        return [row.cells for row in rows if len(row.cells) == columns.n]

    def _truths(self, columns: Columns) -> frozenset[int]:
        """Return the columns of true and false."""
        sample = self._sample(columns)
        return frozenset(j for j in range(columns.n) if any(row[j].lower() in TRUTH for row in sample))

    def _label_before_reading(self, columns: Columns, label_column: str | int | None) -> int | None:
        """Return the index of the labels as far as names and the kinds of the first rows say it, else None."""
        if label_column is not None:
            return label_column_index(columns, label_column)
        named = label_by_name(columns)
        if named is not None:
            return named
        sample = self._sample(columns)
        kinds = [{kind_of(row[j], self._dialect.decimal) for row in sample} - {Kind.MISSING} for j in range(columns.n)]
        of_text = [
            j
            for j, found in enumerate(kinds)
            if found and all(kind.like_text for kind in found) and not _is_index(columns, j)
        ]
        last = columns.n - 1
        if any(kind.like_text for kind in kinds[last]):
            of_text = [*(j for j in of_text if j != last), last]
        repeated = [j for j in (*of_text, last) if len({row[j] for row in sample}) < len(sample) and _whole(sample, j)]
        return label_by_kind(columns, of_text, repeated)

    def _label_after_reading(
        self, columns: Columns, candidates: tuple[int, int], table: Float32Array, watched: dict[int, _Codes]
    ) -> int:
        """Return the index of the labels, in the first or the last column, by their values."""
        first, last = (self._numbers(table[:, j], watched[j]) for j in candidates)
        if first is None or last is None:  # some text after all
            return candidates[1]
        return label_by_values(columns, candidates, (first, last))

    def _without_row_numbers(
        self, columns: Columns, layout: Layout, named: list[int], table: Float32Array, watched: dict[int, _Codes]
    ) -> list[int]:
        """Return the columns that only number the rows; what other watched columns hold is put into the table."""
        empty = [j for j in named if set(watched[j]) == {""}]  # where each row ends with a separator
        dropped = [j for j in named if j in empty or numbers_rows(_texts(table[:, j], watched[j]), named=True)]
        for j in watched.keys() - {layout.label, *dropped}:
            values = self._numbers(table[:, j], watched[j])
            if values is None:
                ignored = frozenset(dropped)
                self._raise_faults(columns, layout._replace(ignored=ignored))
            else:
                table[:, j] = values
            if j in named:
                warn_caller(f"{columns.name}: {columns.called(j)} is an input; leave it out if it only names the rows")
        if dropped:
            names = shown(columns.called(j) for j in dropped)
            what = "is empty" if dropped == empty else "only numbers or names the rows"
            warn_caller(f"{columns.name}: {names}, which {what}, was left out")
        elif layout.label != 0 and numbers_rows(table[:, 0].astype(np.float64), named=False):
            warn_caller(
                f"{columns.name}: {columns.called(0)} counts the rows and is an input; leave it out if it only numbers "
                "them"
            )
        return dropped

    def _numbers(self, codes: Float32Array, texts: _Codes) -> Float64Array | None:
        """Return the values (n,) of a watched column, None where one is no number."""
        values = [number_or_truth(text, self._dialect.decimal) for text in texts]
        return np.array(values)[codes.astype(np.int64)] if all(abs(value) <= LARGEST for value in values) else None

    def _notes(self, columns: Columns, label: int, dropped: list[int]) -> tuple[tuple[str, str], ...]:
        delimiter, decimal, _ = self._dialect
        notes = [
            ("separated by", _SEPARATORS.get(delimiter, delimiter) + (", decimal commas" if decimal == "," else "")),
            ("header", "none" if columns.header is None else "the first row"),
            ("labels", columns.called(label)),
        ]
        if dropped:
            notes.append(("left out", shown(columns.called(j) for j in dropped)))
        return tuple(notes)

    # --- Reading ------------------------------------------------------------------------------------------------------

    def _read(self, columns: Columns, layout: Layout, watched: dict[int, _Codes]) -> Float32Array:
        """Return all rows (n, columns), each cell of a watched column being replaced by its number in the dict."""
        table, reason = self._load(columns, layout, watched)
        if table is not None and table.shape[1] == columns.n and all_finite(table):
            return table
        del table
        with self._rows(columns) as rows:
            faults = find_faults(rows, columns, layout)
        if faults.decimal_commas and self._dialect.delimiter != ",":
            self._dialect = self._dialect._replace(decimal=",")
            for codes in watched.values():
                codes.clear()
            return self._read(columns, layout._replace(decimal=","), watched)
        raise faults.error() or DataError(f"{self._source.name} cannot be read as a table: {reason}")

    def _load(self, columns: Columns, layout: Layout, watched: dict[int, _Codes]) -> tuple[Float32Array | None, str]:
        """Return what NumPy reads, and why it could not."""
        decimal = layout.decimal
        converters: dict[int | str, Callable[[str], float]] = {
            j: lambda text: number_or_truth(text, ".") for j in layout.truths
        }
        converters |= {j: _coder(codes, decimal) for j, codes in watched.items()}
        with open_text(self._source) as file:
            lines: Iterator[str] = islice(file, self._skipped(columns), None)
            if decimal == ",":
                lines = (line.translate(SWAPPED) for line in lines)
            try:
                with np.errstate(over="ignore"):  # too large becomes infinite, and is refused by the caller
                    table = np.loadtxt(
                        lines,
                        np.float32,
                        comments=None,
                        delimiter=self._dialect.delimiter,
                        converters=converters or None,
                        ndmin=2,
                        encoding=None,
                        quotechar='"',
                    )
            except (UnicodeDecodeError, DataError):
                raise
            except ValueError as error:
                if error.__cause__ is not None and not isinstance(error.__cause__, ValueError):
                    # Ctrl-C in a converter, say, which NumPy takes for a cell that cannot be read.
                    raise error.__cause__ from None
                return None, str(error)
        return table, ""

    def _skipped(self, columns: Columns) -> int:
        """The lines of the file before the first sample."""
        return self._dialect.skipped if columns.header is None else self._head[0].line

    def _columns_of_text(self, columns: Columns, label: int | None) -> list[int]:
        """Return the columns that hold text; DataError names what is neither number, text nor missing."""
        layout = Layout(label, frozenset(), self._truths(columns), self._dialect.decimal)
        with self._rows(columns) as rows:
            faults = find_faults(rows, columns, layout)
        if faults.decimal_commas and self._dialect.delimiter != "," and layout.decimal != ",":
            self._dialect = self._dialect._replace(decimal=",")
            return self._columns_of_text(columns, label)
        text = list(faults.places.get(Kind.TEXT, ()))
        unclear = {
            j for kind, places in faults.places.items() for j in places if kind is not Kind.MISSING and j not in text
        }
        if unclear:
            self._raise_faults(columns, layout._replace(ignored=frozenset(range(columns.n)) - unclear))
        return text

    def _cells(self, columns: Columns, kept: Sequence[int]) -> dict[int, list[str]]:
        """Return the cells of the columns `kept`, all rows of which have the same length."""
        with self._rows(columns) as rows:
            picked = []
            for row in rows:
                if len(row.cells) != columns.n:
                    raise DataError(
                        f"{columns.name}: row {row.line} has {len(row.cells)} columns where the first row has "
                        f"{columns.n}"
                    )
                picked.append([row.cells[j] for j in kept])
        return {j: list(column) for j, column in zip(kept, zip(*picked, strict=True), strict=True)}

    @contextmanager
    def _rows(self, columns: Columns) -> Iterator[Iterator[Row]]:
        with open_text(self._source) as file:
            yield rows_of(file, self._dialect._replace(skipped=self._skipped(columns)))

    def _raise_faults(self, columns: Columns, layout: Layout) -> None:
        """Go through the rows cell by cell and raise DataError about the first that is wrong."""
        with self._rows(columns) as rows:
            error = find_faults(rows, columns, layout).error()
        if error:
            raise error


def names_of(header: Sequence[str] | None, kept: Sequence[int]) -> tuple[str, ...] | None:
    """Return the names of the columns `kept`, None where one has no name or two have the same.

    >>> names_of(["Id", "a", "b"], [1, 2]), names_of(["a", "a"], [0, 1])
    (('a', 'b'), None)
    """
    if header is None:
        return None
    names = tuple(header[j] for j in kept)
    return names if all(names) and len(set(names)) == len(names) else None


def _take(table: Float32Array, kept: Sequence[int]) -> Float32Array:
    """Return the columns `kept` in this order, C-contiguous, in the memory of the table wherever that is possible."""
    if list(kept) == list(range(table.shape[1])):
        return table
    if sorted(kept) != list(kept):
        return np.take(table, kept, axis=1)
    flat, n, width = table.reshape(-1), len(table), len(kept)
    for start in range(0, n, _ROWS_AT_ONCE):  # what is written lies before what is still to be read
        part = np.take(table[start : start + _ROWS_AT_ONCE], kept, axis=1)
        flat[start * width : start * width + part.size] = part.reshape(-1)
    return flat[: n * width].reshape(n, width)


def _is_index(columns: Columns, index: int) -> bool:
    return columns.header is not None and is_index_name(columns.header[index])


def _whole(sample: list[list[str]], column: int) -> bool:
    """Whether a column holds no fractions."""
    return not any("." in row[column] or "," in row[column] for row in sample)


def _coder(codes: _Codes, decimal: str) -> Callable[[str], float]:
    """Return what gives each text its number in `codes`; `decimal` is a comma where the text comes swapped."""
    if decimal == ",":
        return lambda text: codes.setdefault(text.strip().translate(SWAPPED), len(codes))
    return lambda text: codes.setdefault(text.strip(), len(codes))


def _texts(codes: Float32Array, texts: _Codes) -> list[str]:
    """Return the cells (n,) of a watched column."""
    names = list(texts)
    return [names[int(code)] for code in codes]
