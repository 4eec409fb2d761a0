"""The hidden layer on dense rows, in register blocks: several samples (or columns) at once, one vector load serves all.

Sums run in the same order as in `sparse.py`, one multiply-add each, so both give the same bits.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .simd import (
    add,
    block,
    block_rows,
    broadcast,
    load,
    rank1,
    rank1_rows,
    relu,
    repeat_rows,
    row_offsets,
    store,
    units,
)

__all__ = ["dense_hidden_forward", "dense_update_W1"]

_ZERO = np.float32(0.0)


@kernel
def _forward_block(hidden, W1, b1, X, batch, i, lanes, block_lanes):
    """hidden[i : i + rows] for the rows of one register block."""
    acc = repeat_rows(load(b1, 0, lanes), block_lanes)
    offsets = row_offsets(batch, i, X.shape[1], block_lanes)
    for k in range(X.shape[1]):
        acc = rank1_rows(acc, X, offsets, k, load(W1, k * units(lanes), lanes))
    store(relu(acc), hidden, i * units(lanes))


@kernel
def dense_hidden_forward(hidden, W1, b1, X, batch, lanes):
    """hidden = max(0, X W1 + b1) for one tile.

    Writes hidden (B, units); reads W1 (D, units), b1 (units,), the rows of X (n, D) numbered by batch (B,).
    """
    i = 0
    while i + block_rows(lanes) <= len(batch):
        _forward_block(hidden, W1, b1, X, batch, i, lanes, block(lanes))
        i += block_rows(lanes)
    while i < len(batch):
        _forward_block(hidden, W1, b1, X, batch, i, lanes, lanes)
        i += 1


@kernel
def _update_block(W1, dhidden, X, batch, k, lanes, block_lanes):
    """W1[k : k + rows] for the columns of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for i in range(len(batch)):
        step = load(dhidden, i * units(lanes), lanes)
        acc = rank1(acc, X, batch[i] * X.shape[1] + k, 1, step)
    store(add(load(W1, k * units(lanes), block_lanes), acc), W1, k * units(lanes))


@kernel
def dense_update_W1(W1, dhidden, X, batch, lanes):
    """W1 += X^T dhidden for one tile.

    Writes W1 (D, units); reads dhidden (B, units) and the rows of X (n, D) numbered by batch (B,).
    """
    k = 0
    while k + block_rows(lanes) <= X.shape[1]:
        _update_block(W1, dhidden, X, batch, k, lanes, block(lanes))
        k += block_rows(lanes)
    while k < X.shape[1]:
        _update_block(W1, dhidden, X, batch, k, lanes, lanes)
        k += 1
