"""What is handed in for an array and is none, as a generator or a path: one sentence each, that says what to do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from fastmlp.engine.sparse_matrices import is_sparse
from fastmlp.errors import InvalidTypeError

__all__ = ["refuse_stranger"]


def refuse_stranger(name: str, value: Any) -> None:
    """Raise InvalidTypeError where `value` is of a kind that NumPy would make no array of, or a meaningless one.

    >>> refuse_stranger("X", (row for row in [[1, 2]]))
    Traceback (most recent call last):
        ...
    fastmlp.errors.InvalidTypeError: X is a generator, which can be gone through only once: give numpy.array(list(...))
    """
    if isinstance(value, (np.ndarray, list, tuple)) or hasattr(value, "__array__"):
        return
    what = _what_it_is(value)
    if what is not None:
        raise InvalidTypeError(f"{name} is {what}")


def _what_it_is(value: Any) -> str | None:
    """Say what `value` is and what to give instead; None where NumPy may try."""
    kind = type(value).__name__
    if value is None:
        return "None; it must be an array of numbers"
    if isinstance(value, (str, os.PathLike)):
        return f"the text {os.fspath(value)!r}; it must be an array of numbers: fastmlp.load_files reads files"
    if isinstance(value, Mapping):
        return f"a {kind}; it must be one array, or a frame such as pandas.DataFrame(...) makes of it"
    if is_sparse(value):
        return f"a sparse matrix ({kind}); only inputs may be sparse: give its toarray()"
    if hasattr(value, "toarray"):
        return f"a sparse matrix ({kind}) that is not SciPy's: give scipy.sparse.csr_array(...)"
    homes = [base.__module__ for base in type(value).__mro__]
    if any(home.startswith("torch.utils.data.dataloader") for home in homes):
        return f"a torch {kind}, which gives batches: join them to one array with torch.cat([x for x, y in ...])"
    if any(home.startswith("torch.utils.data") for home in homes):
        return f"a torch Dataset ({kind}): stack its samples to one array with numpy.stack([x for x, y in ...])"
    if isinstance(value, Iterator):
        return f"a {kind}, which can be gone through only once: give numpy.array(list(...))"
    if isinstance(value, (set, frozenset)):
        return f"a {kind}, which has no order; give a list or an array"
    return None
