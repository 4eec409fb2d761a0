"""Text in a CSV file that somebody may open in a spreadsheet program, which runs what looks like a formula."""

from __future__ import annotations

import re

__all__ = ["as_text_cell"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def as_text_cell(text: str) -> str:
    """Return `text` for a cell: with an apostrophe before what a spreadsheet would take for a formula.

    A number is one, and stays as it is.

    >>> as_text_cell("=1+1"), as_text_cell("-1"), as_text_cell("rose")
    ("'=1+1", '-1', 'rose')
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
