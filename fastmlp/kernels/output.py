"""The output layer and the way back through ReLU, one tile of hidden units at a time."""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .simd import add, block, block_rows, broadcast, dot4, load, masked, rank1, store, store4, units

__all__ = ["hidden_backward", "output_forward", "update_W2", "update_b1"]

_ZERO = np.float32(0.0)


@kernel
def output_forward(partial, tile, hidden, W2, lanes):
    """partial[:, tile] = hidden W2: this tile's share of the logits, without the bias.

    Writes partial (B, tiles, C padded to a vector), classes up to C padded to 4; reads hidden (B, units) and
    W2 (C padded to 4, units), a row per class.
    """
    for i in range(hidden.shape[0]):
        row = load(hidden, i * units(lanes), lanes)
        at = (i * partial.shape[1] + tile) * partial.shape[2]
        for c in range(0, W2.shape[0], 4):
            store4(dot4(row, W2, c * units(lanes)), partial, at + c)


@kernel
def _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block_lanes):
    """dhidden[i : i + rows] for the rows of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for c in range(n_classes):
        row = load(W2, c * units(lanes), lanes)
        acc = rank1(acc, dlogits, i * dlogits.shape[1] + c, dlogits.shape[1], row)
    store(masked(acc, hidden, i * units(lanes)), dhidden, i * units(lanes))


@kernel
def hidden_backward(dhidden, hidden, dlogits, W2, n_classes, lanes):
    """dhidden = (dlogits W2^T) where hidden > 0, else 0, for one tile.

    Writes dhidden (B, units); reads hidden (B, units), dlogits (B, C padded), W2 (C padded to 4, units).
    """
    i = 0
    while i + block_rows(lanes) <= hidden.shape[0]:
        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block(lanes))
        i += block_rows(lanes)
    while i < hidden.shape[0]:
        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, lanes)
        i += 1


@kernel
def _update_block(W2, hidden, dlogits, c, lanes, block_lanes):
    """W2[c : c + rows] for the classes of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    for i in range(hidden.shape[0]):
        row = load(hidden, i * units(lanes), lanes)
        acc = rank1(acc, dlogits, i * dlogits.shape[1] + c, 1, row)
    store(add(load(W2, c * units(lanes), block_lanes), acc), W2, c * units(lanes))


@kernel
def update_W2(W2, hidden, dlogits, n_classes, lanes):
    """W2 += hidden^T dlogits for one tile.

    Writes W2 (C padded to 4, units), a row per class; reads hidden (B, units), dlogits (B, C padded).
    """
    c = 0
    while c + block_rows(lanes) <= n_classes:
        _update_block(W2, hidden, dlogits, c, lanes, block(lanes))
        c += block_rows(lanes)
    while c < n_classes:
        _update_block(W2, hidden, dlogits, c, lanes, lanes)
        c += 1


@kernel
def update_b1(b1, dhidden, lanes):
    """b1 += sum of dhidden over the batch, for one tile: writes b1 (units,), reads dhidden (B, units)."""
    acc = broadcast(_ZERO, lanes)
    for i in range(dhidden.shape[0]):
        acc = add(acc, load(dhidden, i * units(lanes), lanes))
    store(add(load(b1, 0, lanes), acc), b1, 0)
