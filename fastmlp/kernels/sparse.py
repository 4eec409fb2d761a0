"""The hidden layer on sparse rows: a product with a zero input adds nothing, so zeros are skipped, exactly.

Sums run over the input's columns (forward) or the batch's samples (update) in ascending order, one multiply-add each,
as in `dense.py`: skipping zeros changes no bit of the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import inlined, kernel
from .lanewise import add, relu
from .simd import axpy, broadcast, load, load_rows, prefetch, row_pair, store, store_rows, units

__all__ = [
    "COLUMN_ENTRY",
    "ROW_ENTRY",
    "BatchColumns",
    "SparseRows",
    "sparse_hidden_forward",
    "sparse_hidden_forward_two",
    "sparse_update_W1",
    "transpose_batch",
]

# A nonzero and its place side by side, since they are read together. A place is unsigned: a signed index may count from
# the end, for which Numba would look each time.
ROW_ENTRY = np.dtype([("column", np.uint32), ("value", np.float32)], align=True)
COLUMN_ENTRY = np.dtype([("sample", np.uint32), ("value", np.float32)], align=True)
_PART_BYTES = 24 * 1024  # of an L1 cache of 32 KB or more
_ZERO = np.float32(0.0)


class SparseRows(NamedTuple):
    """Inputs X (n, D) without their zeros, row after row (the CSR format)."""

    starts: NDArray[np.int64]  # (n + 1,): row i is entries[starts[i] : starts[i + 1]]
    entries: NDArray[np.void]  # (nonzeros,) of ROW_ENTRY, columns ascending in each row


class BatchColumns(NamedTuple):
    """One batch of X by columns (the CSC format): which samples have a nonzero there."""

    ends: NDArray[np.int64]  # (D,): column d is entries[ends[d - 1] : ends[d]], from 0 where d is 0
    entries: NDArray[np.void]  # (nonzeros of the largest batch,) of COLUMN_ENTRY, samples ascending in each column


@inlined
def _row_parts(X, lanes):
    """Into how many parts to cut the rows, so that the weights for a part of one, of usual length, fit the L1 cache."""
    weight_bytes = 4 * units(lanes) * len(X.entries) // max(len(X.starts) - 1, 1)
    return 1 + weight_bytes // _PART_BYTES


@kernel
def sparse_hidden_forward(hidden, W1, b1, X, batch, lanes):
    """hidden = max(0, X W1 + b1) for one tile.

    Each row is cut into parts, and a part of all rows is done before the next: a sample then finds the weights that it
    shares with the one before still in the L1 cache.

    Writes hidden (B, units); reads W1 (D, units), b1 (units,), the rows of X numbered by batch (B,).
    """
    bias = load(b1, 0, lanes)
    parts = _row_parts(X, lanes)
    for part in range(parts):
        for i in range(len(batch)):
            if part == 0:
                if i + 1 < len(batch):  # rows come in random order, which no processor foresees
                    prefetch(X.entries, X.starts[batch[i + 1]], X.starts[batch[i + 1] + 1])
                acc = bias
            else:
                acc = load(hidden, i * units(lanes), lanes)
            start = X.starts[batch[i]]
            length = X.starts[batch[i] + 1] - start
            for k in range(start + length * part // parts, start + length * (part + 1) // parts):
                acc = axpy(acc, X.entries[k].value, load(W1, X.entries[k].column * units(lanes), lanes))
            if part == parts - 1:
                acc = relu(acc)
            store(acc, hidden, i * units(lanes))


@inlined
def sparse_hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    """The same for two tiles at once.

    A narrow tile has so few sums under way that each waits for its last addition; those of the other tile do not.

    Writes hidden (2, room, units); reads W1 (2, D, units), b1 (2, units), the rows of X numbered by batch (B,).
    """
    two, width = row_pair(lanes), units(lanes)
    tile, room = W1.shape[1] * width, hidden.shape[1] * width
    bias = load_rows(b1, 0, width, two)
    for i in range(len(batch)):
        acc = bias
        for k in range(X.starts[batch[i]], X.starts[batch[i] + 1]):
            acc = axpy(acc, X.entries[k].value, load_rows(W1, X.entries[k].column * width, tile, two))
        store_rows(relu(acc), hidden, i * width, room)


@kernel
def transpose_batch(columns, X, batch, lanes):
    """The batch by columns, by a counting sort: writes columns; reads the rows of X numbered by batch (B,)."""
    ends = columns.ends
    for d in range(len(ends)):
        ends[d] = 0
    for i in range(len(batch)):
        for k in range(X.starts[batch[i]], X.starts[batch[i] + 1]):
            ends[X.entries[k].column] += 1
    first = 0
    for d in range(len(ends)):  # from counts to starts
        count = ends[d]
        ends[d] = first
        first += count
    for i in range(len(batch)):
        for k in range(X.starts[batch[i]], X.starts[batch[i] + 1]):
            d = X.entries[k].column
            at = ends[d]
            columns.entries[at].sample = i
            columns.entries[at].value = X.entries[k].value
            ends[d] = at + 1


@kernel
def sparse_update_W1(W1, dhidden, columns, lanes):
    """W1 += X^T dhidden for one tile, column by column: a row of W1 is read and written once per batch.

    The batch is summed before it is added to W1: a weight that took each sample's small share alone would round it.

    Writes W1 (D, units); reads dhidden (B, units) and the batch by columns.
    """
    start = 0
    for d in range(len(columns.ends)):
        stop = columns.ends[d]
        if start < stop:
            acc = broadcast(_ZERO, lanes)
            for k in range(start, stop):
                step = load(dhidden, columns.entries[k].sample * units(lanes), lanes)
                acc = axpy(acc, columns.entries[k].value, step)
            store(add(load(W1, d * units(lanes), lanes), acc), W1, d * units(lanes))
        start = stop
