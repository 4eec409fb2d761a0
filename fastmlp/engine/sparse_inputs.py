"""Sparse matrices as people hand them in (scipy.sparse), as rows that the kernels take: never made dense."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.sparse_matrices import check_structure, is_sparse
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels.layout import aligned_zeros
from fastmlp.kernels.sparse import ROW_ENTRY
from fastmlp.kernels.wide import AHEAD, WideRows

__all__ = ["SparseInputs", "as_sparse_inputs", "is_sparse"]


@dataclass(frozen=True)
class SparseInputs:
    """X (n, D) without its zeros: rows in one block of columns."""

    rows: WideRows
    input_size: int

    def __len__(self) -> int:
        return len(self.rows.starts)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return len(self), self.input_size

    @property
    def counts(self) -> Int64Array:
        """The nonzeros of each row (n,)."""
        counts: Int64Array = self.rows.starts[:, 1] - self.rows.starts[:, 0]
        return counts

    def scaled(self, name: str, centre: Float32Array, spread: Float32Array, limit: float) -> SparseInputs:
        """X scaled column by column, as by `fastmlp.engine.scaling`, where that leaves zeros as they are.

        Raises InvalidValueError for a centre other than 0, which would make nonzeros of all zeros.
        """
        if centre.any():
            raise InvalidValueError(
                f"{name} is sparse, and this net takes a centre off its inputs, after which few would be 0: give "
                "X.toarray(), or a net without a scaling"
            )
        starts, entries = self.rows.starts, self.rows.entries.copy()
        with np.errstate(over="ignore", under="ignore"):
            entries["value"] = np.clip(entries["value"] / spread[entries["column"]], -np.float32(limit), limit)
        return SparseInputs(WideRows(starts, entries), self.input_size)

    def __getitem__(self, rows: slice | Int64Array) -> SparseInputs:
        """These rows, in this order, as of an array; they share the entries."""
        return SparseInputs(WideRows(self.rows.starts[rows], self.rows.entries), self.input_size)


def as_sparse_inputs(name: str, value: Any, input_size: int) -> SparseInputs:
    """Return a sparse matrix or array (n, D) of SciPy as `SparseInputs`: duplicates are summed, zeros left out.

    Raises InvalidValueError or InvalidTypeError for one that does not fit the net, is inconsistent (indices out of
    range), or holds something other than finite real numbers.
    """
    if value.ndim != 2:
        raise InvalidValueError(f"{name} has {value.ndim} dimensions; it must have 2")
    n, D = value.shape
    if n == 0:
        raise InvalidValueError(f"{name} is empty, of shape {value.shape}")
    if input_size != D:
        raise InvalidValueError(f"{name} has {D} columns; this net has input_size={input_size}")
    if value.dtype.kind not in "fiub":
        raise InvalidTypeError(f"{name} has dtype {value.dtype}; it must hold real numbers")
    check_structure(name, value)
    csr = value.tocsr()
    if not csr.has_canonical_format or (csr.data == 0).any():
        csr = csr.copy()
        csr.sum_duplicates()
        csr.eliminate_zeros()
    if not np.isfinite(csr.data).all():
        raise InvalidValueError(f"{name} holds values that are NaN or infinite: replace them")
    with np.errstate(over="ignore"):
        values = csr.data.astype(np.float32, copy=False)
    if not np.isfinite(values).all():
        raise InvalidValueError(f"{name} holds {abs(csr.data).max():g}, too large for float32: scale it")
    entries = aligned_zeros((len(values) + AHEAD,), ROW_ENTRY)
    entries["column"][: len(values)], entries["value"][: len(values)] = csr.indices, values
    starts = np.stack([csr.indptr[:-1], csr.indptr[1:]], axis=1).astype(np.int64)
    return SparseInputs(WideRows(starts, entries), D)
