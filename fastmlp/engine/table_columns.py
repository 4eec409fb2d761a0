"""How the columns of a table become the inputs of a net: numbers, missing ones filled in, and text as one-hot."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["MISSING", "TableColumn", "check_table_columns", "names_of_inputs"]

MISSING = ""
"""The category of cells without a value: no text that stands in a table is empty."""


class TableColumn(NamedTuple):
    """A column of a table: of numbers, with what fills in missing ones (None: none may be missing); or of text.

    Text becomes an input for each of its `categories`, 1 where the cell holds that one and 0 elsewhere.
    """

    name: str
    fill: float | None = None
    categories: tuple[str, ...] | None = None


def names_of_inputs(columns: Sequence[TableColumn]) -> tuple[str, ...]:
    """Return what the inputs made of some columns are called.

    >>> names_of_inputs([TableColumn("age", 37.0), TableColumn("colour", None, ("", "red"))])
    ('age', 'colour=missing', 'colour=red')
    """
    return tuple(
        name
        for column in columns
        for name in (
            [column.name]
            if column.categories is None
            else [f"{column.name}={category or 'missing'}" for category in column.categories]
        )
    )


def check_table_columns(value: Any, n: int) -> tuple[TableColumn, ...]:
    """Return columns, each a TableColumn or a mapping of its fields, that make n inputs.

    Raises InvalidTypeError or InvalidValueError for anything else.

    >>> check_table_columns([{"name": "age", "fill": 37, "categories": None}], 1)
    (TableColumn(name='age', fill=37.0, categories=None),)
    """
    try:
        columns = tuple(_checked(**(each._asdict() if isinstance(each, TableColumn) else each)) for each in value)
    except InvalidTypeError:
        raise
    except TypeError:
        raise InvalidTypeError("table_columns must be TableColumns, each with a name, a fill and categories") from None
    made, names = len(names_of_inputs(columns)), {column.name for column in columns}
    if made != n or len(names) != len(columns):
        raise InvalidValueError(
            f"table_columns has {len(names)} names for {len(columns)} columns, which make {made} inputs; this net "
            f"needs {n}"
        )
    return columns


def _checked(name: Any, fill: Any, categories: Any) -> TableColumn:
    if not isinstance(name, str):
        raise InvalidTypeError(f"table_columns has the name {name!r}; it must be a text")
    if categories is None:
        if fill is None:
            return TableColumn(name)
        if isinstance(fill, bool) or not isinstance(fill, (int, float)) or not math.isfinite(fill):
            raise InvalidValueError(f"table_columns fills {name} with {fill!r}; it must be a finite number")
        return TableColumn(name, float(fill))
    listed = categories if isinstance(categories, (list, tuple)) else ()
    if fill is not None or not listed or not all(isinstance(each, str) for each in listed):
        raise InvalidValueError(f"table_columns must have texts as the categories of {name}, and nothing to fill in")
    if len(set(listed)) != len(listed):
        raise InvalidValueError(f"table_columns has a category of {name} twice")
    return TableColumn(name, None, tuple(listed))
