"""What a cell of a text table holds: a number, nothing, or something that only a person takes for a number."""

from __future__ import annotations

import re
from enum import Enum, auto

import numpy as np

__all__ = ["LARGEST", "SWAPPED", "TRUTH", "Kind", "kind_of", "number", "number_or_truth"]

LARGEST = float(np.finfo(np.float32).max)
SWAPPED = str.maketrans(",.", ".,")
"""Turns decimal commas into points, and back."""
TRUTH = {"true": 1.0, "false": 0.0}
_MISSING = frozenset(("", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "?", "-", "missing"))


class Kind(Enum):
    """What a cell holds."""

    NUMBER = auto()
    TRUTH = auto()  # true or false
    MISSING = auto()
    TOO_LARGE = auto()  # for float32, or infinite
    DATE = auto()  # or a time
    MONEY = auto()
    PERCENT = auto()
    DECIMAL_COMMA = auto()
    DECIMAL_POINT = auto()  # where the others have a comma
    UNCLEAR_COMMA = auto()  # 1,234: of the decimals, or of the thousands?
    GROUPED = auto()  # 1_000, 1'000, 1,000,000
    TEXT = auto()

    @property
    def like_a_number(self) -> bool:
        """Whether a person sees a number, however it is written."""
        return self in _LIKE_NUMBERS

    @property
    def like_text(self) -> bool:
        """Whether a person sees no number, though something."""
        return self is not Kind.MISSING and self not in _LIKE_NUMBERS


_LIKE_NUMBERS = {
    Kind.NUMBER,
    Kind.TRUTH,
    Kind.TOO_LARGE,
    Kind.DECIMAL_COMMA,
    Kind.DECIMAL_POINT,
    Kind.UNCLEAR_COMMA,
    Kind.GROUPED,
}
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CURRENCY = r"([$€£¥₹]|usd|eur|gbp|chf|jpy)"
_PATTERNS = [
    (kind, re.compile(pattern, re.IGNORECASE | re.ASCII))
    for kind, pattern in (
        (Kind.UNCLEAR_COMMA, r"[+-]?[1-9]\d{0,2},\d{3}"),
        (Kind.GROUPED, r"[+-]?[1-9]\d{0,2}([,.'’_ \u00a0\u202f]\d{3})+([.,]\d+)?|[+-]?\d+(_\d+)+(\.\d*)?"),
        (Kind.DECIMAL_COMMA, r"[+-]?(\d*,\d+|\d+,)(e[+-]?\d+)?"),
        (Kind.DECIMAL_POINT, r"[+-]?(\d*\.\d+|\d+\.)(e[+-]?\d+)?"),
        (Kind.DATE, r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?([ t]+\d{1,2}:\d{2}.*)?"),
        (Kind.DATE, r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(\d{2})?([ t]+\d{1,2}:\d{2}.*)?"),
        (Kind.DATE, r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[ap]m)?"),
        (Kind.DATE, rf"(\d{{1,2}}[ .-]+)?{_MONTH}[ -]+(\d{{1,2}},? *)?\d{{2,4}}"),
        (Kind.MONEY, rf"[+-]?{_CURRENCY} ?[+-]?\d[\d.,' ]*|[+-]?\d[\d.,' ]*{_CURRENCY}"),
        (Kind.PERCENT, r"[+-]?\d[\d.,]* ?%"),
    )
]


def number(cell: str, decimal: str = ".") -> float | None:
    """Return the number in a cell, None where there is none; unlike `float`, take neither 1_000 nor non-ASCII digits.

    >>> number("-1.5e3"), number("1,5", decimal=","), number("1_000")
    (-1500.0, 1.5, None)
    """
    if decimal == ",":
        cell = cell.translate(SWAPPED)
    try:
        return float(cell) if cell.isascii() and "_" not in cell else None
    except ValueError:
        return None


def kind_of(cell: str, decimal: str = ".") -> Kind:
    """Say what a cell holds, where numbers are written with that decimal mark.

    >>> [kind_of(cell).name for cell in ("7", "NA", "1,5", "1,234", "2024-01-05", "$5", "rose")]
    ['NUMBER', 'MISSING', 'DECIMAL_COMMA', 'UNCLEAR_COMMA', 'DATE', 'MONEY', 'TEXT']
    """
    lower = cell.lower()
    if lower in _MISSING:
        return Kind.MISSING
    value = number(cell, decimal)
    if value is not None:
        return Kind.NUMBER if abs(value) <= LARGEST else Kind.TOO_LARGE
    if lower in TRUTH:
        return Kind.TRUTH
    return next((kind for kind, pattern in _PATTERNS if pattern.fullmatch(cell)), Kind.TEXT)


def number_or_truth(text: str, decimal: str = ".") -> float:
    """Return the number in a cell, 1 and 0 for true and false, NaN for anything else.

    >>> number_or_truth("1.5"), number_or_truth("True"), number_or_truth("rose")
    (1.5, 1.0, nan)
    """
    truth = TRUTH.get(text.strip().lower())
    if truth is not None:
        return truth
    value = number(text, decimal)
    return np.nan if value is None else value
