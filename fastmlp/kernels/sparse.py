"""The hidden layer on sparse rows: a product with a zero input adds nothing, so zeros are skipped, exactly.

Sums run over the input's columns (forward) or the batch's samples (update) in ascending order, one multiply-add each,
as in `dense.py`: skipping zeros changes no bit of the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .compiled import kernel
from .simd import add, axpy, broadcast, load, relu, store, units

__all__ = [
    "BatchColumns",
    "SparseRows",
    "sparse_hidden_forward",
    "sparse_update_W1",
    "transpose_batch",
]

_ZERO = np.float32(0.0)


class SparseRows(NamedTuple):
    """Inputs X (n, D) without their zeros, row after row (the CSR format)."""

    starts: NDArray[np.int64]  # (n + 1,): row i is columns[starts[i] : starts[i + 1]], with its values
    columns: NDArray[np.int32]  # (nonzeros,), ascending in each row
    values: NDArray[np.float32]  # (nonzeros,)


class BatchColumns(NamedTuple):
    """One batch of X by columns (the CSC format): which samples have a nonzero there."""

    ends: NDArray[np.int64]  # (D,): column d is samples[ends[d - 1] : ends[d]], from 0 where d is 0
    samples: NDArray[np.int32]  # (nonzeros of the largest batch,): position in the batch, ascending
    values: NDArray[np.float32]  # (nonzeros of the largest batch,)


@kernel
def sparse_hidden_forward(hidden, W1, b1, rows, batch, lanes):
    """hidden = max(0, X W1 + b1) for one tile.

    Writes hidden (B, units); reads W1 (D, units), b1 (units,), the rows of X numbered by batch (B,).
    """
    bias = load(b1, 0, lanes)
    for i in range(len(batch)):
        acc = bias
        for k in range(rows.starts[batch[i]], rows.starts[batch[i] + 1]):
            acc = axpy(acc, rows.values[k], load(W1, rows.columns[k] * units(lanes), lanes))
        store(relu(acc), hidden, i * units(lanes))


@kernel
def transpose_batch(columns, rows, batch, lanes):
    """The batch by columns, by a counting sort: writes columns; reads the rows of X numbered by batch (B,)."""
    ends = columns.ends
    ends[:] = 0
    for i in range(len(batch)):
        for k in range(rows.starts[batch[i]], rows.starts[batch[i] + 1]):
            ends[rows.columns[k]] += 1
    first = 0
    for d in range(len(ends)):  # from counts to starts
        count = ends[d]
        ends[d] = first
        first += count
    for i in range(len(batch)):
        for k in range(rows.starts[batch[i]], rows.starts[batch[i] + 1]):
            d = rows.columns[k]
            at = ends[d]
            columns.samples[at] = i
            columns.values[at] = rows.values[k]
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
                step = load(dhidden, columns.samples[k] * units(lanes), lanes)
                acc = axpy(acc, columns.values[k], step)
            store(add(load(W1, d * units(lanes), lanes), acc), W1, d * units(lanes))
        start = stop
