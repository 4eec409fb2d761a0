"""The hidden layer on dense rows, in register blocks: several samples (or columns) at once, one vector load serves all.

A tile is taken in strips of a few vectors, so that a block has room for several rows in the registers. Sums run in the
same order as in `sparse.py`, one multiply-add each, so both give the same bits.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, kernel
from .lanewise import relu
from .simd import broadcast, load, load_rows, rank1, rank1_rows, repeat_rows, row_offsets, store_rows
from .steps import take_step
from .tags import block, block_rows, last_strip, strip, units

__all__ = ["dense_by_column", "dense_hidden_forward", "dense_update_W1"]

_ZERO = np.float32(0.0)
_COLUMNS = 384  # of X at a time: a strip of as many rows of W1 stays in the L1 cache for the whole batch


@inlined
def _forward_block(hidden, W1, b1, X, batch, corner, part, rows):
    """hidden[i:, at:] for the rows of one register block, by the columns of X from `first` on: corner = i, first, at.

    part and rows are the tags of a row of the block and of all its rows.
    """
    i, first, at = corner
    stride, last = hidden.shape[1], min(first + _COLUMNS, X.shape[1])
    acc = repeat_rows(load(b1, at, part), rows) if first == 0 else load_rows(hidden, i * stride + at, stride, rows)
    offsets = row_offsets(batch, i, X.shape[1], rows)
    for k in range(first, last):
        acc = rank1_rows(acc, X, offsets, k, load(W1, k * stride + at, part))
    if last == X.shape[1]:
        acc = relu(acc)
    store_rows(acc, hidden, i * stride + at, stride)


@kernel
def _forward_strip(hidden, W1, b1, X, batch, at, part):
    """hidden[:, at:] for one strip of the tile."""
    for first in range(0, X.shape[1], _COLUMNS):
        i = 0
        while i + block_rows(part) <= len(batch):
            _forward_block(hidden, W1, b1, X, batch, (i, first, at), part, block(part))
            i += block_rows(part)
        while i < len(batch):
            _forward_block(hidden, W1, b1, X, batch, (i, first, at), part, part)
            i += 1


@kernel
def dense_hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile.

    Writes hidden (room, units); reads W1 (D, units), b1 (units,), the rows of X (n, D) numbered by batch (B,).
    """
    at = 0
    while at + units(strip(lanes)) <= units(lanes):
        _forward_strip(hidden, W1, b1, X, batch, at, strip(lanes))
        at += units(strip(lanes))
    if at < units(lanes):
        _forward_strip(hidden, W1, b1, X, batch, at, last_strip(lanes))


@inlined
def _update_block(W1, dhidden, X, batch, corner, part, rows, step):
    """W1[k:, at:] for the columns of one register block: corner = k, at; part and rows as in `_forward_block`."""
    (k, at), acc, stride = corner, broadcast(_ZERO, rows), W1.shape[1]
    for i in range(len(batch)):
        row = load(dhidden, i * stride + at, part)
        acc = rank1(acc, X, batch[i] * X.shape[1] + k, 1, row)
    take_step(W1, k * stride + at, stride, acc, step)


@kernel
def _update_strip(W1, dhidden, X, batch, at, part, step):
    """W1[:, at:] for one strip of the tile."""
    k = 0
    while k + block_rows(part) <= X.shape[1]:
        _update_block(W1, dhidden, X, batch, (k, at), part, block(part), step)
        k += block_rows(part)
    while k < X.shape[1]:
        _update_block(W1, dhidden, X, batch, (k, at), part, part, step)
        k += 1


@kernel
def dense_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile.

    Writes W1 (D, units) and the state of step; reads dhidden (room, units) and the rows of X (n, D) numbered by
    batch (B,).
    """
    at = 0
    while at + units(strip(lanes)) <= units(lanes):
        _update_strip(W1, dhidden, X, batch, at, strip(lanes), step)
        at += units(strip(lanes))
    if at < units(lanes):
        _update_strip(W1, dhidden, X, batch, at, last_strip(lanes), step)


@kernel
def dense_by_column(columns, X, batch, lanes):
    """Nothing: the update takes the batch as it is."""
