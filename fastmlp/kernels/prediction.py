"""The forward pass alone, for any number of rows: chunks of rows are dealt out to the team."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.arrays import Float32Array

from .compiled import kernel
from .hidden import hidden_forward
from .layout import Parameters, aligned_zeros
from .output import output_forward
from .softmax import is_largest, logit, softmax

__all__ = ["CHUNK", "PredictionScratch", "network_forward"]

CHUNK = 128  # rows: as many as share a pass over the weights


class PredictionScratch(NamedTuple):
    """Memory of one thread. Whatever it holds at the start does not matter."""

    hidden: Float32Array  # (chunk, units)
    partial: Float32Array  # (chunk, tiles, C padded)
    probs: Float32Array  # (chunk, C padded)

    @classmethod
    def of(cls, parameters: Parameters, chunk: int) -> PredictionScratch:
        """Scratch for these parameters."""
        tiles, units = parameters.b1.shape
        classes = len(parameters.b2)
        return cls(
            aligned_zeros((chunk, units)),
            aligned_zeros((chunk, tiles, classes)),
            aligned_zeros((chunk, classes)),
        )


@kernel
def network_forward(probs, outcome, parameters, scratch, X, y, samples, member, lanes):
    """Probabilities, and the loss and hit of each row whose label is given, for this member's chunks.

    Writes probs (n or 0, C), outcome (n or 0) and scratch; reads parameters, X (n, D) in any form,
    labels y (n or 0,) and samples = 0, 1, ... n - 1.
    """
    W1, b1, W2, b2 = parameters
    n_classes = probs.shape[1]
    chunk = len(scratch.hidden)
    for first in range(member.rank * chunk, len(samples), member.size * chunk):
        batch = samples[first : min(first + chunk, len(samples))]
        hidden = scratch.hidden[: len(batch)]
        for tile in range(W1.shape[0]):
            hidden_forward(hidden, W1[tile], b1[tile], X, batch, lanes)
            output_forward(scratch.partial, tile, hidden, W2[tile], lanes)
        for i in range(len(batch)):
            log_total = softmax(scratch.probs, scratch.partial, b2, n_classes, i, lanes)
            if len(probs) > 0:
                for c in range(n_classes):
                    probs[first + i, c] = scratch.probs[i, c]
            if len(y) > 0:
                label = y[first + i]
                outcome.losses[first + i] = log_total - logit(scratch.partial, b2, i, label, lanes)
                outcome.hits[first + i] = is_largest(scratch.probs, i, label, n_classes, lanes)
