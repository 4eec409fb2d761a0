"""The hidden layer on dense rows, in register blocks: several samples (or columns) at once, one vector load serves all.

A tile is taken in strips of a few vectors, so that a block has room for several rows in the registers. Sums run in the
same order as in `sparse.py`, one multiply-add each, so both give the same bits. The update reads a copy of the batch
in panels of as many columns as a block has rows.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, kernel
from .lanewise import relu
from .simd import broadcast, element, load, load_rows, rank1, rank1_rows, repeat_rows, row_offsets, store, store_rows
from .steps import take_step
from .tags import block, block_rows, last_strip, last_strip_block, panel, strip, units

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


@kernel
def dense_by_column(columns, X, batch, lanes):
    """A copy of the batch in panels, each with the columns of one register block of the update, row after row.

    X[batch[i], k] is entries[0, start + ends[i]], where `_start_of` says where column k starts. In X itself the update
    would read a few columns of one row, then of another row in another page of memory, and of more pages than a TLB
    holds. A batch for which columns have no room is not copied, and ends[i] is where its row i begins in X.

    Writes columns: ends (B,), entries (1, panels * room * width); reads the rows of X (n, D) numbered by batch (B,).
    """
    width, room, D = block_rows(strip(lanes)), columns.room, X.shape[1]
    for i in range(len(batch)):
        row, at, k = batch[i] * D, i * width, 0
        columns.ends[i] = at if room > 0 else row
        while k + units(panel(lanes)) <= D and room > 0:
            store(load(X, row + k, panel(lanes)), columns.entries, at)  # the next rows write over what is too much
            k += width
            at += room * width
        while k < D and room > 0:
            columns.entries[0, _start_of(k, room, width) + i * width] = X[batch[i], k]
            k += 1


@inlined
def _start_of(k, room, width):
    """Where column k of a batch starts: in the panel that has it, or in X if there are none."""
    return k // width * room * width + k % width if room > 0 else k


@inlined
def _update_block(W1, dhidden, rows, columns, n, corner, tags, step):
    """W1[k:, at:] for the columns of one register block: corner = k, start of column k, at.

    rows are the panels or X; tags are of a row of the block, and of all its rows.
    """
    (k, start, at), (part, block_), stride = corner, tags, W1.shape[1]
    acc = broadcast(_ZERO, block_)
    for i in range(n):
        acc = rank1(acc, rows, element(columns.ends, i) + start, 1, load(dhidden, i * stride + at, part))
    take_step(W1, k * stride + at, stride, acc, step)


@kernel
def _update_strip(W1, dhidden, rows, columns, n, corner, tags, step):
    """W1[:D, at:] for one strip of the tile: corner = D, width of a panel, at; the others as in `_update_block`."""
    (D, width, at), (part, _), room = corner, tags, columns.room
    whole = D - D % width
    for k in range(0, whole, width):
        _update_block(W1, dhidden, rows, columns, n, (k, _start_of(k, room, width), at), tags, step)
    for k in range(whole, D):
        _update_block(W1, dhidden, rows, columns, n, (k, _start_of(k, room, width), at), (part, part), step)


@kernel
def dense_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile.

    Writes W1 (D, units) and the state of step; reads dhidden (room, units) and columns, the batch in panels; or X
    (n, D), where these have no room.
    """
    D, width, at = X.shape[1], block_rows(strip(lanes)), 0
    rows = columns.entries if columns.room > 0 else X
    while at + units(strip(lanes)) <= units(lanes):
        tags = strip(lanes), block(strip(lanes))
        _update_strip(W1, dhidden, rows, columns, len(batch), (D, width, at), tags, step)
        at += units(strip(lanes))
    if at < units(lanes):
        tags = last_strip(lanes), last_strip_block(lanes)
        _update_strip(W1, dhidden, rows, columns, len(batch), (D, width, at), tags, step)
