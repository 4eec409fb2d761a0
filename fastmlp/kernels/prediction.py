"""The forward pass alone, for any number of rows: chunks of rows are dealt out to the team."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.arrays import Float32Array

from .compiled import entry
from .hidden import hidden_forward
from .layout import Parameters, aligned_zeros, room_for
from .output import output_forward
from .simd import store, units, vector
from .softmax import softmax

__all__ = ["CHUNK", "PredictionScratch", "network_forward"]

CHUNK = 128  # rows: as many as share a pass over the weights


class PredictionScratch(NamedTuple):
    """Memory of one thread. Whatever it holds at the start does not matter."""

    hidden: Float32Array  # (room, units)
    logits: Float32Array  # (tiles, C padded, room)
    probs: Float32Array  # (C padded, room)
    labels: Float32Array  # (room,)
    results: Float32Array  # (3, room): the sum of the powers, the loss and the hit of each row

    @classmethod
    def of(cls, parameters: Parameters, chunk: int) -> PredictionScratch:
        """Scratch for these parameters."""
        tiles, classes, units = parameters.W2.shape
        room = room_for(chunk)
        return cls(
            aligned_zeros((room, units)),
            aligned_zeros((tiles, classes, room)),
            aligned_zeros((classes, room)),
            aligned_zeros((room,)),
            aligned_zeros((3, room)),
        )


@entry
def network_forward(probs, outcome, parameters, scratch, X, y, samples, member, lanes):
    """Probabilities, and the loss and hit of each row whose label is given, for this member's chunks.

    Writes probs (n or 0, C), outcome (n or 0) and scratch; reads parameters, X (n, D) in any form, labels y (n or 0,)
    and samples = 0, 1, ... n - 1.
    """
    W1, b1, W2, b2 = parameters
    n_classes, width = probs.shape[1], units(vector(lanes))
    hidden, logits, labels = scratch.hidden, scratch.logits, scratch.labels
    chunk = len(hidden) - 16
    for first in range(member.rank * chunk, len(samples), member.size * chunk):
        batch = samples[first : min(first + chunk, len(samples))]
        for tile in range(len(W1)):
            hidden_forward(hidden, W1[tile], b1[tile], X, batch, batch[:0], lanes)
            output_forward(logits[tile], hidden, W2[tile], len(batch), lanes)
        for i in range(min(len(batch), len(y))):
            labels[i] = y[first + i]
        for i in range(0, len(batch), width):
            total, loss, hit = softmax(scratch.probs, logits, b2, labels, i, n_classes, lanes)
            store(total, scratch.results, i)
            store(loss, scratch.results, len(hidden) + i)
            store(hit, scratch.results, 2 * len(hidden) + i)
        for i in range(len(batch)):
            if len(probs) > 0:
                for c in range(n_classes):
                    probs[first + i, c] = scratch.probs[c, i] / scratch.results[0, i]
            if len(y) > 0:
                outcome.losses[first + i] = scratch.results[1, i]
                outcome.hits[first + i] = scratch.results[2, i]
