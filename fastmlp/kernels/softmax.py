"""Softmax and cross-entropy, a row at a time, lanes along the classes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import BoolArray, Float32Array

from .compiled import kernel
from .simd import (
    add,
    broadcast,
    exp_shifted,
    first_lanes,
    load,
    maximum,
    scaled,
    store,
    tile_max,
    tile_sum,
    units,
    vector,
)

__all__ = ["Outcome", "is_largest", "logit", "softmax", "softmax_cross_entropy", "update_b2"]

_MINUS_INFINITY = np.float32(-np.inf)
_ZERO = np.float32(0.0)


class Outcome(NamedTuple):
    """Each sample's loss and whether it was classified rightly; in training before its batch's update."""

    losses: Float32Array  # (n,)
    hits: BoolArray  # (n,)

    @classmethod
    def of(cls, n: int) -> Outcome:
        """Room for n samples."""
        return cls(np.zeros(n, np.float32), np.zeros(n, np.bool_))


@kernel
def logit(partial, b2, i, c, lanes):
    """logits[i, c] = b2[c] + the tiles' shares, in tile order."""
    total = b2[c]
    for tile in range(partial.shape[1]):
        total += partial[i, tile, c]
    return total


@kernel
def softmax(probs, partial, b2, n_classes, i, lanes):
    """probs[i] = softmax(logits[i]); returns log(sum(exp(logits[i]))).

    Writes row i of probs (B, C padded), 0 beyond n_classes; reads partial (B, tiles, C padded) and b2 (C padded,).
    """
    one = vector(lanes)
    width = units(one)
    row = i * probs.shape[1]
    largest = broadcast(_MINUS_INFINITY, one)
    for c in range(0, n_classes, width):
        logits = load(b2, c, one)
        for tile in range(partial.shape[1]):
            at = (i * partial.shape[1] + tile) * partial.shape[2] + c
            logits = add(logits, load(partial, at, one))
        logits = first_lanes(logits, n_classes - c, _MINUS_INFINITY)
        largest = maximum(largest, logits)
        store(logits, probs, row + c)
    shift = tile_max(largest)
    total = broadcast(_ZERO, one)
    for c in range(0, n_classes, width):
        powers = exp_shifted(load(probs, row + c, one), shift)
        total = add(total, powers)
        store(powers, probs, row + c)
    normaliser = tile_sum(total)
    for c in range(0, n_classes, width):
        store(scaled(load(probs, row + c, one), np.float32(1.0) / normaliser), probs, row + c)
    return shift + math.log(normaliser)


@kernel
def is_largest(probs, i, label, n_classes, lanes):
    """Whether `label` is the argmax of row i (the first of equals, as NumPy's argmax)."""
    better = 0
    for c in range(label):
        better += probs[i, c] >= probs[i, label]
    for c in range(label + 1, n_classes):
        better += probs[i, c] > probs[i, label]
    return better == 0


@kernel
def softmax_cross_entropy(dlogits, losses, hits, partial, b2, y, n_classes, scale, lanes):
    """dlogits = scale (softmax(logits) - onehot(y)), with the loss of each row.

    scale = 1/B gives the gradient of the mean loss. Training passes -lr/B: all that follows is linear in dlogits, so
    the step of gradient descent is multiplied by -lr once here, B*C times and not D*H.

    Writes dlogits (B, C padded), losses (B,) = -log(probs[i, y_i]) and hits (B,) = whether y_i is the argmax;
    reads partial (B, tiles, C padded), b2 (C padded,), labels y (B,).
    """
    one = vector(lanes)
    for i in range(len(y)):
        log_total = softmax(dlogits, partial, b2, n_classes, i, lanes)
        losses[i] = log_total - logit(partial, b2, i, y[i], lanes)
        hits[i] = is_largest(dlogits, i, y[i], n_classes, lanes)
        row = i * dlogits.shape[1]
        for c in range(0, n_classes, units(one)):
            store(scaled(load(dlogits, row + c, one), scale), dlogits, row + c)
        dlogits[i, y[i]] -= scale


@kernel
def update_b2(b2, dlogits, n_classes, lanes):
    """b2 += sum of dlogits over the batch: writes b2 (C padded,), reads dlogits (B, C padded)."""
    one = vector(lanes)
    for c in range(0, n_classes, units(one)):
        acc = broadcast(_ZERO, one)
        for i in range(dlogits.shape[0]):
            acc = add(acc, load(dlogits, i * dlogits.shape[1] + c, one))
        store(add(load(b2, c, one), acc), b2, c)
