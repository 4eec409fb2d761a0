"""The hidden layer on dense rows, in register blocks: several samples (or columns) at once, one vector load serves all.

A tile is taken in strips of a few vectors, so that a block has room for several rows in the registers. Sums run in the
same order as in `sparse.py`, one multiply-add each, so both give the same bits.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, kernel
from .lanewise import relu
from .simd import (
    add_rows,
    block,
    block_rows,
    broadcast,
    last_strip,
    load,
    load_rows,
    rank1,
    rank1_rows,
    repeat_rows,
    row_offsets,
    store_rows,
    strip,
    units,
)

__all__ = ["dense_hidden_forward", "dense_update_W1"]

_ZERO = np.float32(0.0)
_COLUMNS = 384  # of X at a time: a strip of as many rows of W1 stays in the L1 cache for the whole batch


@inlined
def _forward_block(hidden, W1, b1, X, batch, i, first, at, part, block_part, lanes):
    """hidden[i : i + rows, at :] for the rows of one register block, by the columns of X from `first` on."""
    last = min(first + _COLUMNS, X.shape[1])
    if first == 0:
        acc = repeat_rows(load(b1, at, part), block_part)
    else:
        acc = load_rows(hidden, i * units(lanes) + at, units(lanes), block_part)
    offsets = row_offsets(batch, i, X.shape[1], block_part)
    for k in range(first, last):
        acc = rank1_rows(acc, X, offsets, k, load(W1, k * units(lanes) + at, part))
    if last == X.shape[1]:
        acc = relu(acc)
    store_rows(acc, hidden, i * units(lanes) + at, units(lanes))


@kernel
def _forward_strip(hidden, W1, b1, X, batch, at, part, lanes):
    """hidden[:, at :] for one strip of the tile."""
    for first in range(0, X.shape[1], _COLUMNS):
        i = 0
        while i + block_rows(part) <= len(batch):
            _forward_block(hidden, W1, b1, X, batch, i, first, at, part, block(part), lanes)
            i += block_rows(part)
        while i < len(batch):
            _forward_block(hidden, W1, b1, X, batch, i, first, at, part, part, lanes)
            i += 1


@kernel
def dense_hidden_forward(hidden, W1, b1, X, batch, lanes):
    """hidden = max(0, X W1 + b1) for one tile.

    Writes hidden (room, units); reads W1 (D, units), b1 (units,), the rows of X (n, D) numbered by batch (B,).
    """
    at = 0
    while at + units(strip(lanes)) <= units(lanes):
        _forward_strip(hidden, W1, b1, X, batch, at, strip(lanes), lanes)
        at += units(strip(lanes))
    if at < units(lanes):
        _forward_strip(hidden, W1, b1, X, batch, at, last_strip(lanes), lanes)


@inlined
def _update_block(W1, dhidden, X, batch, k, at, part, block_part, lanes):
    """W1[k : k + rows, at :] for the columns of one register block."""
    acc = broadcast(_ZERO, block_part)
    for i in range(len(batch)):
        row = load(dhidden, i * units(lanes) + at, part)
        acc = rank1(acc, X, batch[i] * X.shape[1] + k, 1, row)
    add_rows(acc, W1, k * units(lanes) + at, units(lanes))


@kernel
def _update_strip(W1, dhidden, X, batch, at, part, lanes):
    """W1[:, at :] for one strip of the tile."""
    k = 0
    while k + block_rows(part) <= X.shape[1]:
        _update_block(W1, dhidden, X, batch, k, at, part, block(part), lanes)
        k += block_rows(part)
    while k < X.shape[1]:
        _update_block(W1, dhidden, X, batch, k, at, part, part, lanes)
        k += 1


@kernel
def dense_update_W1(W1, dhidden, X, batch, lanes):
    """W1 += X^T dhidden for one tile.

    Writes W1 (D, units); reads dhidden (room, units) and the rows of X (n, D) numbered by batch (B,).
    """
    at = 0
    while at + units(strip(lanes)) <= units(lanes):
        _update_strip(W1, dhidden, X, batch, at, strip(lanes), lanes)
        at += units(strip(lanes))
    if at < units(lanes):
        _update_strip(W1, dhidden, X, batch, at, last_strip(lanes), lanes)
