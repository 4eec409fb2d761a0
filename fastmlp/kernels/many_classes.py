"""A training epoch for a net of many classes: every thread of a team runs `train_epoch_of_many`.

In `epoch.py` each thread computes the softmax of the whole batch itself, from shares of the logits that take B floats
for each class and tile. With thousands of classes that is most of the work, and most of the memory. Here the classes
are cut into groups, and what belongs to a group stays with one thread: its logits, its rows of W2 and b2, and its share
of the gradient of the hidden layer. The members meet three times a batch:

    own tiles    sum of the groups' dhidden; update by the last batch; forward pass of this batch
    -- meet      the hidden layer is there
    own groups   logits; of each sample the largest, and the sum of the powers
    -- meet      these are there
    own groups   dlogits; share of dhidden; update of W2 and b2
    -- meet

Products are taken 48 classes at a time, whose rows of W2 then stay in an L1 or L2 cache. Groups depend on the number
of classes alone, and sums over them are taken in their order: the result has the same bits for any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array

from .compiled import entry, inlined, kernel
from .epoch import of_member, step_of_W1
from .hidden import BatchColumns, Inputs, columns_scratch, hidden_forward, prepare_columns, update_W1
from .lanewise import (
    add,
    divide,
    exp,
    first_lanes,
    log,
    masked,
    maximum,
    multiply,
    subtract,
    where_equal,
    where_greater,
)
from .layout import Parameters, aligned_zeros, padded
from .lazy import catch_up, catch_up_all
from .output import update_b1, update_rows_of_W2
from .simd import broadcast, load, load_rows, rank1, store, store_rows
from .softmax import Targets, update_rows_of_b2
from .steps import gradient_scale, steps_of_arrays
from .tags import block, block_rows, strip, units, vector
from .team import arrive, await_all, stopped

__all__ = [
    "MANY_CLASSES",
    "ManyClassesScratch",
    "by_unit",
    "class_groups",
    "group_logits",
    "many_room_for",
    "train_epoch_of_many",
]

MANY_CLASSES = 256
_MOST_GROUPS = 16  # and so many threads can share the classes
_CHUNK = 48  # classes: a whole number of register blocks of six rows and of vectors
_LOWEST = np.finfo(np.float32).min
_ZERO = np.float32(0.0)
_ONE = np.float32(1.0)


def class_groups(n_classes: int) -> tuple[int, int]:
    """Into how many groups the classes are cut, and how many are in each but the last.

    >>> class_groups(10_000)
    (15, 672)
    """
    size = padded(-(-n_classes // _MOST_GROUPS), _CHUNK)
    return -(-n_classes // size), size


def many_room_for(batch_size: int) -> int:
    """`room_for` where kernels go through the samples in strips of up to 64.

    >>> many_room_for(128)
    144
    """
    return padded(batch_size, 64) + 16


class ManyClassesScratch(NamedTuple):
    """Memory of a training run, sized once. Whatever it holds at the start of an epoch does not matter.

    A batch has `room` for some samples more: kernels may go beyond its end.
    """

    hidden: Float32Array  # (tiles, room, units)
    by_unit: Float32Array  # (tiles, units, room): the same, a row per unit
    dhidden: Float32Array  # (tiles, room, units)
    shares: Float32Array  # (groups, tiles, room, units): of dhidden
    dlogits: Float32Array  # (C padded, room): first the logits, then their powers
    b2: Float32Array  # (2, C padded): before a batch and after it, in turns
    largest: Float32Array  # (groups, room): logit of a sample
    likeliest: Float32Array  # (groups, room): its class
    totals: Float32Array  # (groups, room): sum of the powers
    own: Float32Array  # (room,): logit of each sample's label
    factors: Float32Array  # (threads, 3, room): largest of all logits, step over the sum of all powers, a group's step
    results: Float32Array  # (threads, 2, room): losses and hits of a batch
    columns: BatchColumns  # for each thread: (threads, ...)
    group_size: int

    @classmethod
    def of(cls, parameters: Parameters, X: Inputs, batch_size: int, n_threads: int) -> ManyClassesScratch:
        """Scratch for these parameters and inputs."""
        tiles, input_size, units_ = parameters.W1.shape
        classes, room = parameters.W2.shape[1], many_room_for(batch_size)
        groups, group_size = class_groups(classes)
        return cls(
            aligned_zeros((tiles, room, units_)),
            aligned_zeros((tiles, units_, room)),
            aligned_zeros((tiles, room, units_)),
            aligned_zeros((groups, tiles, room, units_)),
            aligned_zeros((classes, room)),
            aligned_zeros((2, len(parameters.b2))),
            aligned_zeros((groups, room)),
            aligned_zeros((groups, room)),
            aligned_zeros((groups, room)),
            aligned_zeros((room,)),
            aligned_zeros((n_threads, 3, room)),
            aligned_zeros((n_threads, 2, room)),
            columns_scratch(X, input_size, batch_size, n_threads),
            group_size,
        )


@inlined
def by_unit(rows, hidden, n, lanes):
    """A row per unit of a tile: rows (units, room) of the n first samples of hidden (room, units)."""
    for i in range(n):
        for u in range(units(lanes)):
            rows[u, i] = hidden[i, u]


@inlined
def _logits_of_block(logits, by_unit, W2, c, i, strip_lanes, block_lanes):
    """logits[c : c + rows, i : i + lanes] without the bias."""
    n_tiles, C, n_units = W2.shape
    room = logits.shape[1]
    acc = broadcast(_ZERO, block_lanes)
    for tile in range(n_tiles):
        for u in range(n_units):
            row = load(by_unit, (tile * n_units + u) * room + i, strip_lanes)
            acc = rank1(acc, W2, (tile * C + c) * n_units + u, n_units, row)
    store_rows(acc, logits, c * room + i, room)


@kernel
def group_logits(logits, by_unit, W2, n, share, lanes):
    """logits[c] = hidden W2[c] without the bias, for the classes of a group (first, last) and n samples.

    Writes logits (C padded, room), for up to a strip of samples beyond n too; reads by_unit (tiles, units, room), the
    hidden values, and W2 (tiles, C padded, units).
    """
    for start in range(share[0], share[1], _CHUNK):
        end = min(start + _CHUNK, share[1])
        for i in range(0, n, units(strip(lanes))):
            c = start
            while c + block_rows(strip(lanes)) <= end:
                _logits_of_block(logits, by_unit, W2, c, i, strip(lanes), block(strip(lanes)))
                c += block_rows(strip(lanes))
            while c < end:
                _logits_of_block(logits, by_unit, W2, c, i, strip(lanes), strip(lanes))
                c += 1


@kernel
def group_powers(scratch, group, b2, labels, n, share, lanes):
    """logits += b2, the largest of them, and e^(logits - largest) with its sum, for a group of classes (first, last).

    Writes scratch: the rows of dlogits, that of the group in `largest`, `likeliest` and `totals`, and `own` where a
    label is in the group. Reads b2 (C padded,) and labels (room,), whole numbers as float32.
    """
    one, (first, last), logits = vector(lanes), share, scratch.dlogits
    room, at = logits.shape[1], group * logits.shape[1]
    for i in range(0, n, units(one)):
        largest, likeliest = broadcast(_LOWEST, one), broadcast(_ZERO, one)
        for c in range(first, last):
            z = add(load(logits, c * room + i, one), broadcast(b2[c], one))
            store(z, logits, c * room + i)
            likeliest = where_greater(z, largest, broadcast(np.float32(c), one), likeliest)
            largest = maximum(largest, z)
        store(largest, scratch.largest, at + i)
        store(likeliest, scratch.likeliest, at + i)
    for i in range(n):
        label = np.intp(labels[i])
        if first <= label < last:
            scratch.own[i] = logits[label, i]
    for i in range(0, n, units(one)):
        largest, total = load(scratch.largest, at + i, one), broadcast(_ZERO, one)
        for c in range(first, last):
            power = exp(subtract(load(logits, c * room + i, one), largest))
            store(power, logits, c * room + i)
            total = add(total, power)
        store(total, scratch.totals, at + i)


@kernel
def over_groups(factors, results, scratch, targets, lanes):
    """What the groups together say of each sample: the largest logit, the step over the sum of powers; loss and hit.

    Writes factors (3, room), its first two rows, and results (2, room); reads scratch and targets. A thread for itself.
    """
    one, n, (n_groups, room) = vector(lanes), len(targets.labels), scratch.largest.shape
    zero = broadcast(_ZERO, one)
    for i in range(0, n, units(one)):
        largest, likeliest, total = broadcast(_LOWEST, one), zero, zero
        for group in range(n_groups):
            z = load(scratch.largest, group * room + i, one)
            likeliest = where_greater(z, largest, load(scratch.likeliest, group * room + i, one), likeliest)
            largest = maximum(largest, z)
        for group in range(n_groups):
            scale = exp(subtract(load(scratch.largest, group * room + i, one), largest))
            total = add(total, multiply(load(scratch.totals, group * room + i, one), scale))
        loss = add(subtract(largest, load(scratch.own, i, one)), log(total))
        certain = where_equal(loss, loss, broadcast(_ONE, one), zero)
        step = multiply(broadcast(targets.scale, one), load(targets.weights, i, one))
        store(largest, factors, i)
        store(divide(step, total), factors, room + i)
        store(loss, results, i)
        store(where_equal(load(targets.labels, i, one), likeliest, certain, zero), results, room + i)


@kernel
def group_gradient(dlogits, factors, largest, targets, share, lanes):
    """dlogits = scale weight (softmax(logits) - onehot(labels)) of a group of classes (first, last), from its powers.

    Writes dlogits (C padded, room), 0 beyond n up to a whole vector, and the third row of factors (3, room); reads the
    first two, the group's largest logits (room,) and targets, as `softmax_cross_entropy` does.
    """
    one, n, room = vector(lanes), len(targets.labels), dlogits.shape[1]
    zero = broadcast(_ZERO, one)
    for i in range(0, n, units(one)):
        scale = exp(subtract(load(largest, i, one), load(factors, i, one)))
        store(multiply(scale, load(factors, room + i, one)), factors, 2 * room + i)
    for c in range(share[0], share[1]):
        for i in range(0, n, units(one)):
            step = multiply(broadcast(targets.scale, one), load(targets.weights, i, one))
            target = where_equal(load(targets.labels, i, one), broadcast(np.float32(c), one), step, zero)
            factor = load(factors, 2 * room + i, one)
            gradient = subtract(multiply(load(dlogits, c * room + i, one), factor), target)
            if c < targets.fixed:
                gradient = zero
            store(first_lanes(gradient, n - i, _ZERO), dlogits, c * room + i)


@inlined
def _add_backward(dhidden, dlogits, W2, i, share, is_first, lanes, block_lanes):
    """dhidden[i : i + rows] += dlogits^T W2 for the classes (first, last) and the rows of one register block."""
    acc = broadcast(_ZERO, block_lanes)
    if not is_first:
        acc = load_rows(dhidden, i * units(lanes), units(lanes), block_lanes)
    for c in range(share[0], share[1]):
        row = load(W2, c * units(lanes), lanes)
        acc = rank1(acc, dlogits, c * dlogits.shape[1] + i, 1, row)
    store_rows(acc, dhidden, i * units(lanes), units(lanes))


@kernel
def group_backward(dhidden, dlogits, W2, n, share, is_first, lanes):
    """dhidden (+)= (W2 dlogits)^T over the classes (first, last), for one tile and n samples; the first time it is set.

    Writes dhidden (room, units); reads dlogits (C padded, room) and W2 (C padded, units).
    """
    i = 0
    while i + block_rows(lanes) <= n:
        _add_backward(dhidden, dlogits, W2, i, share, is_first, lanes, block(lanes))
        i += block_rows(lanes)
    while i < n:
        _add_backward(dhidden, dlogits, W2, i, share, is_first, lanes, lanes)
        i += 1


@kernel
def sum_of_shares(dhidden, hidden, shares, tile, n, lanes):
    """dhidden of a tile: the sum of the groups' shares where hidden > 0, else 0.

    Writes dhidden (room, units); reads hidden (room, units) and shares (groups, tiles, room, units).
    """
    n_groups, n_tiles = shares.shape[:2]
    size = len(dhidden) * units(lanes)
    for i in range(n):
        acc = broadcast(_ZERO, lanes)
        for group in range(n_groups):
            acc = add(acc, load(shares, (group * n_tiles + tile) * size + i * units(lanes), lanes))
        store(masked(acc, hidden, i * units(lanes)), dhidden, i * units(lanes))


@inlined
def _do_tile(tile, parameters, scratch, X, batches, columns, plan_and_step, lanes):
    """The update of a tile by the last of the batches, and its forward pass on this one; `batches` has the next too."""
    (last, batch, coming), (plan, step) = batches, plan_and_step
    W1, b1 = parameters.W1[tile], parameters.b1[tile]
    hidden, dhidden = scratch.hidden[tile], scratch.dhidden[tile]
    if step > 0:
        steps = steps_of_arrays(plan.rule, tile, plan.first_step + step - 1, plan.totals[step - 1])
        sum_of_shares(dhidden, hidden, scratch.shares, tile, len(last), lanes)
        update_b1(b1, dhidden, len(last), steps[1], lanes)
        update_W1(W1, dhidden, X, last, columns, steps[0], lanes)
    if len(batch) > 0:
        catch_up(W1, X, batch, step_of_W1(plan, tile, step), lanes)
        hidden_forward(hidden, W1, b1, X, batch, coming, lanes)
        by_unit(scratch.by_unit[tile], hidden, len(batch), lanes)


@inlined
def _update_group(group, share, parameters, scratch, n, plan, step, lanes):
    """The group's share of dhidden, and the update of its rows of W2; a chunk of classes is in cache for both."""
    for start in range(share[0], share[1], _CHUNK):
        chunk = (start, min(start + _CHUNK, share[1]))
        for tile in range(len(parameters.W2)):
            W2, steps = parameters.W2[tile], steps_of_arrays(plan.rule, tile, plan.first_step + step, plan.totals[step])
            dhidden = scratch.shares[group, tile]
            group_backward(dhidden, scratch.dlogits, W2, n, chunk, start == share[0], lanes)
            update_rows_of_W2(W2, scratch.hidden[tile], scratch.dlogits, n, chunk, steps[2], lanes)


@inlined
def _update_groups(parameters, scratch, factors, targets, plan, step, member, lanes):
    """dlogits of this member's groups, and what they change: b2, W2 and the shares of dhidden."""
    n, size = len(targets.labels), scratch.group_size
    steps = steps_of_arrays(plan.rule, 0, plan.first_step + step, plan.totals[step])
    before, after = scratch.b2[step % 2], scratch.b2[(step + 1) % 2]
    for group in range(member.rank, len(scratch.largest), member.size):
        share = (group * size, min((group + 1) * size, plan.n_classes))
        group_gradient(scratch.dlogits, factors, scratch.largest[group], targets, share, lanes)
        update_rows_of_b2(after, before, scratch.dlogits, n, share, plan.n_classes, steps[3], lanes)
        _update_group(group, share, parameters, scratch, n, plan, step, lanes)


@entry
def train_epoch_of_many(parameters, outcome, scratch, X, plan, member, lanes):
    """`train_epoch` for many classes: the same arguments, but for the type of scratch."""
    order, n, B, size = plan.order, len(plan.order), plan.batch_size, scratch.group_size
    n_tiles, n_batches = len(parameters.W1), -(-n // B)
    columns, factors = of_member(scratch.columns, member), scratch.factors[member.rank]
    results = scratch.results[member.rank]
    if member.rank == 0:
        for c in range(len(parameters.b2)):
            scratch.b2[0, c] = parameters.b2[c]
    for step in range(n_batches + 1):
        last, batch = order[max(step - 1, 0) * B : min(step * B, n)], order[step * B : min((step + 1) * B, n)]
        coming = order[min((step + 1) * B, n) : min((step + 2) * B, n)]
        for tile in range(member.rank, n_tiles, member.size):
            if stopped(member, lanes):  # a batch may be large: not only at the meetings
                return
            _do_tile(tile, parameters, scratch, X, (last, batch, coming), columns, (plan, step), lanes)
            coming = coming[:0]  # has been asked for with the first tile
        if step == n_batches:
            break
        arrive(member, lanes)
        prepare_columns(columns, X, batch, lanes)
        if not await_all(member, 3 * step + 1, lanes):
            return
        labels = plan.labels[step * B : step * B + len(batch)]
        scale = gradient_scale(plan.rule, plan.totals[step])
        targets = Targets(labels, plan.weights[step * B :], scale, plan.fixed)
        for group in range(member.rank, len(scratch.largest), member.size):
            if stopped(member, lanes):
                return
            share = (group * size, min((group + 1) * size, plan.n_classes))
            group_logits(scratch.dlogits, scratch.by_unit, parameters.W2, len(batch), share, lanes)
            group_powers(scratch, group, scratch.b2[step % 2], labels, len(batch), share, lanes)
        arrive(member, lanes)
        if not await_all(member, 3 * step + 2, lanes):
            return
        over_groups(factors, results, scratch, targets, lanes)
        _update_groups(parameters, scratch, factors, targets, plan, step, member, lanes)
        if member.rank == 0:
            for i in range(len(batch)):
                outcome.losses[step * B + i] = results[0, i]
                outcome.hits[step * B + i] = results[1, i]
        arrive(member, lanes)
        if not await_all(member, 3 * step + 3, lanes):
            return
    if n_batches == len(plan.totals):  # the end of the epoch
        for tile in range(member.rank, n_tiles, member.size):
            catch_up_all(parameters.W1[tile], step_of_W1(plan, tile, n_batches), lanes)
    if member.rank == 0:
        for c in range(len(parameters.b2)):
            parameters.b2[c] = scratch.b2[n_batches % 2, c]
