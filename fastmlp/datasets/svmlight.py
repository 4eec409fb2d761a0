"""Text in the format of svmlight and libsvm, a row `label index:value ...` a sample: read as a sparse matrix.

Such a file says neither whether its columns count from 1, as in the format's description, or from 0, nor how many there
are. They count from 0 where an index 0 occurs, in the file or in one that it is read with, and else from 1.
"""

from __future__ import annotations

import bz2
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import SparseMatrix
from fastmlp.datasets.limits import bounded
from fastmlp.datasets.source import Source
from fastmlp.datasets.sparse import as_csr, widened
from fastmlp.errors import DataError, FastmlpError, MissingLibraryError

__all__ = ["SparseTable", "counted_alike", "is_svmlight_name", "looks_like_svmlight", "read_svmlight", "together"]

_SUFFIXES = (".svm", ".svmlight", ".libsvm")
_BZIP2_MAGIC = b"BZh"
_LOOKED_AT = 1 << 16  # bytes
_ROW = re.compile(rb"[-+]?[\d.][\d.,]*([eE][-+]?\d+)?(\s+qid:\d+)?(\s+-?\d+:[^\s:]+)*\s*(#.*)?")
_PAIR = re.compile(rb"\s-?\d+:[^\s:]")


class SparseTable(NamedTuple):
    """A matrix X (n, D) of a file, its labels y (n,), and what number the file gives the first column, 0 or 1."""

    X: SparseMatrix
    y: NDArray[Any]
    first_column: int


def is_svmlight_name(name: str) -> bool:
    """Whether a file's name ends as those of svmlight files do.

    >>> is_svmlight_name("a9a.svm.bz2"), is_svmlight_name("a9a.csv")
    (True, False)
    """
    lower = name.lower()
    return Path(Path(lower).stem if lower.endswith((".gz", ".bz2")) else lower).suffix in _SUFFIXES


def looks_like_svmlight(source: Source) -> bool:
    """Whether the beginning of a text is written as svmlight's rows are, and of nothing else.

    >>> looks_like_svmlight(Source("a9a", b"-1 3:1 11:0.5\\n+1 5:1\\n")), looks_like_svmlight(Source("own", b"1,2\\n"))
    (True, False)
    """
    try:
        with _unpacked(source) as file:
            start = file.read(_LOOKED_AT)
    except (DataError, EOFError):
        return False  # the reader says what is wrong
    lines = start.splitlines()
    if len(start) == _LOOKED_AT:
        lines = lines[:-1]  # cut off
    rows = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith(b"#")]
    return any(map(_PAIR.search, rows)) and all(map(_ROW.fullmatch, rows))


def read_svmlight(source: Source) -> SparseTable:
    """Return the matrix and the labels of a text in svmlight's format, plain or compressed by gzip or bzip2.

    Raises DataError for anything else; MissingLibraryError where scikit-learn, which reads it, is not installed.
    """
    try:
        from sklearn.datasets import load_svmlight_file
    except ImportError:
        raise MissingLibraryError("reading svmlight files needs scikit-learn: pip install 'fastmlp[sklearn]'") from None
    name = source.name
    try:
        with _unpacked(source) as file:
            X, y = load_svmlight_file(file, dtype=np.float32, zero_based=True)
    except (FastmlpError, OSError):
        raise
    except MemoryError as error:
        raise DataError(f"{name} is larger than the memory, or damaged ({error})") from None
    except Exception as error:  # noqa: BLE001 - whatever the reader raises over a text that it cannot read
        raise DataError(
            f"{name} is not in svmlight's format, a row `label index:value ...` with one numeric label ({error})"
        ) from None
    if X.nnz == 0:
        raise DataError(f"{name} has no value in any row")
    first = min(int(X.indices.min()), 1)
    return SparseTable(as_csr(widened(X, X.shape[1] - first, shift=-first), name), y, first)


def counted_alike(name: str, X: SparseMatrix, first_column: int, wanted: int | None) -> SparseMatrix:
    """Return X, of a file whose columns seem to count from `first_column`, as one that counts from `wanted`.

    Raises DataError where the file has an index 0, and `wanted` is 1.
    """
    if wanted is None or wanted == first_column:
        return X
    if wanted == 1:
        raise DataError(f"{name} has the column index 0, and the columns of the model's training data count from 1")
    return widened(X, X.shape[1] + 1, shift=1)


def together(tables: Sequence[tuple[str, SparseMatrix, int | None]]) -> list[SparseMatrix]:
    """Return matrices (name, X, first column) that belong together with the same columns, as many as the widest has.

    Those whose first column is None say themselves how many they have, and stay as they are.
    """
    first = min((first for _, _, first in tables if first is not None), default=None)
    found = [X if own is None else counted_alike(name, X, own, first) for name, X, own in tables]
    width = max(X.shape[1] for X in found)
    return [
        X if own is None or X.shape[1] == width else widened(X, width)
        for X, (_, _, own) in zip(found, tables, strict=True)
    ]


@contextmanager
def _unpacked(source: Source) -> Iterator[BinaryIO]:
    """Open a text, decompressed as it is read, to a limit (see `limits`)."""
    with source.open() as file:
        packed = file.read(len(_BZIP2_MAGIC)) == _BZIP2_MAGIC
        file.seek(0)
        if packed:
            try:
                yield bounded(bz2.BZ2File(file), source.name)  # type: ignore[arg-type]
            except (EOFError, OSError) as error:
                raise DataError(
                    f"{source.name} is damaged, it cannot be decompressed ({error}); get it again"
                ) from None
    if not packed:
        with source.decompressed() as file:
            yield file
