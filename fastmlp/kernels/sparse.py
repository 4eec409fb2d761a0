"""The hidden layer on sparse rows: a product with a zero input adds nothing, so zeros are skipped, exactly.

Sums run over the input's columns (forward) or the batch's samples (update) in ascending order, one multiply-add each,
as in `dense.py`: skipping zeros changes no bit of the result.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from .compiled import INLINED_OPTIONS, kernel
from .lanewise import relu
from .rows import add_entry
from .simd import axpy, broadcast, element, load, load_rows, store_rows
from .steps import moves_alone, take_step
from .tags import row_pair, units

__all__ = [
    "COLUMN_ENTRY",
    "ROW_ENTRY",
    "SparseRows",
    "sparse_by_column",
    "sparse_hidden_forward_two",
    "sparse_update_W1",
]

# A nonzero and its place side by side, since they are read together. A place is unsigned: a signed index may count from
# the end, for which Numba would look each time.
ROW_ENTRY = np.dtype([("column", np.uint32), ("value", np.float32)], align=True)
COLUMN_ENTRY = np.dtype([("sample", np.uint32), ("value", np.float32)], align=True)
_ZERO = np.float32(0.0)
_ONE = np.uint64(1)


class SparseRows(NamedTuple):
    """Inputs X (n, D) without their zeros, row after row, each row cut into blocks of columns."""

    starts: NDArray[np.int64]  # (n, blocks + 1): block p of row i is entries[starts[i, p] : starts[i, p + 1]]
    entries: NDArray[np.void]  # of ROW_ENTRY, columns ascending in each row


@overload(add_entry, jit_options=INLINED_OPTIONS)
def _add_nonzero(acc, X, k, W1, lanes):
    if getattr(X, "instance_class", None) is not SparseRows:
        return None

    def add(acc, X, k, W1, lanes):
        return axpy(acc, X.entries[k].value, load(W1, X.entries[k].column * units(lanes), lanes))

    return add


@kernel
def sparse_hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    """hidden = max(0, X W1 + b1) for two narrow tiles at once, of rows in one block: an entry is read once for both.

    Writes hidden (2, room, units); reads W1 (2, D padded to 2, units), b1 (2, units), the rows of X numbered by batch.
    """
    two, width = row_pair(lanes), units(lanes)
    tile, room = W1.shape[1] * width, hidden.shape[1] * width
    bias = load_rows(b1, 0, width, two)
    for i in range(len(batch)):
        acc = bias
        for k in range(X.starts[batch[i], 0], X.starts[batch[i], 1]):
            acc = axpy(acc, X.entries[k].value, load_rows(W1, X.entries[k].column * width, tile, two))
        store_rows(relu(acc), hidden, i * width, room)


@kernel
def sparse_by_column(columns, X, batch, lanes):
    """The batch by columns: column d is entries[d room : ends[d]], samples ascending.

    Writes columns: ends (D,) and entries (D room,) of COLUMN_ENTRY; reads the rows of X numbered by batch (B,).
    """
    ends, room, n_blocks = columns.ends, columns.room, X.starts.shape[1] - 1
    for d in range(len(ends)):
        ends[d] = d * room
    for i in range(len(batch)):
        row = batch[i] * (n_blocks + 1)
        for k in range(element(X.starts, row), element(X.starts, row + n_blocks)):
            d = X.entries[k].column
            at = ends[d]
            columns.entries[at].sample = i
            columns.entries[at].value = X.entries[k].value
            ends[d] = at + _ONE


@kernel
def sparse_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile, column by column: a row of W1 is read and written once per batch.

    The batch is summed before it changes W1: a weight that took each sample's small share alone would round it.

    Writes W1 (D, units) and the state of step; reads dhidden (B, units) and columns, the batch by columns.
    """
    for d in range(len(columns.ends)):
        start, stop = d * columns.room, element(columns.ends, d)
        if start < stop or moves_alone(step):
            acc = broadcast(_ZERO, lanes)
            for k in range(start, stop):
                row = load(dhidden, columns.entries[k].sample * units(lanes), lanes)
                acc = axpy(acc, columns.entries[k].value, row)
            take_step(W1, d * units(lanes), 0, acc, step)
