"""Inputs as the kernels take them: an array of dense rows, or rows without their zeros where that is faster."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array

from .compiled import entry
from .layout import aligned_zeros
from .sparse import ROW_ENTRY, SparseRows
from .team import Member, run_team
from .tiles import Lanes

__all__ = ["count_nonzeros", "fill_sparse_rows", "nonzeros_by_row", "sparse_pays", "to_sparse_rows"]


@entry
def count_nonzeros(counts, X, first, last, lanes):
    """Nonzeros of each row, first to last; returns how many values there are NaN or infinite.

    Writes counts (n,); reads X (n, D).
    """
    unusable = 0
    for i in range(first, last):
        count = 0
        for d in range(X.shape[1]):
            count += X[i, d] != 0
            unusable += X[i, d] - X[i, d] != 0  # inf - inf and NaN - NaN are NaN
        counts[i] = count
    return unusable


@entry
def fill_sparse_rows(sparse, X, first, last, lanes):
    """Copy the nonzeros of rows first to last: writes sparse.entries; reads X (n, D), sparse.starts."""
    for i in range(first, last):
        at, stop = sparse.starts[i], sparse.starts[i + 1]
        d = 0
        while at < stop:  # without a branch on the value: a zero is written over by the next
            sparse.entries[at].column = d
            sparse.entries[at].value = X[i, d]
            at += X[i, d] != 0
            d += 1


def _share(n: int, member: Member) -> tuple[int, int]:
    return n * member.rank // member.size, n * (member.rank + 1) // member.size


def nonzeros_by_row(X: Float32Array, n_threads: int) -> tuple[Int64Array, int]:
    """Count the nonzeros of each row of X (n, D) and, in all, the values that are NaN or infinite."""
    counts = np.zeros(len(X), np.int64)
    unusable: list[int] = []

    def work(member: Member) -> None:
        unusable.append(count_nonzeros(counts, X, *_share(len(X), member), Lanes(1)))

    run_team(n_threads, work)
    return counts, sum(unusable)


def sparse_pays(density: float, vectors: int) -> bool:
    """Whether skipping zeros is faster than register blocks, at this share of nonzeros.

    A nonzero costs its multiply-adds, one per vector of hidden units, and the reading of its column and value and the
    sorting into columns, which all vectors share. Measured on two cores of a Zen 3 (AVX2) on random bytes, an epoch of
    sparse rows takes as long as a dense one at a density of 0.16, 0.38 and 0.47 for 4, 16 and 38 vectors
    (`python bench/forms.py`).
    """
    return density < 0.45 * vectors / (vectors + 6)


def to_sparse_rows(X: Float32Array, counts: Int64Array, n_threads: int) -> SparseRows:
    """The rows of X (n, D) without their zeros; counts (n,) says how many nonzeros each row has."""
    starts = np.zeros(len(X) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    sparse = SparseRows(starts, aligned_zeros((int(starts[-1]),), ROW_ENTRY))
    run_team(
        n_threads,
        lambda member: fill_sparse_rows(sparse, X, *_share(len(X), member), Lanes(1)),
    )
    return sparse
