"""Coded inputs (`coded.py`) from an array: which values there are, and the entries themselves."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array

from .coded import CodedNonzeros, CodedPairs
from .compiled import entry, kernel
from .packing import block_borders, some_rows
from .team import Member, run_team, share_of
from .tiles import Lanes

__all__ = ["Coded", "Codes", "add_values", "fill_coded", "pairs_pay", "share_of_pairs", "to_coded"]

Coded = CodedNonzeros | CodedPairs

UInt32Array = NDArray[np.uint32]

_MOST_COLUMNS = 8192  # a batch of 128 by columns takes 4 MB for each thread
_MOST_CODES = 255  # beside that of zero
_SLOTS = 1 << 10  # of the table of codes
_ANY_SIGN = np.uint64(0x7FFFFFFF)  # of the bits of a float32: -0 is 0


class Codes(NamedTuple):
    """A hash table from the bits of a value to its code."""

    keys: UInt32Array  # (slots,): bits of values, 0 where there is room
    codes: UInt32Array  # (slots,)


@kernel
def _slot_of(keys, bits):
    """Where a value's bits are in the table, or where there is room for them (multiplicative hashing, Knuth 6.4)."""
    slot = ((bits * np.uint64(0x9E3779B1)) >> np.uint64(22)) & np.uint64(_SLOTS - 1)
    while keys[slot] != bits and keys[slot] != 0:
        slot = (slot + np.uint64(1)) & np.uint64(_SLOTS - 1)
    return slot


@entry
def add_values(keys, bits, known, lanes):
    """Put the values that the table lacks into it; returns how many it has then, or one too many for a code each.

    Writes keys (slots,), which have `known` values; reads the bits of X (n, D).
    """
    for i in range(bits.shape[0]):
        for d in range(bits.shape[1]):
            b = np.uint64(bits[i, d])
            if b & _ANY_SIGN:
                slot = _slot_of(keys, b)
                if keys[slot] == 0:
                    if known == _MOST_CODES:
                        return known + 1
                    keys[slot] = b
                    known += 1
    return known


@kernel
def _code_of(table, bits):
    """The code of a value: 0 for zero, and a number beyond all codes for a value that the table lacks."""
    if bits & _ANY_SIGN == 0:
        return np.uint64(0)
    slot = _slot_of(table.keys, bits)
    if table.keys[slot] == 0:
        return np.uint64(_MOST_CODES + 1)
    return np.uint64(table.codes[slot])


@entry
def fill_coded(starts, entries, table, bits, borders, columns, share, lanes):
    """Some rows as coded nonzeros or pairs, as each entry is for 1 or 2 columns.

    Returns whether the table has a code for each of their values. Writes starts of the rows of a share (first, last),
    except for starts[first, 0], which says where to begin, and entries; reads the table, the bits of X (n, D), and the
    borders (blocks + 1,) of the blocks of columns.
    """
    D, (first, last) = bits.shape[1], share
    at = np.uint64(starts[first, 0])
    for i in range(first, last):
        for p in range(len(borders) - 1):
            starts[i, p] = at
            for d in range(borders[p], borders[p + 1], columns):
                left = np.uint64(bits[i, d])
                right = np.uint64(bits[i, d + 1]) if columns == 2 and d + 1 < D else np.uint64(0)
                if (left | right) & _ANY_SIGN:
                    left, right = _code_of(table, left), _code_of(table, right)
                    if left > _MOST_CODES or right > _MOST_CODES:
                        return False
                    entries[at] = np.uint64(d // columns) | left << np.uint64(16) | right << np.uint64(24)
                    at += np.uint64(1)
        starts[i, len(borders) - 1] = at
    return True


def share_of_pairs(X: Float32Array) -> float:
    """Pairs of neighbouring columns with a nonzero, by row, as a share of the columns of X (n, D); from some rows.

    >>> share_of_pairs(np.array([[1, 2, 0, 0], [0, 3, 4, 0]], np.float32))
    0.375
    """
    sample = some_rows(X) != 0
    pairs = sample[:, ::2].copy()
    pairs[:, : sample.shape[1] // 2] |= sample[:, 1::2]
    return float(pairs.sum() / sample.size)


def pairs_pay(density: float, pairs: float, vectors: int, tile_vectors: int) -> bool:
    """Whether coded pairs are the fastest form; `density` and `pairs` are nonzeros and pairs as shares of the columns.

    A pair costs two multiply-adds per vector even where one of its values is zero, so pairs must be well filled, the
    more so the wider a tile is: with that, decoding an entry weighs less. And there must be few enough of them to beat
    register blocks. Measured on two cores of a Zen 3 (AVX2) on random bytes: for 4, 16 and 38 vectors in tiles of 2, 4
    and 10, a pair takes as long as 0.9, 1.2 and 1.5 nonzeros of sparse rows, and with 0.21, 0.28 and 0.26 pairs to a
    column an epoch takes as long as a dense one (`python bench/forms.py`). MNIST has 1.7 nonzeros in a pair, and 0.11
    pairs to a column.
    """
    return density > pairs * (1 + tile_vectors / 20) and pairs < 0.3 * vectors / (vectors + 3)


def to_coded(
    form: type[Coded], X: Float32Array, counts: Int64Array, lanes: Lanes, batch_size: int, n_threads: int
) -> Coded | None:
    """X (n, D) in a coded form for a tile of this width; None for too many values, columns or rows in a batch.

    counts (n,) are the nonzeros of each row.
    """
    if X.shape[1] > _MOST_COLUMNS or X.shape[1] + batch_size > 1 << 16 or counts.sum() >= 1 << 32:
        return None
    sample = some_rows(X)
    keys = np.zeros(_SLOTS, np.uint32)
    known = add_values(keys, sample.view(np.uint32), 0, Lanes(1))
    if known > _MOST_CODES:
        return None
    borders = block_borders((sample != 0).mean(axis=0), lanes, batch_size)
    coded = _coded(form, X, counts, keys, borders, n_threads)
    if coded is None:  # there are values that the sample lacks
        if add_values(keys, X.view(np.uint32), known, Lanes(1)) > _MOST_CODES:
            return None
        coded = _coded(form, X, counts, keys, borders, n_threads)
    return coded


def _coded(
    form: type[Coded], X: Float32Array, counts: Int64Array, keys: UInt32Array, borders: Int64Array, n_threads: int
) -> Coded | None:
    """X in a coded form, each thread a part of the rows; None where a value has no code."""
    n, codes = len(X), np.cumsum(keys != 0, dtype=np.uint32)
    values = np.zeros(256, np.float32)
    values[codes[keys != 0]] = keys[keys != 0].view(np.float32)
    starts = np.zeros((n, len(borders)), np.uint32)
    starts[1:, 0] = np.cumsum(counts[:-1])  # a thread begins where there is room for its rows, however full pairs are
    entries = np.empty(int(counts.sum()), np.uint32)
    columns = 2 if form is CodedPairs else 1
    known: list[bool] = []

    def work(member: Member) -> None:
        first, last = share = share_of(n, member)
        if first < last:
            table, bits = Codes(keys, codes), X.view(np.uint32)
            known.append(fill_coded(starts, entries, table, bits, borders, columns, share, Lanes(1)))

    run_team(n_threads, work)
    return form(starts, entries, values) if all(known) else None
