"""The output layer and the way back through ReLU, one tile of hidden units at a time.

Logits and dlogits lie by classes, [class, sample]: the softmax then has a sample in each lane.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, kernel
from .lanewise import add, masked
from .simd import broadcast, dots, load, rank1, store, store_fours
from .steps import take_step
from .tags import block, block_rows, units, vector

__all__ = ["hidden_backward", "output_forward", "update_W2", "update_b1", "update_rows_of_W2"]

_ZERO = np.float32(0.0)


@kernel
def output_forward(logits, hidden, W2, n, lanes):
    """logits = (hidden W2)^T of the first n samples: a tile's share of the logits, without the bias.

    Four samples and as many classes as give a vector of dot products at a time.

    Writes logits (C padded, room), up to three samples beyond n too; reads hidden (room, units) and W2 (C padded,
    units), a row per class.
    """
    classes = units(vector(lanes)) // 4
    room = logits.shape[1]
    for i in range(0, n, 4):
        for c in range(0, logits.shape[0], classes):
            store_fours(dots(hidden, i * units(lanes), W2, c * units(lanes), lanes), logits, c * room + i, room)


@inlined
def _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block_lanes):
    """dhidden[i : i + rows] for the rows of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for c in range(n_classes):
        row = load(W2, c * units(lanes), lanes)
        acc = rank1(acc, dlogits, c * dlogits.shape[1] + i, 1, row)
    store(masked(acc, hidden, i * units(lanes)), dhidden, i * units(lanes))


@kernel
def hidden_backward(dhidden, hidden, dlogits, W2, n, n_classes, lanes):
    """dhidden = (W2 dlogits)^T where hidden > 0, else 0, for one tile and the first n samples.

    Writes dhidden (room, units); reads hidden (room, units), dlogits (C padded, room), W2 (C padded, units).
    """
    i = 0
    while i + block_rows(lanes) <= n:
        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block(lanes))
        i += block_rows(lanes)
    while i < n:
        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, lanes)
        i += 1


@inlined
def _update_block(W2, hidden, dlogits, c, n, step, lanes, block_lanes):
    """W2[c : c + rows] for the classes of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for i in range(n):
        row = load(hidden, i * units(lanes), lanes)
        acc = rank1(acc, dlogits, c * dlogits.shape[1] + i, dlogits.shape[1], row)
    take_step(W2, c * units(lanes), units(lanes), acc, step)


@inlined
def update_rows_of_W2(W2, hidden, dlogits, n, share, step, lanes):
    """The step of W2 by dlogits hidden for one tile, the classes (first, last) and the first n samples.

    Writes these rows of W2 (C padded, units), and the state of step; reads hidden (room, units) and dlogits (C padded,
    room).
    """
    c, last = share
    while c + block_rows(lanes) <= last:
        _update_block(W2, hidden, dlogits, c, n, step, lanes, block(lanes))
        c += block_rows(lanes)
    while c < last:
        _update_block(W2, hidden, dlogits, c, n, step, lanes, lanes)
        c += 1


@kernel
def update_W2(W2, hidden, dlogits, n, n_classes, step, lanes):
    """`update_rows_of_W2` for all classes."""
    update_rows_of_W2(W2, hidden, dlogits, n, (0, n_classes), step, lanes)


@kernel
def update_b1(b1, dhidden, n, step, lanes):
    """The step of b1 by the sum of dhidden over the first n samples, for one tile.

    Writes b1 (units,) and the state of step; reads dhidden (room, units).
    """
    acc = broadcast(_ZERO, lanes)
    for i in range(n):
        acc = add(acc, load(dhidden, i * units(lanes), lanes))
    take_step(b1, 0, 0, acc, step)
