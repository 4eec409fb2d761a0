"""The one way in which this package compiles: at the first call, without the interpreter lock.

Numba's disk cache watches only the file of the function that it keeps, so a compiled function calls
none of another file.
"""

from collections.abc import Callable
from typing import Any

import numba

from fastmlp.kernels.compiled import saved_where_possible


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile what Python calls, kept on disk where that can be.

    >>> compiled(lambda x: x + 1)(1)
    2
    """
    try:
        return saved_where_possible(numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        return numba.njit(nogil=True)(function)


def helper(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile what only compiled functions call; it is kept as a part of those."""
    return numba.njit(nogil=True)(function)
