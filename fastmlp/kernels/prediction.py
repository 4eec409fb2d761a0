"""The forward pass alone, for any number of rows, chunk by chunk: what is kept of a chunk stays in the cache.

Rows come as they are, an array (n, D), or as `WithZeros` of one: the nonzeros of a chunk are then found, copied
together and forgotten after it, so that nothing is packed beforehand. Both give the same bits, and each is compiled by
itself, the first time that it is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload

from fastmlp.arrays import Float32Array, Int64Array

from .compiled import KERNEL_OPTIONS, entry, inlined
from .compress import append_nonzeros
from .hidden import hidden_forward, hidden_forward_two
from .lanewise import tile_sum
from .layout import Parameters, aligned_zeros, room_for
from .many_classes import by_unit, group_logits, many_room_for
from .output import output_forward
from .simd import axpy, broadcast, element, load, store
from .softmax import softmax
from .sparse import ROW_ENTRY, SparseRows
from .steps import is_kind
from .tags import takes_turns, units, vector
from .wide import WideRows

__all__ = ["PredictionScratch", "WithZeros", "network_forward"]

_ROWS = 128  # of a chunk, at most: they share a pass over the weights
_ROWS_OF_MANY = 64  # the same for many classes, of which each takes more memory
_MORE_ROWS = 8
_SCRATCH_BYTES = 1 << 20  # for what is kept of a chunk's rows; and as many for its nonzeros
_BEYOND = 16  # entries: as many as a vector has lanes may be written beyond the last
_ZERO = np.float32(0.0)


class WithZeros(NamedTuple):
    """Rows of which the zeros are skipped."""

    rows: Float32Array  # X (n, D)


class PredictionScratch(NamedTuple):
    """Memory of one thread for a chunk of rows. Whatever it holds at the start does not matter, but for `order`."""

    nonzeros: SparseRows  # (rows, 2), and room for at least one full row
    order: Int64Array  # (rows,): 0, 1, ...
    hidden: Float32Array  # (2, room, units)
    by_unit: Float32Array  # (tiles, units, room), of many classes: the hidden values of all tiles, a row per unit
    logits: Float32Array  # (tiles, C padded, room): shares of the tiles; of many classes there is one for all
    probs: Float32Array  # (C padded, room)
    labels: Float32Array  # (room,)
    results: Float32Array  # (3, room): the sum of the powers, the loss and the hit of each row

    @classmethod
    def of(cls, parameters: Parameters, of_many: bool = False) -> PredictionScratch:
        """Scratch for these parameters: about two megabytes at most, unless inputs, units or classes are very many.

        For many classes it is of a type of its own.
        """
        (tiles, classes, units), input_size = parameters.W2.shape, parameters.W1.shape[1]
        if of_many:
            n_entries = max(input_size, _SCRATCH_BYTES // ROW_ENTRY.itemsize)
            return ManyClassesPrediction.with_room(parameters, _ROWS_OF_MANY, n_entries)
        row_bytes = 4 * (2 * units + (tiles + 1) * classes)
        rows = min(_ROWS, max(16, _SCRATCH_BYTES // row_bytes // 16 * 16))
        n_entries = max(input_size, min(rows * input_size, _SCRATCH_BYTES // ROW_ENTRY.itemsize))
        return cls.with_room(parameters, rows, n_entries)

    @classmethod
    def with_room(cls, parameters: Parameters, rows: int, n_entries: int) -> PredictionScratch:
        """Scratch for chunks of at most so many rows and nonzeros; there must be room for the nonzeros of a row."""
        tiles, classes, units = parameters.W2.shape
        of_many = cls is ManyClassesPrediction
        room = many_room_for(rows) if of_many else room_for(rows)
        return cls(
            SparseRows(np.zeros((rows, 2), np.int64), aligned_zeros((n_entries + _BEYOND,), ROW_ENTRY)),
            np.arange(rows),
            aligned_zeros((2, room, units)),
            aligned_zeros((tiles if of_many else 0, units, room)),
            aligned_zeros((1 if of_many else tiles, classes, room)),
            aligned_zeros((classes, room)),
            aligned_zeros((room,)),
            aligned_zeros((3, room)),
        )


class ManyClassesPrediction(PredictionScratch):
    """PredictionScratch for a net of many classes."""


def _take_tile(scratch, tile, hidden, W2, n, lanes):
    """What the output layer needs of a tile: its share of the logits; of many classes its hidden values, by unit."""
    raise NotImplementedError("for kernels only")


@overload(_take_tile, jit_options=KERNEL_OPTIONS)
def _typed_take_tile(scratch, tile, hidden, W2, n, lanes):
    if is_kind(scratch, ManyClassesPrediction):

        def take(scratch, tile, hidden, W2, n, lanes):
            by_unit(scratch.by_unit[tile], hidden, n, lanes)
    else:

        def take(scratch, tile, hidden, W2, n, lanes):
            output_forward(scratch.logits[tile], hidden, W2[tile], n, lanes)

    return take


def _complete_logits(scratch, W2, n_classes, n, lanes):
    """The logits of all tiles together, of many classes; else the softmax adds the shares."""
    raise NotImplementedError("for kernels only")


@overload(_complete_logits, jit_options=KERNEL_OPTIONS)
def _typed_complete_logits(scratch, W2, n_classes, n, lanes):
    if is_kind(scratch, ManyClassesPrediction):

        def complete(scratch, W2, n_classes, n, lanes):
            group_logits(scratch.logits[0], scratch.by_unit, W2, n, (0, n_classes), lanes)
    else:

        def complete(scratch, W2, n_classes, n, lanes):
            pass

    return complete


@inlined
def _few(n_nonzeros, rows, D, vectors):
    """Whether to skip the zeros is faster than to look at them no more, for a hidden layer of `vectors` vectors.

    On 128 rows of random bytes both take as long at a density of 0.24, 0.28, 0.34, 0.39 and 0.58 for 2, 4, 8, 16 and 40
    vectors (a Zen 3 with AVX2). The first rows say little of those to come, and a few rows make no register blocks: as
    many nonzeros are allowed as if there were some rows more.
    """
    return n_nonzeros * (vectors + 4.5) < 0.5 * (vectors + 0.5) * D * (rows + _MORE_ROWS)


@inlined
def _find_nonzeros(nonzeros, X, first, last, vectors, lanes):
    """Copy the nonzeros of rows from `first` on, before `last`, as many as make a chunk; stop where there are too many.

    Returns how many rows there are, 0 where zeros are so few that they should not be skipped, and whether all values
    looked at are finite. Writes nonzeros; reads X (n, D).
    """
    starts, entries, one, D = nonzeros.starts, nonzeros.entries, vector(lanes), X.shape[1]
    products, rest = broadcast(_ZERO, one), _ZERO  # with 0: they stay 0 unless there is NaN or infinity
    rows, count, few = 0, 0, True
    while few and first + rows < last and rows < len(starts) and count + D + units(one) <= len(entries):
        i, d = first + rows, 0
        starts[rows, 0] = count
        while d + units(one) <= D:
            values = load(X, i * D + d, one)
            products = axpy(products, _ZERO, values)
            count = append_nonzeros(entries, count, values, d)
            d += units(one)
        while d < D:
            rest += _ZERO * X[i, d]
            entries[count].column = d
            entries[count].value = X[i, d]
            count += X[i, d] != 0
            d += 1
        starts[rows, 1] = count
        rows += 1
        few = _few(count, rows, D, vectors)
    return rows if few else 0, tile_sum(products) + rest == 0


@inlined
def _all_finite(X, first, last, lanes):
    """Whether the rows first to last of X (n, D) hold neither NaN nor infinity."""
    one, at, end = vector(lanes), first * X.shape[1], last * X.shape[1]
    products = broadcast(_ZERO, one)
    while at + units(one) <= end:
        products = axpy(products, _ZERO, load(X, at, one))
        at += units(one)
    rest = _ZERO
    for i in range(at, end):
        rest += _ZERO * element(X, i)
    return tile_sum(products) + rest == 0


def _chunk(scratch, X, first, last, vectors, lanes):
    """The next rows in the form in which the hidden layer takes them, how many they are, and whether all are finite."""
    raise NotImplementedError("for kernels only")


@overload(_chunk, jit_options=KERNEL_OPTIONS)
def _typed_chunk(scratch, X, first, last, vectors, lanes):
    if isinstance(X, types.Array):

        def chunk(scratch, X, first, last, vectors, lanes):
            n = min(last - first, len(scratch.order))
            return X[first : first + n], n, _all_finite(X, first, first + n, lanes)
    elif X.instance_class is WideRows:  # which was looked at when it was handed in

        def chunk(scratch, X, first, last, vectors, lanes):
            n = min(last - first, len(scratch.order))
            return WideRows(X.starts[first : first + n], X.entries), n, True
    else:

        def chunk(scratch, X, first, last, vectors, lanes):
            n, finite = _find_nonzeros(scratch.nonzeros, X.rows, first, last, vectors, lanes)
            starts, entries = scratch.nonzeros
            return SparseRows(starts, entries), n, finite

    return chunk


@entry
def network_forward(probs, outcome, parameters, scratch, X, y, share, lanes):
    """Probabilities, and the loss and hit of each row whose label is given, for the rows of a share (first, last).

    Returns two numbers. The first is `last`; or an earlier row from which on zeros are so few that they should not be
    skipped; or -1 where an input is NaN or infinite. The second is how many rows have logits beyond float32, so that
    their probabilities are NaN. Writes probs (n or 0, C), outcome (n or 0) and scratch; reads parameters, X (n, D) in
    either form and the labels y (n or 0,).
    """
    W1, b1, W2, b2 = parameters
    n_classes, width = probs.shape[1], units(vector(lanes))
    hidden, logits, labels, results = scratch.hidden, scratch.logits, scratch.labels, scratch.results
    first, last = share
    overflowed = 0
    while first < last:
        rows, n, finite = _chunk(scratch, X, first, last, len(W1) * units(lanes) // width, lanes)
        if not finite:
            return -1, overflowed
        if n == 0:
            return first, overflowed
        order = scratch.order[:n]
        tile = 0
        while takes_turns(lanes) and tile + 2 <= len(W1):
            hidden_forward_two(hidden, W1[tile : tile + 2], b1[tile : tile + 2], rows, order, lanes)
            for t in range(2):
                _take_tile(scratch, tile + t, hidden[t], W2, n, lanes)
            tile += 2
        while tile < len(W1):
            hidden_forward(hidden[0], W1[tile], b1[tile], rows, order, order[:0], lanes)
            _take_tile(scratch, tile, hidden[0], W2, n, lanes)
            tile += 1
        _complete_logits(scratch, W2, n_classes, n, lanes)
        for i in range(min(n, len(y))):
            labels[i] = y[first + i]
        for i in range(0, n, width):
            total, loss, hit = softmax(scratch.probs, logits, b2, labels, i, n_classes, lanes)
            store(total, results, i)
            store(loss, results, results.shape[1] + i)
            store(hit, results, 2 * results.shape[1] + i)
        for i in range(n):
            overflowed += results[0, i] != results[0, i]
            if len(probs) > 0:
                for c in range(n_classes):
                    probs[first + i, c] = scratch.probs[c, i] / results[0, i]
            if len(y) > 0:
                outcome.losses[first + i] = results[1, i]
                outcome.hits[first + i] = results[2, i]
        first += n
    return last, overflowed
