"""The hidden layer on coded inputs: of at most 256 different values (bytes, pixels), mostly zero.

An entry of 32 bits stands for a nonzero, or for two neighbouring columns of a row of which at least one is not zero:

    column | code << 16                                                   `CodedNonzeros`
    pair | code of the left value << 16 | code of the right value << 24   `CodedPairs`: columns 2 pair and 2 pair + 1

An entry takes 4 bytes and not 8. Of pairs there are about half as many, and the update loads a row of dhidden once for
two rows of W1; but the zero of a half-empty pair is multiplied too. That changes no bit of a finite sum: sums run in
ascending order, one multiply-add each, as in `sparse.py` and `dense.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array

from .compiled import INLINED_OPTIONS, inlined, kernel
from .rows import add_entry
from .simd import axpy, axpy_rows, broadcast, element, load
from .steps import moves_alone, take_step
from .tags import first_pass, row_pair, second_pass, units

__all__ = ["CodedNonzeros", "CodedPairs", "coded_by_column", "nonzeros_update_W1", "pairs_update_W1"]

_ZERO = np.float32(0.0)


class CodedPairs(NamedTuple):
    """Inputs X (n, D) as coded pairs, row after row, each row cut into blocks of columns."""

    starts: NDArray[np.uint32]  # (n, blocks + 1): block p of row i is entries[starts[i, p] : starts[i, p + 1]]
    entries: NDArray[np.uint32]  # pairs ascending in each row
    values: Float32Array  # (256,): what a code stands for; code 0 is 0


class CodedNonzeros(NamedTuple):
    """Inputs X (n, D) as coded nonzeros, otherwise as `CodedPairs`."""

    starts: NDArray[np.uint32]
    entries: NDArray[np.uint32]  # columns ascending in each row
    values: Float32Array


@overload(add_entry, jit_options=INLINED_OPTIONS)
def _add_pair(acc, X, k, W1, lanes):
    if getattr(X, "instance_class", None) is not CodedPairs:
        return None

    def add(acc, X, k, W1, lanes):
        e = element(X.entries, k)
        at = (e & 0xFFFF) * (2 * units(lanes))
        acc = axpy(acc, element(X.values, (e >> 16) & 0xFF), load(W1, at, lanes))
        return axpy(acc, element(X.values, e >> 24), load(W1, at + units(lanes), lanes))

    return add


@overload(add_entry, jit_options=INLINED_OPTIONS)
def _add_coded_nonzero(acc, X, k, W1, lanes):
    if getattr(X, "instance_class", None) is not CodedNonzeros:
        return None

    def add(acc, X, k, W1, lanes):
        e = element(X.entries, k)
        return axpy(acc, element(X.values, e >> 16), load(W1, (e & 0xFFFF) * units(lanes), lanes))

    return add


@kernel
def coded_by_column(columns, X, batch, lanes):
    """The batch by columns, or by pairs of them: number q is entries[q * room : ends[q]], samples ascending.

    Each has room for the whole batch, so that nothing has to be counted first. An entry is that of the row, with the
    sample's place in the batch added to the number.

    Writes columns: ends (numbers,), entries (numbers * room,); reads the rows of X numbered by batch (B,).
    """
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
def _update_pass(W1, dhidden, columns, values, at, part, step, lanes):
    """The step of W1 by X^T dhidden for a part of a tile, which begins `at` units into it."""
    for q in range(len(columns.ends)):
        start, stop = q * columns.room, element(columns.ends, q)
        if start < stop or moves_alone(step):
            acc = broadcast(_ZERO, row_pair(part))
            for k in range(start, stop):
                e = element(columns.entries, k)
                row = load(dhidden, ((e & 0xFFFF) - q) * units(lanes) + at, part)
                acc = axpy_rows(acc, element(values, (e >> 16) & 0xFF), element(values, e >> 24), row)
            take_step(W1, 2 * q * units(lanes) + at, units(lanes), acc, step)


@kernel
def pairs_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile, a pair of columns at a time: each row is visited once.

    The batch is summed before it changes W1: a weight that took each sample's small share alone would round it.

    Writes W1 (D padded to 2, units) and the state of step; reads dhidden (B, units), columns (the
    batch by columns) and X's values.
    """
    _update_pass(W1, dhidden, columns, X.values, 0, first_pass(lanes), step, lanes)
    done = units(first_pass(lanes))
    if done < units(lanes):
        _update_pass(W1, dhidden, columns, X.values, done, second_pass(lanes), step, lanes)


@kernel
def nonzeros_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile, otherwise as `pairs_update_W1`, a column at a time."""
    for d in range(len(columns.ends)):
        start, stop = d * columns.room, element(columns.ends, d)
        if start < stop or moves_alone(step):
            acc = broadcast(_ZERO, lanes)
            for k in range(start, stop):
                e = element(columns.entries, k)
                row = load(dhidden, ((e & 0xFFFF) - d) * units(lanes), lanes)
                acc = axpy(acc, element(X.values, e >> 16), row)
            take_step(W1, d * units(lanes), 0, acc, step)
