"""Which form of input takes which kernel of the hidden layer: the one file in which a form is registered.

A form is a type: `CodedPairs` or `CodedNonzeros` (`coded.py`), `SparseRows` (`sparse.py`), `WideRows` (`wide.py`), or
an array (n, D) of dense rows (`dense.py`).
`forms_by_speed` chooses it; the kernels call `hidden_forward`, `prepare_columns` and `update_W1`, and Numba takes the
one that fits the type. All forms give the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.core import types
from numba.extending import overload
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array

from .coded import CodedNonzeros, CodedPairs, coded_by_column, nonzeros_update_W1, pairs_update_W1
from .coding import Coded, pairs_pay, share_of_pairs, to_coded
from .compiled import KERNEL_OPTIONS
from .dense import dense_by_column, dense_hidden_forward, dense_update_W1
from .layout import room_for
from .packing import sparse_pays, to_sparse_rows
from .rows import rows_hidden_forward, rows_hidden_forward_in_turns
from .sparse import COLUMN_ENTRY, SparseRows, sparse_by_column, sparse_hidden_forward_two, sparse_update_W1
from .tiles import MAX_BLOCK_ROWS, Lanes, target
from .wide import AHEAD, SORTED_ENTRY, WideRows, digit_bits, wide_by_column, wide_update_W1

__all__ = [
    "FORMS",
    "BatchColumns",
    "Inputs",
    "columns_scratch",
    "forms_by_speed",
    "hidden_forward",
    "hidden_forward_two",
    "in_form",
    "prepare_columns",
    "sparse_form",
    "update_W1",
]

_MOST_ROOM = 4_000_000  # bytes, of each thread, for a batch by columns in which each has room for all samples

FORMS: tuple[type, ...] = (CodedPairs, CodedNonzeros, SparseRows, WideRows, np.ndarray)
"""All forms of input; an array is dense rows."""

Inputs = Float32Array | SparseRows | WideRows | Coded
"""Inputs X (n, D) in any form that the kernels take."""


def forms_by_speed(X: Float32Array, counts: Int64Array, vectors: int, lanes: Lanes, batch_size: int) -> list[type]:
    """The forms to try for epochs of a layer of `vectors` vectors, in tiles of this width; the last takes any X (n, D).

    counts (n,) are the nonzeros of each row.
    """
    density = counts.sum() / X.size
    sparse = sparse_pays(density, vectors)
    forms: list[type] = [sparse_form(X.shape[1], batch_size) if sparse else np.ndarray]
    if pairs_pay(density, share_of_pairs(X), vectors, lanes.vectors):
        forms.insert(0, CodedPairs)
    elif sparse:
        forms.insert(0, CodedNonzeros)
    return forms


def sparse_form(input_size: int, batch_size: int) -> type:
    """The form of sparse rows: where columns are too many to have room for a batch each, its nonzeros are listed."""
    room = input_size * _odd_lines(batch_size) * COLUMN_ENTRY.itemsize
    return SparseRows if room <= _MOST_ROOM else WideRows


def in_form(
    form: type, X: Float32Array, counts: Int64Array, lanes: Lanes, batch_size: int, n_threads: int
) -> Inputs | None:
    """X (n, D) in a form, for tiles of this width; None where it cannot be (see `to_coded`).

    counts (n,) are the nonzeros of each row.
    """
    if issubclass(form, Coded):
        return to_coded(form, X, counts, lanes, batch_size, n_threads)
    if form is np.ndarray:
        return X
    rows = to_sparse_rows(X, counts, lanes, batch_size, n_threads)
    return WideRows(*rows) if form is WideRows else rows


class BatchColumns(NamedTuple):
    """One batch by columns, as the update reads it; each form has its layout (`..._by_column`)."""

    ends: NDArray[Any]
    entries: NDArray[Any]
    room: int  # samples for which each column has room, 0 for none; of `WideRows` the bits of a digit


def columns_scratch(X: Inputs, input_size: int, batch_size: int, n_threads: int) -> BatchColumns:
    """Memory for a batch of X by columns, for each thread: (threads, ...)."""
    if isinstance(X, np.ndarray):
        samples = room_for(batch_size)
        size = samples * (input_size + MAX_BLOCK_ROWS)  # the last panel may be filled in part
        room, size = (samples, size) if size * X.itemsize <= _MOST_ROOM else (0, 0)
        return BatchColumns(np.zeros((n_threads, samples), np.int64), np.zeros((n_threads, 1, size), X.dtype), room)
    if isinstance(X, Coded):
        numbers, room = -(-input_size // 2) if isinstance(X, CodedPairs) else input_size, room_for(batch_size)
        entries = np.zeros((n_threads, numbers * room), np.uint32)
        return BatchColumns(np.zeros((n_threads, numbers), np.uint32), entries, room)
    if isinstance(X, WideRows):
        longest, (digits, bits) = int((X.starts[:, -1] - X.starts[:, 0]).max()), digit_bits(input_size)
        n_entries = min(batch_size * longest, len(X.entries)) + AHEAD
        entries = np.zeros((n_threads, 2 * n_entries), SORTED_ENTRY)
        return BatchColumns(np.zeros((n_threads, digits << bits), np.uint32), entries, bits)
    room = _odd_lines(batch_size)
    entries = np.zeros((n_threads, input_size * room), COLUMN_ENTRY)
    return BatchColumns(np.zeros((n_threads, input_size), np.uint64), entries, room)


def _odd_lines(batch_size: int) -> int:
    """Entries for which a column gets room: an odd number of cache lines, so that columns do not collide in a cache."""
    line = 64 // COLUMN_ENTRY.itemsize
    return line * (2 * -(-batch_size // (2 * line)) + 1)


def hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile, by the kernel that fits the form of X.

    Rows of the batch `coming` may be asked for meanwhile.
    """
    raise NotImplementedError("for kernels only")


def hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    """hidden_forward for two tiles of a narrow layer, on dense rows or sparse rows in one block: arrays (2, ...)."""
    raise NotImplementedError("for kernels only")


def update_W1(W1, dhidden, X, batch, columns, step, lanes):
    """The step of W1 by X^T dhidden for one tile, by the kernel that fits the form of X.

    The batch is read by columns.
    """
    raise NotImplementedError("for kernels only")


def prepare_columns(columns, X, batch, lanes):
    """A batch by columns, as the update reads it."""
    raise NotImplementedError("for kernels only")


def _form(X: Any) -> Any:
    """The form of which a Numba type is."""
    return np.ndarray if isinstance(X, types.Array) else X.instance_class


_UPDATES = {
    np.ndarray: dense_update_W1,
    SparseRows: sparse_update_W1,
    WideRows: wide_update_W1,
    CodedPairs: pairs_update_W1,
    CodedNonzeros: nonzeros_update_W1,
}


# The choice is made where Numba knows the types. It compiles the function that is returned, whose parameters must have
# the names of those of the function that is called.


@overload(hidden_forward, jit_options=KERNEL_OPTIONS)
def _hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    if _form(X) is np.ndarray:
        return dense_hidden_forward.py_func
    return (rows_hidden_forward_in_turns if target().takes_turns(lanes.vectors) else rows_hidden_forward).py_func


@overload(hidden_forward_two, jit_options=KERNEL_OPTIONS)
def _hidden_forward_two(hidden, W1, b1, X, batch, lanes):
    if _form(X) is np.ndarray:

        def forward(hidden, W1, b1, X, batch, lanes):
            for tile in range(2):
                dense_hidden_forward(hidden[tile], W1[tile], b1[tile], X, batch, batch[:0], lanes)

        return forward
    return sparse_hidden_forward_two.py_func


@overload(update_W1, jit_options=KERNEL_OPTIONS)
def _update_W1(W1, dhidden, X, batch, columns, step, lanes):
    return _UPDATES[_form(X)].py_func


@overload(prepare_columns, jit_options=KERNEL_OPTIONS)
def _prepare_columns(columns, X, batch, lanes):
    form = _form(X)
    if form is np.ndarray:
        return dense_by_column.py_func
    by_column = {SparseRows: sparse_by_column, WideRows: wide_by_column}.get(form, coded_by_column)
    return by_column.py_func
