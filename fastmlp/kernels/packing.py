"""Inputs as the kernels take them: an array of dense rows, or rows without their zeros where that is faster."""

from __future__ import annotations

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array

from .compiled import entry
from .layout import aligned_zeros
from .sparse import ROW_ENTRY, SparseRows
from .team import Member, run_team, share_of
from .tiles import Lanes
from .wide import AHEAD

__all__ = [
    "block_borders",
    "count_nonzeros",
    "fill_sparse_rows",
    "nonzeros_by_row",
    "some_rows",
    "sparse_pays",
    "to_sparse_rows",
]

_SAMPLE_ROWS, _SAMPLE_VALUES = 1000, 4_000_000  # at most, to tell which values there are and how full columns are
_BLOCK_BYTES = 60_000  # of a tile's W1: twice an L1 cache, since a batch does not have all columns of a block
_MOST_BLOCKS = 5  # a block costs each row some cycles


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
def fill_sparse_rows(sparse, X, borders, first, last, lanes):
    """Copy the nonzeros of rows first to last.

    Writes sparse.entries, and sparse.starts but for their first and last column, which say where rows begin and end;
    reads X (n, D) and the borders (blocks + 1,) of the blocks of columns.
    """
    n_blocks = len(borders) - 1
    for i in range(first, last):
        at, stop = sparse.starts[i, 0], sparse.starts[i, n_blocks]
        for p in range(n_blocks):
            sparse.starts[i, p] = at
            d = borders[p]
            while at < stop and d < borders[p + 1]:  # without a branch on the value: the next overwrites a zero
                sparse.entries[at].column = d
                sparse.entries[at].value = X[i, d]
                at += X[i, d] != 0
                d += 1


def nonzeros_by_row(X: Float32Array, n_threads: int) -> tuple[Int64Array, int]:
    """Count the nonzeros of each row of X (n, D) and, in all, the values that are NaN or infinite."""
    counts = np.zeros(len(X), np.int64)
    unusable: list[int] = []

    def work(member: Member) -> None:
        unusable.append(count_nonzeros(counts, X, *share_of(len(X), member), Lanes(1)))

    run_team(n_threads, work)
    return counts, sum(unusable)


def sparse_pays(density: float, vectors: int) -> bool:
    """Whether skipping zeros is faster than register blocks, at this share of nonzeros.

    A nonzero costs its multiply-adds, one per vector of hidden units, and the reading of its column and value and the
    sorting into columns, which all vectors share. Measured on two cores of a Zen 3 (AVX2) on random bytes, an epoch of
    sparse rows takes as long as a dense one at a density of 0.2, 0.3 and 0.4 for 4, 16 and 38 vectors
    (`python bench/forms.py`).
    """
    return density < 0.45 * vectors / (vectors + 6)


def to_sparse_rows(X: Float32Array, counts: Int64Array, lanes: Lanes, batch_size: int, n_threads: int) -> SparseRows:
    """The rows of X (n, D) without their zeros, for a tile of this width; counts (n,) are the nonzeros of each row."""
    borders = block_borders((some_rows(X) != 0).mean(axis=0), lanes, batch_size)
    starts = np.zeros((len(X), len(borders)), np.int64)
    np.cumsum(counts, out=starts[:, -1])
    starts[1:, 0] = starts[:-1, -1]
    sparse = SparseRows(starts, aligned_zeros((int(counts.sum()) + AHEAD,), ROW_ENTRY))
    run_team(
        n_threads,
        lambda member: fill_sparse_rows(sparse, X, borders, *share_of(len(X), member), Lanes(1)),
    )
    return sparse


def some_rows(X: Float32Array) -> Float32Array:
    """Some rows of X (n, D), evenly spread: enough to tell what the others are like."""
    most = min(_SAMPLE_ROWS, max(1, _SAMPLE_VALUES // X.shape[1]))
    return np.ascontiguousarray(X[:: -(-len(X) // most)])


def block_borders(density: Float32Array, lanes: Lanes, batch_size: int) -> Int64Array:
    """Columns at which blocks begin, and D: each block has as many of the columns that a batch is likely to have.

    density (D,) is the share of nonzeros of each column.
    """
    D = len(density)
    blocks = max(1, min(_MOST_BLOCKS, round(4 * lanes.units * D / _BLOCK_BYTES)))
    present = np.cumsum(1 - (1 - density) ** batch_size)
    inner = np.searchsorted(present, present[-1] * np.arange(1, blocks) / blocks)
    return np.array([0, *(inner // 2 * 2), D], np.int64)
