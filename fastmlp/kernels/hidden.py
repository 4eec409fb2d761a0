"""Which form of input takes which kernel of the hidden layer: the one file in which a form is registered.

A form is a type: an array (n, D) of dense rows (`dense.py`), or `SparseRows` (`sparse.py`). `fastest_form` chooses it;
the kernels call `hidden_forward`, `prepare_columns` and `update_W1`, and Numba takes the one that fits the type.
All forms give the same bits.
"""

from __future__ import annotations

import numpy as np
from numba.core import types
from numba.extending import overload

from fastmlp.arrays import Float32Array, Int64Array

from .dense import dense_hidden_forward, dense_update_W1
from .packing import sparse_pays, to_sparse_rows
from .sparse import (
    COLUMN_ENTRY,
    BatchColumns,
    SparseRows,
    sparse_hidden_forward,
    sparse_update_W1,
    transpose_batch,
)

__all__ = ["Inputs", "columns_scratch", "fastest_form", "hidden_forward", "prepare_columns", "update_W1"]

Inputs = Float32Array | SparseRows
"""Inputs X (n, D) in any form that the kernels take."""


def fastest_form(X: Float32Array, counts: Int64Array, vectors: int, n_threads: int) -> Inputs:
    """X (n, D) in the form that is fastest for a layer of `vectors` vectors; counts (n,) are its nonzeros by row."""
    if sparse_pays(counts.sum() / X.size, vectors):
        return to_sparse_rows(X, counts, n_threads)
    return X


def columns_scratch(X: Inputs, input_size: int, batch_size: int, n_threads: int) -> BatchColumns:
    """Memory for a batch of X by columns, for each thread: (threads, ...); dense rows need none."""
    n_columns = n_entries = 0
    if isinstance(X, SparseRows):
        longest = int(np.diff(X.starts).max())
        n_columns, n_entries = input_size, min(batch_size * longest, len(X.entries))
    return BatchColumns(np.zeros((n_threads, n_columns), np.int64), np.zeros((n_threads, n_entries), COLUMN_ENTRY))


def hidden_forward(hidden, W1, b1, X, batch, lanes):
    """hidden = max(0, X W1 + b1) for one tile, by the kernel that fits the form of X."""
    raise NotImplementedError("for kernels only")


def update_W1(W1, dhidden, X, batch, columns, lanes):
    """W1 += X^T dhidden for one tile, by the kernel that fits the form of X; a sparse batch is read by columns."""
    raise NotImplementedError("for kernels only")


def prepare_columns(columns, X, batch, lanes):
    """A batch of sparse rows by columns, as the update wants it; nothing for dense rows."""
    raise NotImplementedError("for kernels only")


@overload(hidden_forward)
def _hidden_forward(hidden, W1, b1, X, batch, lanes):
    if isinstance(X, types.Array):
        return lambda hidden, W1, b1, X, batch, lanes: dense_hidden_forward(hidden, W1, b1, X, batch, lanes)
    return lambda hidden, W1, b1, X, batch, lanes: sparse_hidden_forward(hidden, W1, b1, X, batch, lanes)


@overload(update_W1)
def _update_W1(W1, dhidden, X, batch, columns, lanes):
    if isinstance(X, types.Array):
        return lambda W1, dhidden, X, batch, columns, lanes: dense_update_W1(W1, dhidden, X, batch, lanes)
    return lambda W1, dhidden, X, batch, columns, lanes: sparse_update_W1(W1, dhidden, columns, lanes)


@overload(prepare_columns)
def _prepare_columns(columns, X, batch, lanes):
    if isinstance(X, types.Array):
        return lambda columns, X, batch, lanes: None
    return lambda columns, X, batch, lanes: transpose_batch(columns, X, batch, lanes)
