"""Softmax and cross-entropy with a sample in each lane: logits and dlogits lie by classes, [class, sample].

A lane knows nothing of the others, so a sample's result does not depend on its neighbours.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array

from .compiled import inlined, kernel
from .lanewise import (
    add,
    divide,
    exp,
    first_lanes,
    log,
    maximum,
    multiply,
    subtract,
    tile_sum,
    where_equal,
    where_greater,
)
from .simd import broadcast, load, store
from .steps import take_step
from .tags import units, vector

__all__ = ["Outcome", "Targets", "softmax", "softmax_cross_entropy", "update_b2", "update_rows_of_b2"]

_MINUS_INFINITY = np.float32(-np.inf)
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


class Targets(NamedTuple):
    """What a batch is to be classified as, and how much of each sample's gradient goes on, to which outputs."""

    labels: Float32Array  # (n,): whole numbers
    weights: Float32Array  # (n + room,)
    scale: np.float32
    fixed: int = 0  # the first outputs that learn nothing


class Outcome(NamedTuple):
    """Each sample's loss, and 1 where it was classified rightly, else 0; in training before its batch's update."""

    losses: Float32Array  # (n,)
    hits: Float32Array  # (n,)

    @classmethod
    def of(cls, n: int) -> Outcome:
        """Room for n samples."""
        return cls(np.zeros(n, np.float32), np.zeros(n, np.float32))

    def part(self, first: int, last: int) -> Outcome:
        """The outcome of the samples first to last."""
        return Outcome(self.losses[first:last], self.hits[first:last])


@inlined
def softmax(probs, logits, b2, labels, i, n_classes, lanes):
    """probs[:, i : i + lanes] = e^(logits - largest), for samples in the lanes.

    Returns for each lane the sum of these powers, the loss -log(probs[label] / sum), and 1 where the label is the first
    class with the largest logit, else 0; NaN is never right.

    Writes probs (C, room); reads the tiles' shares logits (tiles, C padded, room), b2 (C,), and labels (room,), whole
    numbers as float32. The tiles are added in their order.
    """
    one = vector(lanes)
    n_tiles, C, room = logits.shape
    label, zero = load(labels, i, one), broadcast(_ZERO, one)
    largest, likeliest, own, total = broadcast(_MINUS_INFINITY, one), zero, zero, zero
    for c in range(n_classes):
        z = broadcast(b2[c], one)
        for tile in range(n_tiles):
            z = add(z, load(logits, (tile * C + c) * room + i, one))
        store(z, probs, c * room + i)
        this = broadcast(np.float32(c), one)
        own = where_equal(label, this, z, own)
        likeliest = where_greater(z, largest, this, likeliest)
        largest = maximum(largest, z)
    for c in range(n_classes):
        power = exp(subtract(load(probs, c * room + i, one), largest))
        store(power, probs, c * room + i)
        total = add(total, power)
    loss = add(subtract(largest, own), log(total))
    certain = where_equal(loss, loss, broadcast(_ONE, one), zero)
    return total, loss, where_equal(label, likeliest, certain, zero)


@kernel
def softmax_cross_entropy(dlogits, results, logits, b2, targets, n_classes, lanes):
    """dlogits = scale weight (softmax(logits) - onehot(labels)) of the n samples that have labels, and their losses.

    scale = 1 / (sum of the weights) gives the gradient of the weighted mean of the losses. Gradient descent passes that
    times -lr: all that follows is linear in dlogits, so its step is multiplied by -lr once here, n C times and not D H.
    The first `fixed` outputs get 0: with weights of 0 they stay at 0, and of two outputs the other is then a logistic
    one, since softmax(0, z) = (1 - s, s) with s = 1 / (1 + e^-z).

    Writes dlogits (C, room), 0 beyond n up to a whole vector, and results (2, room), the losses and the hits; reads
    logits and b2 as `softmax` does, and targets: the memory behind their labels and weights has room for a vector.
    """
    one, labels, n = vector(lanes), targets.labels, len(targets.labels)
    zero, room = broadcast(_ZERO, one), dlogits.shape[1]
    for i in range(0, n, units(one)):
        total, loss, hit = softmax(dlogits, logits, b2, labels, i, n_classes, lanes)
        store(loss, results, i)
        store(hit, results, results.shape[1] + i)
        step = multiply(broadcast(targets.scale, one), load(targets.weights, i, one))
        factor, label = divide(step, total), load(labels, i, one)
        for c in range(n_classes):
            target = where_equal(label, broadcast(np.float32(c), one), step, zero)
            gradient = subtract(multiply(load(dlogits, c * room + i, one), factor), target)
            store(first_lanes(gradient, n - i, _ZERO), dlogits, c * room + i)
        for c in range(targets.fixed):
            store(zero, dlogits, c * room + i)


@inlined
def update_rows_of_b2(b2, before, dlogits, n, share, n_classes, step, lanes):
    """The step of b2 by the sum of dlogits over the first n samples, from its values `before`, for some classes.

    Writes b2 (C padded,) from first to last, which is `share`: whole vectors, or up to the last class; and the state of
    step. Reads before (C padded,), 0 beyond C, and dlogits (C, room), 0 beyond n.
    """
    one, (first, last) = vector(lanes), share
    for c in range(first, last):
        acc = broadcast(_ZERO, one)
        for i in range(0, n, units(one)):
            acc = add(acc, load(dlogits, c * dlogits.shape[1] + i, one))
        b2[c] = tile_sum(acc)
    if last == n_classes:
        for c in range(n_classes, len(b2)):
            b2[c] = _ZERO
    for c in range(first, last, units(one)):
        gradient = load(b2, c, one)
        store(load(before, c, one), b2, c)
        take_step(b2, c, 0, gradient, step)


@kernel
def update_b2(b2, before, dlogits, n, n_classes, step, lanes):
    """`update_rows_of_b2` for all classes."""
    update_rows_of_b2(b2, before, dlogits, n, (0, n_classes), n_classes, step, lanes)
