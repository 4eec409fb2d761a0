"""A training epoch: every thread of a team runs `train_epoch` and owns some tiles of hidden units.

The weights of a tile, its hidden values and their gradients stay with their thread; only the tiles' shares of the
logits (C x B each) cross between threads, at one meeting per batch. What every thread needs of a batch it computes
itself, as that is cheaper than to wait for another: the batch by columns, and the softmax of all samples.

    own tiles     update by the last batch; forward pass of this batch        (a tile is in cache for both)
    -- arrive     this thread's shares of the logits are there
    whole batch   by columns, for the update of the own tiles
    -- wait       the logits of all tiles are there
    whole batch   softmax, loss, dlogits; the first thread: update of b2

The shares of two batches in a row, and b2 before and after a batch, lie apart, so that none is overwritten while
another thread still reads it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array

from .compiled import entry, inlined
from .hidden import BatchColumns, Inputs, columns_scratch, hidden_forward, prepare_columns, update_W1
from .layout import Parameters, aligned_zeros, room_for
from .lazy import catch_up, catch_up_all
from .output import hidden_backward, output_forward, update_b1, update_W2
from .softmax import Targets, softmax_cross_entropy, update_b2
from .steps import UpdateRule, gradient_scale, steps_of_arrays
from .team import arrive, await_all, stopped
from .tiles import target

__all__ = ["EpochPlan", "EpochScratch", "of_member", "step_of_W1", "train_epoch"]

_ONE = np.float32(1.0)


class EpochPlan(NamedTuple):
    """What an epoch does: the order of the samples, labels and weights in that order, batch size and update rule."""

    order: Int64Array  # (n,)
    labels: Float32Array  # (n + room,): whole numbers, in the order
    weights: Float32Array  # (n + room,): in the order
    totals: Float32Array  # (batches,): sums of the weights
    batch_size: int
    rule: UpdateRule
    n_classes: int
    first_step: int  # of the epoch, counted from 0
    fixed: int  # the first outputs that learn nothing

    @classmethod
    def of(
        cls,
        order: Int64Array,
        y: Int64Array,
        batch_size: int,
        rule: UpdateRule,
        n_classes: int,
        weights: Float32Array | None = None,
        fixed: int = 0,
    ) -> EpochPlan:
        """The plan for labels y (n,) and weights (n,), by default 1, which are not yet in the order."""
        n, room = len(order), target().width
        labels, in_order = np.zeros(n + room, np.float32), np.ones(n + room, np.float32)
        labels[:n] = y[order]
        if weights is not None:
            in_order[:n] = weights[order]
        totals = np.add.reduceat(in_order[:n], range(0, n, batch_size), dtype=np.float64).astype(np.float32)
        return cls(order, labels, in_order, totals, batch_size, rule, n_classes, 0, fixed)

    def part(self, first: int, last: int) -> EpochPlan:
        """The plan for the samples first to last of the order: whole batches, or what is left."""
        step = first // self.batch_size
        return self._replace(
            order=self.order[first:last],
            labels=self.labels[first:],
            weights=self.weights[first:],
            totals=self.totals[step:],
            first_step=step,
        )


class EpochScratch(NamedTuple):
    """Memory of a training run, sized once. Whatever it holds at the start of an epoch does not matter.

    A batch has `room` for some samples more: kernels may go beyond its end.
    """

    hidden: Float32Array  # (tiles, room, units)
    dhidden: Float32Array  # (tiles, room, units)
    logits: Float32Array  # (2, tiles, C padded, room)
    dlogits: Float32Array  # (threads, C padded, room)
    b2: Float32Array  # (2, C padded): before a batch and after it, in turns
    outcome: Float32Array  # (threads, 2, room): losses and hits of a batch
    columns: BatchColumns  # for each thread: (threads, ...)

    @classmethod
    def of(cls, parameters: Parameters, X: Inputs, batch_size: int, n_threads: int) -> EpochScratch:
        """Scratch for these parameters and inputs."""
        tiles, input_size, units = parameters.W1.shape
        classes, room = parameters.W2.shape[1], room_for(batch_size)
        return cls(
            aligned_zeros((tiles, room, units)),
            aligned_zeros((tiles, room, units)),
            aligned_zeros((2, tiles, classes, room)),
            aligned_zeros((n_threads, classes, room)),
            aligned_zeros((2, len(parameters.b2))),
            aligned_zeros((n_threads, 2, room)),
            columns_scratch(X, input_size, batch_size, n_threads),
        )


@inlined
def of_member(columns, member):
    """The memory of this thread for a batch by columns."""
    return BatchColumns(columns.ends[member.rank], columns.entries[member.rank], columns.room)


@inlined
def step_of_W1(plan, tile, step):
    """The step that is to come for a tile of W1, by which rows are brought up to date."""
    return steps_of_arrays(plan.rule, tile, plan.first_step + step, _ONE)[0]


@entry
def train_epoch(parameters, outcome, scratch, X, plan, member, lanes):
    """An epoch of mini-batch gradient descent, or a part of one, run by each member of a team at the same time.

    Writes parameters (by tiles), outcome and scratch; reads X (n, D) in any form and plan.
    Leaves early, with parameters in between, where the team is told to stop.
    """
    order, n, B = plan.order, len(plan.order), plan.batch_size
    n_tiles, n_batches = len(parameters.W1), -(-n // B)
    columns = of_member(scratch.columns, member)
    dlogits, results = scratch.dlogits[member.rank], scratch.outcome[member.rank]
    if member.rank == 0:
        for c in range(len(parameters.b2)):  # an assignment to a slice takes Numba seconds to compile
            scratch.b2[0, c] = parameters.b2[c]
    for step in range(n_batches + 1):
        # Slices end where the order does; before the first batch there is none.
        last, batch = order[(step - 1) * B : step * B], order[step * B : (step + 1) * B]
        coming = order[(step + 1) * B : (step + 2) * B]
        logits = scratch.logits[step % 2]
        for tile in range(member.rank, n_tiles, member.size):
            if stopped(member, lanes):  # a batch may be large: not only at the meetings
                return
            W1, b1, W2 = parameters.W1[tile], parameters.b1[tile], parameters.W2[tile]
            hidden, dhidden = scratch.hidden[tile], scratch.dhidden[tile]
            if step > 0:
                steps = steps_of_arrays(plan.rule, tile, plan.first_step + step - 1, plan.totals[step - 1])
                hidden_backward(dhidden, hidden, dlogits, W2, len(last), plan.n_classes, lanes)
                update_W2(W2, hidden, dlogits, len(last), plan.n_classes, steps[2], lanes)
                update_b1(b1, dhidden, len(last), steps[1], lanes)
                update_W1(W1, dhidden, X, last, columns, steps[0], lanes)
            if step < n_batches:
                catch_up(W1, X, batch, step_of_W1(plan, tile, step), lanes)
                hidden_forward(hidden, W1, b1, X, batch, coming, lanes)
                output_forward(logits[tile], hidden, W2, len(batch), lanes)
            coming = coming[:0]  # has been asked for with the first tile
        if step == n_batches:
            break
        arrive(member, lanes)
        prepare_columns(columns, X, batch, lanes)
        if not await_all(member, step + 1, lanes):
            return
        labels, b2 = plan.labels[step * B : step * B + len(batch)], scratch.b2[step % 2]
        scale = gradient_scale(plan.rule, plan.totals[step])
        targets = Targets(labels, plan.weights[step * B :], scale, plan.fixed)
        softmax_cross_entropy(dlogits, results, logits, b2, targets, plan.n_classes, lanes)
        if member.rank == 0:
            steps = steps_of_arrays(plan.rule, 0, plan.first_step + step, plan.totals[step])
            update_b2(scratch.b2[(step + 1) % 2], b2, dlogits, len(batch), plan.n_classes, steps[3], lanes)
            for i in range(len(batch)):
                outcome.losses[step * B + i] = results[0, i]
                outcome.hits[step * B + i] = results[1, i]
    if n_batches == len(plan.totals):  # the end of the epoch
        for tile in range(member.rank, n_tiles, member.size):
            catch_up_all(parameters.W1[tile], step_of_W1(plan, tile, n_batches), lanes)
    if member.rank == 0:
        for c in range(len(parameters.b2)):
            parameters.b2[c] = scratch.b2[n_batches % 2, c]
