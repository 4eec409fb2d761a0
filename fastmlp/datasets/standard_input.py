"""What a person names on a command line, where - is standard input."""

from __future__ import annotations

import errno
import os
import sys

from fastmlp.datasets.choice import STANDARD_INPUT
from fastmlp.datasets.source import Source, expand_home
from fastmlp.errors import DataError

__all__ = ["named_source"]


def named_source(name: str | os.PathLike[str]) -> Source:
    """Return the bytes at a path, or those of standard input. Raises DataError where they cannot be read."""
    if os.fspath(name) != STANDARD_INPUT:
        return Source.at(expand_home(name))
    try:
        if sys.stdin is None:  # it was closed by whoever started us
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return Source.once("stdin", sys.stdin.buffer)
    except OSError as error:
        raise DataError(f"{os.fspath(name)} cannot be read: {error.strerror}") from None
