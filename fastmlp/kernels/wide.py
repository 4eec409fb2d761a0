"""The hidden layer on sparse rows of which a batch by columns is a sorted list of its nonzeros.

Work and memory of such a list grow with the nonzeros, not with D: of a wide input only the columns that a batch has are
visited. Sums run in the same order as in `sparse.py`, and have the same bits.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from .compiled import INLINED_OPTIONS, kernel
from .rows import add_entry
from .simd import axpy, broadcast, element, load, prefetch
from .steps import moves_alone, take_step
from .tags import units

__all__ = ["AHEAD", "SORTED_ENTRY", "WideRows", "digit_bits", "wide_by_column", "wide_update_W1"]

SORTED_ENTRY = np.dtype([("column", np.uint32), ("sample", np.uint32), ("value", np.float32)], align=True)
AHEAD = 8  # nonzeros whose row of W1 is asked for before it is needed, as no processor foresees it
_MOST_BITS = 11  # of a digit: 2,048 counts of four bytes stay in an L1 cache
_ZERO = np.float32(0.0)
_ONE = np.uint32(1)


class WideRows(NamedTuple):
    """Inputs X (n, D) without their zeros, as `SparseRows` has them."""

    starts: NDArray[np.int64]  # (n, blocks + 1)
    entries: NDArray[np.void]  # of ROW_ENTRY; there is room for AHEAD more


def digit_bits(input_size: int) -> tuple[int, int]:
    """By how many digits columns are sorted, and how many bits a digit has.

    >>> digit_bits(200_000)
    (2, 9)
    """
    bits = max(1, (input_size - 1).bit_length())
    digits = -(-bits // _MOST_BITS)
    return digits, -(-bits // digits)


@overload(add_entry, jit_options=INLINED_OPTIONS)
def _add_nonzero(acc, X, k, W1, lanes):
    if getattr(X, "instance_class", None) is not WideRows:
        return None

    def add(acc, X, k, W1, lanes):
        ahead = X.entries[k + AHEAD].column * units(lanes)
        prefetch(W1, ahead, ahead + units(lanes))
        return axpy(acc, X.entries[k].value, load(W1, X.entries[k].column * units(lanes), lanes))

    return add


@kernel
def wide_by_column(columns, X, batch, lanes):
    """The batch as a list of its nonzeros by column, samples ascending: a radix sort, from the lowest digit.

    Writes columns: ends (digits * 2^bits,), and entries (2 * room,) of SORTED_ENTRY, of which the halves take turns;
    reads the rows of X numbered by batch (B,). The list is in the half that `_sorted_half` names.
    """
    ends, entries, bits = columns.ends, columns.entries, columns.room
    mask, n_digits, room = (1 << bits) - 1, len(ends) >> bits, len(entries) >> 1
    n_blocks = X.starts.shape[1] - 1
    for d in range(len(ends)):
        ends[d] = 0
    for i in range(len(batch)):
        for k in range(X.starts[batch[i], 0], X.starts[batch[i], n_blocks]):
            for digit in range(n_digits):
                ends[(digit << bits) + ((X.entries[k].column >> np.uint32(digit * bits)) & mask)] += _ONE
    for digit in range(n_digits):  # from counts to starts
        first = np.uint32(0)
        for d in range(digit << bits, (digit + 1) << bits):
            count = ends[d]
            ends[d] = first
            first += count
    n = 0
    for i in range(len(batch)):
        for k in range(X.starts[batch[i], 0], X.starts[batch[i], n_blocks]):
            d = X.entries[k].column & mask
            at = ends[d]
            entries[at].column = X.entries[k].column
            entries[at].sample = i
            entries[at].value = X.entries[k].value
            ends[d] = at + _ONE
            n += 1
    for digit in range(1, n_digits):
        come, go = (digit - 1) % 2 * room, digit % 2 * room
        for k in range(come, come + n):
            d = (digit << bits) + ((entries[k].column >> np.uint32(digit * bits)) & mask)
            at = ends[d]
            entries[go + at].column = entries[k].column
            entries[go + at].sample = entries[k].sample
            entries[go + at].value = entries[k].value
            ends[d] = at + _ONE


@kernel
def wide_update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile, for each column that the batch has, or all where all move.

    Writes W1 (D, units) and the state of step; reads dhidden (B, units) and columns, the batch by columns.
    """
    entries, bits = columns.entries, columns.room
    n_digits = len(columns.ends) >> bits
    k = (n_digits - 1) % 2 * (len(entries) >> 1)
    stop = k + element(columns.ends, (1 << bits) - 1)
    d = 0
    while k < stop or (moves_alone(step) and d < len(W1)):
        if not moves_alone(step):
            d = np.intp(entries[k].column)
        acc = broadcast(_ZERO, lanes)
        while k < stop and entries[k].column == d:
            ahead = entries[k + AHEAD].column * units(lanes)
            prefetch(W1, ahead, ahead + units(lanes))
            acc = axpy(acc, entries[k].value, load(dhidden, entries[k].sample * units(lanes), lanes))
            k += 1
        take_step(W1, d * units(lanes), 0, acc, step)
        d += 1
