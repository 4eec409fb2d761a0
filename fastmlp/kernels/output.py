"""The output layer and the way back through ReLU, one tile of hidden units at a time.

Logits and dlogits lie by classes, [class, sample]: the softmax then has a sample in each lane.
"""

from __future__ import annotations

import numpy as np

from .compiled import inlined, kernel
from .lanewise import add, masked
from .simd import broadcast, dots, load, rank1, store, store_fours
from .tags import block, block_rows, units, vector

__all__ = ["hidden_backward", "output_forward", "update_W2", "update_b1"]

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
def _update_block(W2, hidden, dlogits, c, n, lanes, block_lanes):
    """W2[c : c + rows] for the classes of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for i in range(n):
        row = load(hidden, i * units(lanes), lanes)
        acc = rank1(acc, dlogits, c * dlogits.shape[1] + i, dlogits.shape[1], row)
    store(add(load(W2, c * units(lanes), block_lanes), acc), W2, c * units(lanes))


@kernel
def update_W2(W2, hidden, dlogits, n, n_classes, lanes):
    """W2 += (dlogits hidden) for one tile and the first n samples.

    Writes W2 (C padded, units), a row per class; reads hidden (room, units), dlogits (C padded, room).
    """
    c = 0
    while c + block_rows(lanes) <= n_classes:
        _update_block(W2, hidden, dlogits, c, n, lanes, block(lanes))
        c += block_rows(lanes)
    while c < n_classes:
        _update_block(W2, hidden, dlogits, c, n, lanes, lanes)
        c += 1


@kernel
def update_b1(b1, dhidden, n, lanes):
    """b1 += sum of dhidden over the first n samples, for one tile: writes b1 (units,), reads dhidden (room, units)."""
    acc = broadcast(_ZERO, lanes)
    for i in range(n):
        acc = add(acc, load(dhidden, i * units(lanes), lanes))
    store(add(load(b1, 0, lanes), acc), b1, 0)
