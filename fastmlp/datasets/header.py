"""Whether the first row of a text table names its columns: taken where that is certain, and else asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from fastmlp.datasets.cells import Kind, kind_of
from fastmlp.errors import DataError

__all__ = ["LABEL_NAMES", "has_header"]

LABEL_NAMES = (
    ("label", "labels", "class", "classes", "target", "targets"),
    ("digit", "digits", "species", "category", "categories", "class_label", "class_name", "variety", "diagnosis"),
    ("y",),
)
"""What columns of labels are called, in lower case; a name counts where there is none of an earlier group."""
_SURE_LABEL_NAMES = {*LABEL_NAMES[0], *LABEL_NAMES[1]}  # y is a common class too: yes
_FEWEST_ROWS = 10  # below the first, to say that it is another
_SURE_COUNT = 4  # as many numbers that count up are no coincidence


class _Columns:
    """The first row of a table, and what stands below its cells."""

    def __init__(self, first: Sequence[str], below: Sequence[Sequence[str]], decimal: str) -> None:
        self.first = first
        self.below = [row for row in below if len(row) == len(first)]
        self.kinds = [kind_of(cell, decimal) for cell in first]
        kinds_below = [{kind_of(row[j], decimal) for row in self.below} for j in range(len(first))]
        self.of_numbers = {j for j, kinds in enumerate(kinds_below) if _all(kinds, "like_a_number")}
        self.of_text = {j for j, kinds in enumerate(kinds_below) if _all(kinds, "like_text")}
        self.texts = [j for j, kind in enumerate(self.kinds) if kind.like_text]
        self.numbers = [j for j, kind in enumerate(self.kinds) if kind.like_a_number]

    def recurs(self, column: int) -> bool:
        """Whether the first cell of a column stands in it again."""
        return any(row[column] == self.first[column] for row in self.below)

    def counts(self, column: int) -> bool:
        """Whether a column, without its first cell, counts the rows from 0 or 1."""
        cells = [row[column] for row in self.below]
        return any(cells == [str(start + k) for k in range(len(cells))] for start in (0, 1))


def _all(kinds: set[Kind], what: str) -> bool:
    present = kinds - {Kind.MISSING}
    return bool(present) and all(getattr(kind, what) for kind in present)


def has_header(
    name: str, first: Sequence[str], below: Sequence[Sequence[str]], expected: Sequence[str] = (), decimal: str = "."
) -> bool:
    """Say whether the first row of the table in the file `name` is a header; `below` are some of the rows below it.

    `expected` are names of which it is known that a header has them. Raises DataError where both readings fit.

    >>> has_header("own.csv", ["length", "kind"], [["5", "rose"], ["6", "lily"]])
    True
    >>> has_header("own.csv", ["0", "1", "label"], [["5.1", "3.3", "0"], ["6.0", "2.2", "1"]])
    True
    >>> has_header("own.csv", ["5.1", "3.3", "0"], [["6.0", "2.2", "1"]])
    False
    """
    columns = _Columns(first, below, decimal)
    if expected and set(expected) <= set(first):
        return _has_expected(name, columns, expected)
    texts, numbers = columns.texts, columns.numbers
    if not columns.below:
        return bool(texts) and not numbers
    if any(first[j].lower() in _SURE_LABEL_NAMES and not columns.recurs(j) for j in texts):
        return True
    over_numbers = [j for j in texts if j in columns.of_numbers]
    if not numbers:
        return bool(over_numbers) or (bool(texts) and not columns.of_numbers)
    if any(columns.recurs(j) for j in texts):
        return False
    if over_numbers:
        return _names_beside_numbers(name, columns, over_numbers)
    return _numbers_as_names(name, columns)


def _has_expected(name: str, columns: _Columns, expected: Sequence[str]) -> bool:
    """A first row with the names that a header has: they may be numbers, which a sample may have too."""
    numbers = [cell for cell in expected if kind_of(cell).like_a_number]
    if len(expected) == 1 or len(numbers) < len(expected):
        return True
    alike = any(set(expected) <= set(row) for row in columns.below)
    if len(expected) >= _SURE_COUNT and not alike:
        return True
    raise _unclear(name, "it has the names of the model's inputs", "these are numbers")


def _counted(columns: _Columns) -> int | None:
    """Return the number from which the numbers in the first row count up in ones; None where they do not.

    A few numbers count up by chance, unless they do so from 0 or 1. Beside many, the labels may have another number.
    """
    cells = [columns.first[j] for j in columns.numbers]
    runs = [cells, cells[:-1], cells[1:]] if len(cells) > _SURE_COUNT else [cells]
    for run in runs:
        start = int(run[0]) if run[0].isdecimal() else -1
        if (start in (0, 1) or len(run) >= _SURE_COUNT) and run == [str(start + k) for k in range(len(run))]:
            return start
    return None


def _names_beside_numbers(name: str, columns: _Columns, over_numbers: list[int]) -> bool:
    """A first row with text above numbers, and numbers too."""
    if _counted(columns) is not None and len(columns.numbers) > 1:
        return True
    last = len(columns.first) - 1
    if over_numbers == columns.texts == [last] and len(columns.first) > 2 and len(columns.below) >= _FEWEST_ROWS:
        return True  # the name of the labels beside wavelengths or years, say
    text, number = over_numbers[0], columns.numbers[0]
    raise _unclear(
        name,
        f"column {text + 1} has {columns.first[text]!r} above numbers",
        f"column {number + 1} has the number {columns.first[number]}",
    )


def _numbers_as_names(name: str, columns: _Columns) -> bool:
    """A first row without text above numbers: are its numbers names, as of a frame with numbered columns?"""
    first, numbers, below = columns.first, columns.numbers, columns.below
    decimals = [j for j in numbers if all("." in row[j] or "," in row[j] for row in below)]
    start = _counted(columns)
    if start is not None:
        if first[0] == "" and columns.counts(0):  # above the numbers of the rows
            return True
        if len(numbers) > 1 and len(below) > 1 and (decimals or any(j in columns.of_text for j in numbers)):
            return True
        names = {first[j] for j in numbers}
        alike = any({row[j] for j in numbers} == names or _counts_up([row[j] for j in numbers]) for row in below)
        if len(numbers) >= _SURE_COUNT and not alike:
            return True
        if len(numbers) >= _SURE_COUNT - 1:
            few = f"there are only {len(numbers)} of them"
            raise _unclear(
                name,
                f"its numbers count from {start} to {first[numbers[-1]]}",
                "the rows below it look like it" if alike else few,
            )
    return len(below) >= _FEWEST_ROWS and _unlike_the_others(name, columns, decimals)


def _unlike_the_others(name: str, columns: _Columns, decimals: list[int]) -> bool:
    """A first row with numbers that do not count: years, say, above decimals, or beside a text that comes only once.

    `decimals` are the columns with a number there that have only decimals below.
    """
    first, numbers = columns.first, columns.numbers
    different = len({first[j] for j in numbers}) == len(numbers) > 1
    formatted = different and decimals == numbers and all(first[j].isdecimal() for j in numbers)
    others = [j for j in range(len(first)) if j not in columns.of_numbers and not columns.recurs(j)]
    alone = [j for j in others if min(Counter(row[j] for row in columns.below).values()) > 1]
    if formatted and alone:
        return True
    if alone or (formatted and len(numbers) > 2):
        text = f"{first[alone[0]]!r} comes in no other row" if alone else "its numbers are whole and no others are"
        raise _unclear(name, text, f"column {numbers[0] + 1} has the number {first[numbers[0]]}")
    return False


def _counts_up(cells: list[str]) -> bool:
    try:
        whole = [int(cell) for cell in cells]
    except ValueError:
        return False
    return all(after == before + 1 for before, after in pairwise(whole))


def _unclear(name: str, header: str, sample: str) -> DataError:
    return DataError(
        f"{name}: the first row may be a header, because {header}, or a sample, because {sample}; "
        "say which with --header or --no-header (in Python header=True or header=False)"
    )
