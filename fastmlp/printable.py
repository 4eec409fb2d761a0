"""Names of files, columns and classes in messages: whoever named them must not move the cursor, nor fill the screen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

__all__ = ["printable", "shown"]

# Control characters, half characters (a file's name that is no Unicode), and breaks of lines and paragraphs.
_ESCAPED = {"Cc", "Cs", "Zl", "Zp"}
_TURNING = "\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # the direction of what follows


def printable(value: object) -> str:
    r"""Return `value` as text, with an escape as in a Python string for each character that is none to be seen.

    >>> printable("rose\x1b[2J\n")
    'rose\\x1b[2J\\n'
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        character.encode("unicode_escape").decode("ascii")
        if unicodedata.category(character) in _ESCAPED or character in _TURNING
        else character
        for character in text
    )


def shown(names: Iterable[object], most: int = 5) -> str:
    """Return some names in a row, at most so many, and how many more there are.

    >>> shown("abcdefgh")
    'a, b, c, d, e and 3 more'
    """
    texts = [str(name) for name in names]
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more} more" if more > 0 else "")
