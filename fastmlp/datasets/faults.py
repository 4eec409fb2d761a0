"""What is wrong with a text table that cannot be read: the first cell that is no number, and how many there are."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from fastmlp.datasets.cells import LARGEST, Kind, kind_of
from fastmlp.datasets.columns import Columns, Layout
from fastmlp.datasets.dialect import Row, decimal_mark
from fastmlp.errors import DataError
from fastmlp.printable import shown

__all__ = ["Faults", "find_faults"]

_WHAT = {  # what a cell is, and what to do
    Kind.MISSING: ("a missing value", "fill missing values in, or delete their rows"),
    Kind.DATE: ("a date or a time", "write these as numbers (the days since the first, say), or leave them out"),
    Kind.MONEY: ("an amount of money", "write amounts without the sign of the currency"),
    Kind.PERCENT: ("a percentage", "write percentages without their sign"),
    Kind.DECIMAL_COMMA: (
        "a number with a decimal comma",
        "write 1.5 for 1,5, or use commas in all numbers and semicolons or tabs between them",
    ),
    Kind.DECIMAL_POINT: ("a number with a decimal point where others have a comma", "write all of them alike"),
    Kind.UNCLEAR_COMMA: (
        "either a number with a decimal comma or one with a separator of thousands",
        "write 1.234 for the one and 1234 for the other",
    ),
    Kind.GROUPED: ("not a number because of the separators in it", "write 1000 for 1_000 or 1,000"),
    Kind.TRUTH: ("true or false among other values", "write 1 and 0"),
    Kind.TEXT: (
        "not a number",
        "leave columns of text out, number their values, or say with --label-column where the labels are",
    ),
}
_PLURALS = {
    Kind.MISSING: "missing values",
    Kind.DATE: "dates or times",
    Kind.MONEY: "amounts of money",
    Kind.PERCENT: "percentages",
    Kind.DECIMAL_COMMA: "numbers with a decimal comma",
    Kind.DECIMAL_POINT: "numbers with a decimal point",
    Kind.UNCLEAR_COMMA: "numbers with a comma",
    Kind.GROUPED: "numbers with separators",
    Kind.TOO_LARGE: "numbers too large for float32",
    Kind.TRUTH: "true or false",
    Kind.TEXT: "texts",
}


@dataclass
class Faults:
    """The cells of a table that are no numbers, where inputs should stand: how many of each kind, in which columns."""

    columns: Columns
    labelled: bool = False
    first: tuple[Row, int, Kind] | None = None
    cells: dict[Kind, int] = field(default_factory=dict)
    places: dict[Kind, dict[int, None]] = field(default_factory=dict)
    marks: set[Kind] = field(default_factory=set)

    def add(self, row: Row, column: int, kind: Kind) -> None:
        """Take note of a cell."""
        if self.first is None:
            self.first = row, column, kind
        self.cells[kind] = self.cells.get(kind, 0) + 1
        self.places.setdefault(kind, {})[column] = None

    @property
    def decimal_commas(self) -> bool:
        """Whether numbers were written with decimal commas, for certain, while points were looked for."""
        return decimal_mark(self.marks) == ","

    def error(self) -> DataError | None:
        """Return the error about the first such cell, which counts the others; None where there is none."""
        if self.first is None:
            return None
        row, column, kind = self.first
        cell = row.cells[column]
        place = f"{self.columns.name}: row {row.line}, {self.columns.called(column)}"
        if kind is Kind.TOO_LARGE:
            what, advice = f"{place} is {cell}; inputs must be finite float32 numbers", ""
        else:
            name, advice = _WHAT[kind]
            said = f"is {cell!r}, {name}" if cell else "is empty"
            what, advice = f"{place} {said}; inputs must be numbers", f": {advice}"
        others = [f"{n} {_PLURALS[each]} in {self._names(each)}" for each, n in self.cells.items() if each is not kind]
        if self.cells[kind] > 1:
            others.insert(0, f"{self.cells[kind]} such cells in {self._names(kind)}")
        can_be_encoded = self.labelled and self.cells.keys() <= {Kind.MISSING, Kind.TEXT}
        hint = "; or have --preprocess auto fill in and encode them" if can_be_encoded else ""
        return DataError(f"{what}{advice}" + (f" (in all {', '.join(others)})" if others else "") + hint)

    def _names(self, kind: Kind) -> str:
        header, places = self.columns.header, self.places[kind]
        names = [header[j] if header and header[j] else str(j + 1) for j in places]
        return f"the column{'s' if len(names) > 1 else ''} {shown(names)}"


def find_faults(rows: Iterable[Row], columns: Columns, layout: Layout) -> Faults:
    """Go through all rows and return what is wrong with the inputs.

    Raises DataError for a row that is longer or shorter than the first, and for an empty label.
    """
    faults, label = Faults(columns, layout.label is not None), layout.label
    inputs = [j for j in range(columns.n) if j not in layout.ignored and j != label]
    for row in rows:
        if not any(row.cells) and columns.n > 1:
            raise DataError(f"{columns.name}: row {row.line} is empty but for its separators; delete it")
        if len(row.cells) != columns.n:
            raise DataError(
                f"{columns.name}: row {row.line} has {len(row.cells)} columns where the first row has {columns.n}"
            )
        if label is not None and not row.cells[label]:
            raise DataError(
                f"{columns.name}: row {row.line}, {columns.called(label)} is empty; every row needs a label"
            )
        text = "".join([row.cells[j] for j in inputs])
        if layout.decimal == "." and _is_plain(text) and _are_numbers([row.cells[j] for j in inputs]):
            if "." in text:
                faults.marks.add(Kind.NUMBER)
            continue
        for j in inputs:
            kind = kind_of(row.cells[j], layout.decimal)
            if kind is not Kind.NUMBER and not (kind is Kind.TRUTH and j in layout.truths):
                faults.add(row, j, kind)
            if "," in row.cells[j] or "." in row.cells[j]:
                faults.marks.add(kind)
    return faults


def _is_plain(text: str) -> bool:
    """Whether `float` reads no more numbers in the text than we do."""
    return text.isascii() and "_" not in text


def _are_numbers(cells: list[str]) -> bool:
    """Whether all cells are numbers of float32, said quickly."""
    try:
        values = list(map(float, cells))
    except ValueError:
        return False
    return not values or (math.isfinite(sum(values)) and max(map(abs, values)) <= LARGEST)
