"""The hidden layer on coded pairs: inputs of at most 256 different values (bytes, pixels), mostly zero.

An entry of 32 bits stands for two neighbouring columns of a row, of which at least one is not zero:

    pair | code of the left value << 16 | code of the right value << 24        columns 2 pair and 2 pair + 1

So a nonzero takes 2.3 bytes on MNIST and not 8, the update turns half as many entries round, and loads a row of dhidden
once for two rows of W1. The zero of a half-empty pair is multiplied, which changes no bit of a finite sum: sums
run in ascending order, one multiply-add each, as in `sparse.py` and `dense.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array

from .compiled import inlined, kernel
from .lanewise import relu
from .simd import (
    add_rows,
    axpy,
    axpy_rows,
    broadcast,
    element,
    first_pass,
    interleaved,
    load,
    prefetch,
    row_pair,
    second_pass,
    store,
    units,
)

__all__ = ["CodedPairs", "PairColumns", "pairs_by_column", "pairs_hidden_forward", "pairs_update_W1"]

_ZERO = np.float32(0.0)


class CodedPairs(NamedTuple):
    """Inputs X (n, D) as coded pairs, row after row, each row cut into blocks of columns."""

    starts: NDArray[np.uint32]  # (n, blocks + 1): block p of row i is entries[starts[i, p] : starts[i, p + 1]]
    entries: NDArray[np.uint32]  # pairs ascending in each row
    values: Float32Array  # (256,): what a code stands for; code 0 is 0


class PairColumns(NamedTuple):
    """One batch by columns: which samples have a pair.

    A pair has room for the whole batch, so that nothing has to be counted first. An entry is that of the row, with the
    sample's place in the batch added to the pair.
    """

    ends: NDArray[np.uint32]  # (pairs,): pair q is entries[q * room : ends[q]]
    entries: NDArray[np.uint32]  # (pairs * room,), samples ascending in each pair
    room: int


@inlined
def _axpy_pair(acc, e, W1, values, lanes):
    """acc + both values of an entry times their rows of W1."""
    at = (e & 0xFFFF) * (2 * units(lanes))
    acc = axpy(acc, element(values, (e >> 16) & 0xFF), load(W1, at, lanes))
    return axpy(acc, element(values, e >> 24), load(W1, at + units(lanes), lanes))


@kernel
def pairs_hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile; meanwhile asks for the rows of the batch `coming`.

    The whole batch goes through a block of columns before the next, so that the block's part of W1 stays in the L1
    cache. Narrow tiles take two samples in turns. Rows come in random order, which no processor foresees: with each
    block of a row the same of a coming one is asked for.

    Writes hidden (room, units); reads W1 (D padded to 2, units), b1 (units,), the rows of X numbered by batch (B,).
    """
    starts, entries, values, width = X.starts, X.entries, X.values, X.starts.shape[1]
    for p in range(width - 1):
        i = 0
        if interleaved(lanes, 1):
            while i + 2 <= len(batch):
                if i + 2 <= len(coming):
                    row, other = coming[i] * width + p, coming[i + 1] * width + p
                    prefetch(entries, element(starts, row), element(starts, row + 1))
                    prefetch(entries, element(starts, other), element(starts, other + 1))
                if p == 0:
                    left, right = load(b1, 0, lanes), load(b1, 0, lanes)
                else:
                    left, right = load(hidden, i * units(lanes), lanes), load(hidden, (i + 1) * units(lanes), lanes)
                row, other = batch[i] * width + p, batch[i + 1] * width + p
                k, stop = element(starts, row), element(starts, row + 1)
                m, end = element(starts, other), element(starts, other + 1)
                for _ in range(min(stop - k, end - m)):
                    left = _axpy_pair(left, element(entries, k), W1, values, lanes)
                    right = _axpy_pair(right, element(entries, m), W1, values, lanes)
                    k += 1
                    m += 1
                for j in range(k, stop):
                    left = _axpy_pair(left, element(entries, j), W1, values, lanes)
                for j in range(m, end):
                    right = _axpy_pair(right, element(entries, j), W1, values, lanes)
                if p == width - 2:
                    left, right = relu(left), relu(right)
                store(left, hidden, i * units(lanes))
                store(right, hidden, (i + 1) * units(lanes))
                i += 2
        while i < len(batch):
            if i < len(coming):
                row = coming[i] * width + p
                prefetch(entries, element(starts, row), element(starts, row + 1))
            acc = load(b1, 0, lanes) if p == 0 else load(hidden, i * units(lanes), lanes)
            row = batch[i] * width + p
            for k in range(element(starts, row), element(starts, row + 1)):
                acc = _axpy_pair(acc, element(entries, k), W1, values, lanes)
            if p == width - 2:
                acc = relu(acc)
            store(acc, hidden, i * units(lanes))
            i += 1


@kernel
def pairs_by_column(columns, X, batch, lanes):
    """The batch by columns: writes columns; reads the rows of X numbered by batch (B,)."""
    ends, n_blocks = columns.ends, X.starts.shape[1] - 1
    for q in range(len(ends)):
        ends[q] = q * columns.room
    for i in range(len(batch)):
        row = batch[i] * (n_blocks + 1)
        for k in range(element(X.starts, row), element(X.starts, row + n_blocks)):
            e = element(X.entries, k)
            q = np.uint64(e & 0xFFFF)
            at = ends[q]
            columns.entries[at] = e + i
            ends[q] = at + 1


@inlined
def _update_pass(W1, dhidden, columns, values, at, part, lanes):
    """W1 += X^T dhidden for a part of a tile, which begins `at` units into it."""
    for q in range(len(columns.ends)):
        start, stop = q * columns.room, element(columns.ends, q)
        if start < stop:
            acc = broadcast(_ZERO, row_pair(part))
            for k in range(start, stop):
                e = element(columns.entries, k)
                row = load(dhidden, ((e & 0xFFFF) - q) * units(lanes) + at, part)
                acc = axpy_rows(acc, element(values, (e >> 16) & 0xFF), element(values, e >> 24), row)
            add_rows(acc, W1, 2 * q * units(lanes) + at, units(lanes))


@kernel
def pairs_update_W1(W1, dhidden, columns, values, lanes):
    """W1 += X^T dhidden for one tile, a pair of columns at a time: two rows of W1 are read and written once per batch.

    The batch is summed before it is added to W1: a weight that took each sample's small share alone would round it.

    Writes W1 (D made even, units); reads dhidden (B, units), the batch by columns and the values of the codes.
    """
    _update_pass(W1, dhidden, columns, values, 0, first_pass(lanes), lanes)
    done = units(first_pass(lanes))
    if done < units(lanes):
        _update_pass(W1, dhidden, columns, values, done, second_pass(lanes), lanes)
