"""What fastmlp raises: every error that is not a bug of ours is a `FastmlpError` and says what to do.

Those that are a caller's mistake are a `ValueError` or a `TypeError` too. The command line shows each as one sentence;
any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

__all__ = [
    "DataError",
    "DivergenceError",
    "FastmlpError",
    "InvalidTypeError",
    "InvalidValueError",
    "MissingLibraryError",
    "ModelFileError",
    "ResultsFileError",
]


class FastmlpError(Exception):
    """The base of all errors of fastmlp's own; the message says what was wrong, and what to do."""


class InvalidValueError(FastmlpError, ValueError):
    """An argument has a value that cannot be used."""


class InvalidTypeError(FastmlpError, TypeError):
    """An argument has the wrong type."""


class DataError(FastmlpError, ValueError):
    """Data is not available, damaged, or not what it should be."""


class ModelFileError(FastmlpError, ValueError):
    """A file holds no net that can be read."""


class ResultsFileError(FastmlpError, ValueError):
    """A file holds no results of a comparison that can be read."""


class DivergenceError(FastmlpError, ArithmeticError):
    """Training has diverged: the loss or a weight is no longer finite, or the loss is far above that of guessing."""


class MissingLibraryError(FastmlpError, ImportError):
    """An optional library is not installed; the message has the pip command that installs it."""
