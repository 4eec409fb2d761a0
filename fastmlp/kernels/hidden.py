"""Which form of input takes which kernel of the hidden layer: the one file in which a form is registered.

A form is a type: `CodedPairs` (`pairs.py`), `SparseRows` (`sparse.py`), or an array (n, D) of dense rows (`dense.py`).
`training_form` chooses it; the kernels call `hidden_forward`, `prepare_columns` and `update_W1`, and Numba takes the
one that fits the type. All forms give the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core import types
from numba.extending import overload

from fastmlp.arrays import Float32Array, Int64Array

from .coding import pairs_pay, share_of_pairs, to_coded_pairs
from .dense import dense_hidden_forward, dense_update_W1
from .layout import room_for
from .packing import sparse_pays, to_sparse_rows
from .pairs import (
    CodedPairs,
    PairColumns,
    pairs_by_column,
    pairs_hidden_forward,
    pairs_update_W1,
)
from .sparse import (
    COLUMN_ENTRY,
    BatchColumns,
    SparseRows,
    sparse_hidden_forward,
    sparse_hidden_forward_two,
    sparse_update_W1,
    transpose_batch,
)
from .tiles import Lanes

__all__ = [
    "Inputs",
    "columns_scratch",
    "hidden_forward",
    "hidden_forward_two",
    "own_columns",
    "prepare_columns",
    "training_form",
    "update_W1",
]

Inputs = Float32Array | SparseRows | CodedPairs
"""Inputs X (n, D) in any form that the kernels take."""


def training_form(
    X: Float32Array, counts: Int64Array, vectors: int, lanes: Lanes, batch_size: int, n_threads: int
) -> Inputs:
    """X (n, D) in the form that is fastest for epochs of a layer of `vectors` vectors, in tiles of this width.

    counts (n,) are its nonzeros by row.
    """
    density = counts.sum() / X.size
    if pairs_pay(density, share_of_pairs(X), vectors, lanes.vectors):
        coded = to_coded_pairs(X, counts, lanes, batch_size, n_threads)
        if coded is not None:
            return coded
    return to_sparse_rows(X, counts, n_threads) if sparse_pays(density, vectors) else X


def columns_scratch(X: Inputs, input_size: int, batch_size: int, n_threads: int) -> Any:
    """Memory for a batch of X by columns, for each thread: (threads, ...); dense rows need none."""
    if isinstance(X, CodedPairs):
        pairs, room = -(-input_size // 2), room_for(batch_size)
        ends = np.zeros((n_threads, pairs), np.uint32)
        return PairColumns(ends, np.zeros((n_threads, pairs * room), np.uint32), room)
    n_columns = n_entries = 0
    if isinstance(X, SparseRows):
        longest = int(np.diff(X.starts).max())
        n_columns, n_entries = input_size, min(batch_size * longest, len(X.entries))
    return BatchColumns(np.zeros((n_threads, n_columns), np.int64), np.zeros((n_threads, n_entries), COLUMN_ENTRY))


def hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile, by the kernel that fits the form of X.

    Rows of the batch `coming` may be asked for meanwhile.
    """
    raise NotImplementedError("for kernels only")


def hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    """hidden_forward for two narrow tiles: hidden (2, room, units), W1 (2, D, units), b1 (2, units); X not in pairs."""
    raise NotImplementedError("for kernels only")


def update_W1(W1, dhidden, X, batch, columns, lanes):
    """W1 += X^T dhidden for one tile, by the kernel that fits the form of X; a sparse batch is read by columns."""
    raise NotImplementedError("for kernels only")


def prepare_columns(columns, X, batch, lanes):
    """A batch of sparse rows by columns, as the update wants it; nothing for dense rows."""
    raise NotImplementedError("for kernels only")


def own_columns(columns, X, rank):
    """The part of `columns` that belongs to the thread `rank`."""
    raise NotImplementedError("for kernels only")


def _is_pairs(X: Any) -> bool:
    return getattr(X, "instance_class", None) is CodedPairs


@overload(hidden_forward)
def _hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    if isinstance(X, types.Array):
        return lambda hidden, W1, b1, X, batch, coming, lanes: dense_hidden_forward(hidden, W1, b1, X, batch, lanes)
    if _is_pairs(X):
        return lambda hidden, W1, b1, X, batch, coming, lanes: pairs_hidden_forward(
            hidden, W1, b1, X, batch, coming, lanes
        )
    return lambda hidden, W1, b1, X, batch, coming, lanes: sparse_hidden_forward(hidden, W1, b1, X, batch, lanes)


@overload(hidden_forward_two)
def _hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    if isinstance(X, types.Array):

        def forward(hidden, W1, b1, X, batch, lanes):
            for t in range(2):
                dense_hidden_forward(hidden[t], W1[t], b1[t], X, batch, lanes)

        return forward
    return lambda hidden, W1, b1, X, batch, lanes: sparse_hidden_forward_two(hidden, W1, b1, X, batch, lanes)


@overload(update_W1)
def _update_W1(W1, dhidden, X, batch, columns, lanes):
    if isinstance(X, types.Array):
        return lambda W1, dhidden, X, batch, columns, lanes: dense_update_W1(W1, dhidden, X, batch, lanes)
    if _is_pairs(X):
        return lambda W1, dhidden, X, batch, columns, lanes: pairs_update_W1(W1, dhidden, columns, X.values, lanes)
    return lambda W1, dhidden, X, batch, columns, lanes: sparse_update_W1(W1, dhidden, columns, lanes)


@overload(prepare_columns)
def _prepare_columns(columns, X, batch, lanes):
    if isinstance(X, types.Array):
        return lambda columns, X, batch, lanes: None
    if _is_pairs(X):
        return lambda columns, X, batch, lanes: pairs_by_column(columns, X, batch, lanes)
    return lambda columns, X, batch, lanes: transpose_batch(columns, X, batch, lanes)


@overload(own_columns)
def _own_columns(columns, X, rank):
    if _is_pairs(X):
        return lambda columns, X, rank: PairColumns(columns.ends[rank], columns.entries[rank], columns.room)
    return lambda columns, X, rank: BatchColumns(columns.ends[rank], columns.entries[rank])
