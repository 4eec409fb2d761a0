"""How a table of text is written: what separates its cells, and what its decimals."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import NamedTuple, TextIO

from fastmlp.datasets.cells import Kind, kind_of
from fastmlp.datasets.source import Source
from fastmlp.datasets.text import open_text

__all__ = ["Dialect", "Head", "Row", "decimal_mark", "read_head", "rows_of"]

_DELIMITERS = ",;\t"
_SEP_LINE = re.compile(r'"?sep=([^\w\s"]|\t)"?\s*', re.IGNORECASE)  # which spreadsheets write, and take
_MOST_LINES, _MOST_CHARACTERS = 200, 1 << 18
_TRIED_ROWS = 20
_NUMBERS = (Kind.NUMBER, Kind.DECIMAL_COMMA, Kind.UNCLEAR_COMMA, Kind.GROUPED)  # the first also beside commas


class Dialect(NamedTuple):
    """What separates cells, the decimal mark, and how many lines of the file stand before the table."""

    delimiter: str
    decimal: str
    skipped: int


class Row(NamedTuple):
    """The cells of a row, and the number of its last line in the file, from 1."""

    line: int
    cells: list[str]


class Head(NamedTuple):
    """The dialect of a table and its first rows."""

    dialect: Dialect
    rows: list[Row]


def read_head(source: Source) -> Head:
    """Return the dialect of the table in `source` and its first rows. Raises DataError for what is no text.

    >>> read_head(Source("own.csv", b"a;b\\n1,5;2\\n")).dialect
    Dialect(delimiter=';', decimal=',', skipped=0)
    """
    with open_text(source) as file:
        lines, whole = _first_lines(file)
        named = _SEP_LINE.fullmatch(lines[0]) if lines else None
        skipped = 1 if named else 0
        delimiter = named[1] if named else _delimiter(lines)
        rows = list(rows_of(lines, Dialect(delimiter, ".", skipped)))
    if not whole and len(rows) > 2:
        del rows[-1]  # it may go on in the next line
    return Head(Dialect(delimiter, _decimal(delimiter, rows), skipped), rows)


def rows_of(lines: Iterable[str], dialect: Dialect) -> Iterator[Row]:
    """Yield the rows of the table in `lines` that are not blank, their cells without the space around them."""
    lines = iter(lines)
    for _ in islice(lines, dialect.skipped):
        pass
    reader = csv.reader(lines, delimiter=dialect.delimiter)
    for cells in reader:
        if cells:
            yield Row(dialect.skipped + reader.line_num, [cell.strip() for cell in cells])


def _first_lines(file: TextIO) -> tuple[list[str], bool]:
    """Return some lines, and whether these are all."""
    lines: list[str] = []
    n_characters = 0
    for line in file:
        lines.append(line)
        n_characters += len(line)
        if len(lines) >= _MOST_LINES or (n_characters > _MOST_CHARACTERS and len(lines) > 2):
            return lines, next(file, None) is None
    return lines, True


def _delimiter(lines: list[str]) -> str:
    """Return the mark that cuts the first rows into as many cells each, and most of them numbers."""
    first = next((line for line in lines if line.strip("\r\n")), "")
    present = [mark for mark in _DELIMITERS if mark in first]
    return max(present, key=lambda mark: _fit(lines, mark)) if len(present) > 1 else (present or [","])[0]


def _fit(lines: list[str], delimiter: str) -> float:
    """Return 0, where no row has several cells, to 2, where all have equally many and all are numbers."""
    rows = [row.cells for row in islice(rows_of(lines, Dialect(delimiter, ".", 0)), _TRIED_ROWS)]
    width = len(rows[0])
    if width < 2:
        return 0
    kinds = [kind_of(cell) for cell in chain(*rows)]
    accepted = _NUMBERS[:1] if delimiter == "," else _NUMBERS
    alike = sum(len(row) == width for row in rows) / len(rows)
    return alike * (1 + sum(kind in accepted for kind in kinds) / len(kinds))


def _decimal(delimiter: str, rows: list[Row]) -> str:
    if delimiter == ",":
        return "."
    cells = chain(*(row.cells for row in rows))
    return decimal_mark({kind_of(cell) for cell in cells if "," in cell or "." in cell})


def decimal_mark(kinds: set[Kind]) -> str:
    """Return the decimal mark by the kinds of the cells that have a point or a comma: a comma only where it is certain.

    >>> decimal_mark({Kind.DECIMAL_COMMA, Kind.UNCLEAR_COMMA}), decimal_mark({Kind.UNCLEAR_COMMA})
    (',', '.')
    """
    return "," if Kind.DECIMAL_COMMA in kinds and not kinds & {Kind.NUMBER, Kind.GROUPED, Kind.TOO_LARGE} else "."
