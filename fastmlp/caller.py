"""Warnings that name the line of the caller's own code, however deep in the package they arise."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["warn_caller"]

_PACKAGE = os.path.join(os.path.dirname(__file__), "")  # noqa: PTH118, PTH120 - a frame names its file as text


def warn_caller(message: str | Warning, category: type[Warning] = UserWarning) -> None:
    """Warn as if from the line, outside this package, that called into it.

    A fixed `stacklevel` would be wrong for all ways to the warning but one.
    """
    level, frame = 2, sys._getframe(1)
    while frame.f_code.co_filename.startswith(_PACKAGE) and frame.f_back is not None:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
