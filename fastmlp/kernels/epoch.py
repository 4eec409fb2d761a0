"""A training epoch: every thread of a team runs `train_epoch` and owns some tiles of hidden units.

The weights of a tile, its hidden values and their gradients stay with their thread; only the tiles' shares of the
logits and dlogits (B x C each) cross between threads, at two barriers per batch. Every thread sorts all of the batch
into columns: to read what another has sorted takes as long where the two share a cache, and far longer elsewhere.

    own tiles     update by the last batch; forward pass of this batch        (a tile is in cache for both)
    -- barrier    the logits of all tiles are there
    own rows      softmax, loss, dlogits
    all rows      the batch by columns, for the update of the own tiles
    -- barrier    dlogits are there
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array

from .compiled import kernel
from .hidden import Inputs, columns_scratch, hidden_forward, prepare_columns, update_W1
from .layout import Parameters, aligned_zeros
from .output import hidden_backward, output_forward, update_b1, update_W2
from .softmax import softmax_cross_entropy, update_b2
from .sparse import BatchColumns
from .team import barrier, stopped

__all__ = ["EpochPlan", "EpochScratch", "train_epoch"]


class EpochPlan(NamedTuple):
    """What an epoch does: the order of the samples, their labels in that order, batch size and learning rate."""

    order: Int64Array  # (n,)
    y: Int64Array  # (n,)
    batch_size: int
    lr: np.float32
    n_classes: int


class EpochScratch(NamedTuple):
    """Memory of a training run, sized once. Whatever it holds at the start of an epoch does not matter."""

    hidden: Float32Array  # (tiles, B, units)
    dhidden: Float32Array  # (tiles, B, units)
    partial: Float32Array  # (B, tiles, C padded)
    dlogits: Float32Array  # (B, C padded)
    columns: BatchColumns  # a batch by columns for each thread: (threads, ...)

    @classmethod
    def of(cls, parameters: Parameters, X: Inputs, batch_size: int, n_threads: int) -> EpochScratch:
        """Scratch for these parameters and inputs."""
        tiles, input_size, units = parameters.W1.shape
        classes = len(parameters.b2)
        return cls(
            aligned_zeros((tiles, batch_size, units)),
            aligned_zeros((tiles, batch_size, units)),
            aligned_zeros((batch_size, tiles, classes)),
            aligned_zeros((batch_size, classes)),
            columns_scratch(X, input_size, batch_size, n_threads),
        )


@kernel
def train_epoch(parameters, outcome, scratch, X, plan, member, lanes):
    """One epoch of mini-batch gradient descent, run by each member of a team at the same time.

    Writes parameters (by tiles), outcome and scratch; reads X (n, D) in any form and plan.
    Leaves early, with parameters in between, where the team is told to stop.
    """
    W1, b1, W2, b2 = parameters
    order, n, B = plan.order, len(plan.order), plan.batch_size
    n_tiles, n_batches = W1.shape[0], -(-n // B)
    columns = BatchColumns(scratch.columns.ends[member.rank], scratch.columns.entries[member.rank])
    for step in range(n_batches + 1):
        batch = order[step * B : min((step + 1) * B, n)]
        last_batch = order[max(step - 1, 0) * B : min(step * B, n)]
        for tile in range(member.rank, n_tiles, member.size):
            if stopped(member, lanes):  # a batch may be large: not only at the barriers
                return
            if step > 0:
                hidden = scratch.hidden[tile, : len(last_batch)]
                dhidden = scratch.dhidden[tile, : len(last_batch)]
                dlogits = scratch.dlogits[: len(last_batch)]
                hidden_backward(dhidden, hidden, dlogits, W2[tile], plan.n_classes, lanes)
                update_W2(W2[tile], hidden, dlogits, plan.n_classes, lanes)
                update_b1(b1[tile], dhidden, lanes)
                update_W1(W1[tile], dhidden, X, last_batch, columns, lanes)
            if step < n_batches:
                hidden = scratch.hidden[tile, : len(batch)]
                hidden_forward(hidden, W1[tile], b1[tile], X, batch, lanes)
                output_forward(scratch.partial, tile, hidden, W2[tile], lanes)
        if step > 0 and member.rank == 0:
            update_b2(b2, scratch.dlogits[: len(last_batch)], plan.n_classes, lanes)
        if not barrier(member, lanes) or step == n_batches:
            break
        first = len(batch) * member.rank // member.size
        last = len(batch) * (member.rank + 1) // member.size
        softmax_cross_entropy(
            scratch.dlogits[first:last],
            outcome.losses[step * B + first : step * B + last],
            outcome.hits[step * B + first : step * B + last],
            scratch.partial[first:last],
            b2,
            plan.y[step * B + first : step * B + last],
            plan.n_classes,
            -plan.lr / np.float32(len(batch)),
            lanes,
        )
        prepare_columns(columns, X, batch, lanes)
        if not barrier(member, lanes):
            break
