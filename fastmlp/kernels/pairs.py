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
    load,
    prefetch,
    row_pair,
    second_pass,
    store,
    units,
)

__all__ = [
    "CodedPairs",
    "pairs_by_column",
    "pairs_hidden_forward",
    "pairs_hidden_forward_in_turns",
    "pairs_update_W1",
]

_ZERO = np.float32(0.0)


class CodedPairs(NamedTuple):
    """Inputs X (n, D) as coded pairs, row after row, each row cut into blocks of columns."""

    starts: NDArray[np.uint32]  # (n, blocks + 1): block p of row i is entries[starts[i, p] : starts[i, p + 1]]
    entries: NDArray[np.uint32]  # pairs ascending in each row
    values: Float32Array  # (256,): what a code stands for; code 0 is 0


@inlined
def _axpy_pair(acc, e, W1, values, lanes):
    """acc + both values of an entry times their rows of W1."""
    at = (e & 0xFFFF) * (2 * units(lanes))
    acc = axpy(acc, element(values, (e >> 16) & 0xFF), load(W1, at, lanes))
    return axpy(acc, element(values, e >> 24), load(W1, at + units(lanes), lanes))


@inlined
def _ask_for(X, coming, i, p):
    """Ask for block p of a row of the batch `coming`: rows come in random order, which no processor foresees."""
    if i < len(coming):
        at = coming[i] * X.starts.shape[1] + p
        prefetch(X.entries, element(X.starts, at), element(X.starts, at + 1))


@inlined
def _begin(hidden, b1, i, p, lanes):
    """The sums of row i before block p of the columns."""
    return load(b1, 0, lanes) if p == 0 else load(hidden, i * units(lanes), lanes)


@inlined
def _end(acc, hidden, i, p, X, lanes):
    """Keep the sums of row i after block p of the columns."""
    store(relu(acc) if p == X.starts.shape[1] - 2 else acc, hidden, i * units(lanes))


@inlined
def _forward_row(hidden, W1, b1, X, batch, i, p, lanes):
    """Row i of hidden, by block p of the columns."""
    at, acc = batch[i] * X.starts.shape[1] + p, _begin(hidden, b1, i, p, lanes)
    for k in range(element(X.starts, at), element(X.starts, at + 1)):
        acc = _axpy_pair(acc, element(X.entries, k), W1, X.values, lanes)
    _end(acc, hidden, i, p, X, lanes)


@kernel
def pairs_hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile; meanwhile asks for the rows of the batch `coming`.

    The whole batch goes through a block of columns before the next, so that the block's part of W1 stays in the L1
    cache.

    Writes hidden (room, units); reads W1 (D padded to 2, units), b1 (units,), the rows of X numbered by batch (B,).
    """
    for p in range(X.starts.shape[1] - 1):
        for i in range(len(batch)):
            _ask_for(X, coming, i, p)
            _forward_row(hidden, W1, b1, X, batch, i, p, lanes)


@kernel
def pairs_hidden_forward_in_turns(hidden, W1, b1, X, batch, coming, lanes):
    """The same for narrow tiles: two rows in turns, so that the sums of one do not wait for themselves."""
    entries, values = X.entries, X.values
    for p in range(X.starts.shape[1] - 1):
        for i in range(0, len(batch) - 1, 2):
            _ask_for(X, coming, i, p)
            _ask_for(X, coming, i + 1, p)
            one, two = _begin(hidden, b1, i, p, lanes), _begin(hidden, b1, i + 1, p, lanes)
            at, other = batch[i] * X.starts.shape[1] + p, batch[i + 1] * X.starts.shape[1] + p
            k, stop = element(X.starts, at), element(X.starts, at + 1)
            m, end = element(X.starts, other), element(X.starts, other + 1)
            for _ in range(min(stop - k, end - m)):
                one = _axpy_pair(one, element(entries, k), W1, values, lanes)
                two = _axpy_pair(two, element(entries, m), W1, values, lanes)
                k += 1
                m += 1
            for j in range(k, stop):
                one = _axpy_pair(one, element(entries, j), W1, values, lanes)
            for j in range(m, end):
                two = _axpy_pair(two, element(entries, j), W1, values, lanes)
            _end(one, hidden, i, p, X, lanes)
            _end(two, hidden, i + 1, p, X, lanes)
        if len(batch) % 2 == 1:
            _forward_row(hidden, W1, b1, X, batch, len(batch) - 1, p, lanes)


@kernel
def pairs_by_column(columns, X, batch, lanes):
    """The batch by columns: pair q is entries[q * room : ends[q]], samples ascending.

    A pair has room for the whole batch, so that nothing has to be counted first. An entry is that of the row, with the
    sample's place in the batch added to the pair.

    Writes columns: ends (pairs,), entries (pairs * room,); reads the rows of X numbered by batch (B,).
    """
    ends, n_blocks = columns.ends, X.starts.shape[1] - 1
    room = len(columns.entries) // len(ends)
    for q in range(len(ends)):
        ends[q] = q * room
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
    room = len(columns.entries) // len(columns.ends)
    for q in range(len(columns.ends)):
        start, stop = q * room, element(columns.ends, q)
        if start < stop:
            acc = broadcast(_ZERO, row_pair(part))
            for k in range(start, stop):
                e = element(columns.entries, k)
                row = load(dhidden, ((e & 0xFFFF) - q) * units(lanes) + at, part)
                acc = axpy_rows(acc, element(values, (e >> 16) & 0xFF), element(values, e >> 24), row)
            add_rows(acc, W1, 2 * q * units(lanes) + at, units(lanes))


@kernel
def pairs_update_W1(W1, dhidden, X, batch, columns, lanes):
    """W1 += X^T dhidden for one tile, a pair of columns at a time: two rows of W1 are read and written once per batch.

    The batch is summed before it is added to W1: a weight that took each sample's small share alone would round it.

    Writes W1 (D padded to 2, units); reads dhidden (B, units), columns (the batch by columns) and X's values.
    """
    _update_pass(W1, dhidden, columns, X.values, 0, first_pass(lanes), lanes)
    done = units(first_pass(lanes))
    if done < units(lanes):
        _update_pass(W1, dhidden, columns, X.values, done, second_pass(lanes), lanes)
