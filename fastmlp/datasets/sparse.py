"""Sparse matrices of a person's own, as `scipy.sparse.save_npz` writes them: read without ever being made dense."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import SparseMatrix, all_finite
from fastmlp.datasets.limits import check_size, limit_of
from fastmlp.datasets.npz import read_npy, read_npz
from fastmlp.datasets.source import Source
from fastmlp.engine.sparse_matrices import check_structure
from fastmlp.errors import DataError, InvalidValueError, MissingLibraryError

__all__ = ["as_csr", "holds_sparse", "read_labels_beside", "read_sparse_npz", "widened"]

_MARKS = {"format.npy", "shape.npy", "data.npy"}
_INDICES = {
    "csr": ("indices", "indptr"),
    "csc": ("indices", "indptr"),
    "bsr": ("indices", "indptr"),
    "coo": ("row", "col"),
    "dia": ("offsets",),
}
_FLOAT_BYTES = 4


def holds_sparse(source: Source) -> bool:
    """Whether an .npz has the arrays of `scipy.sparse.save_npz`; False for what cannot be read as one."""
    with source.open() as file:
        try:
            with zipfile.ZipFile(file) as archive:
                return set(archive.namelist()) >= _MARKS
        except (zipfile.BadZipFile, OSError, ValueError):
            return False


def read_sparse_npz(source: Source) -> SparseMatrix:
    """Return the matrix (n, D) that `scipy.sparse.save_npz` wrote, as `as_csr` does; no part of it is ever run.

    Raises DataError where it is damaged or inconsistent, or more than is allowed; MissingLibraryError without SciPy.
    """
    name = source.name
    known = {"format", "shape", "data", *(key for keys in _INDICES.values() for key in keys)}
    with source.open() as file:
        stored = read_npz(file, name, lambda names: [key for key in names if key in known])
    kind = _text(stored["format"])
    if kind not in _INDICES or not stored.keys() >= set(_INDICES[kind]):
        raise DataError(f"{name} is no sparse matrix of SciPy's; save it again with scipy.sparse.save_npz")
    shape, indices = stored["shape"], [stored[key] for key in _INDICES[kind]]
    if shape.shape != (2,) or any(array.dtype.kind not in "iu" for array in (shape, *indices)):
        raise DataError(f"{name} is inconsistent: its shape and its indices must be whole numbers, and the shape two")
    matrix_of = getattr(scipy_sparse(), f"{kind}_array")
    indices = [array.astype(np.int64, copy=False) for array in indices]
    parts = (stored["data"], tuple(indices)) if kind == "coo" else (stored["data"], *indices)
    try:
        matrix = matrix_of(parts, shape=tuple(map(int, shape)))
    except (ArithmeticError, TypeError, ValueError) as error:
        raise DataError(f"{name} is inconsistent ({error}); save it again with scipy.sparse.save_npz") from None
    return as_csr(matrix, name)


def read_labels_beside(path: Path) -> tuple[str, NDArray[Any]]:
    """Return the name and the content of the file with the labels of the sparse matrix at `path`.

    They stand beside it: those of `X_train.npz` in `y_train.npy`, those of any `words.npz` in `words.y.npy`. Raises
    DataError where there is no such file, or it cannot be read.
    """
    beside = [path.with_name(f"{path.stem}.y.npy")]
    if re.match(r"[Xx](?![a-z])|[Xx](?=train|test)", path.stem):
        beside[:0] = [path.with_name(f"{y}{path.stem[1:]}.npy") for y in "yY"]
    found = next((each for each in beside if each.is_file()), None)
    if found is None:
        raise DataError(
            f"{path} is a sparse matrix, which has no labels: save them beside it with numpy.save, as {beside[0].name}"
        )
    source = Source.at(found)
    with source.open() as file:
        return found.name, read_npy(file, source.name)


def as_csr(matrix: SparseMatrix, name: str) -> SparseMatrix:
    """Return a sparse matrix of any format as a csr_array (n, D) float32, duplicates summed, or refuse it.

    Raises DataError for indices that point outside of it, values that are no finite float32 numbers, no rows or
    columns, and more of these than is allowed; `name` is what the message calls it.
    """
    n, D = matrix.shape
    if n == 0 or D == 0:
        raise DataError(f"{name} is empty, its shape is {(n, D)}")
    if matrix.dtype.kind not in "buif":
        raise DataError(f"{name} holds {matrix.dtype}, not real numbers")
    check_size(name, 8 * n)  # what a csr_array has for each row, also an empty one
    if limit_of("FASTMLP_MAX_BYTES") < D * _FLOAT_BYTES:
        raise DataError(
            f"{name} has {D:,} columns, and a net has weights for each: hash them to fewer, or allow more with "
            "the variable FASTMLP_MAX_BYTES"
        )
    try:
        check_structure(name, matrix)
    except InvalidValueError as error:
        raise DataError(str(error)) from None
    csr = matrix.tocsr()
    csr.sum_duplicates()
    with np.errstate(over="ignore"):  # too large becomes infinite, and is refused below
        values = csr.data.astype(np.float32, copy=False)
    if len(values) and not all_finite(values):
        wrong = int(np.argmin(np.isfinite(values)))
        row = int(np.searchsorted(csr.indptr, wrong, side="right")) - 1
        raise DataError(
            f"{name} has {csr.data[wrong]} in row {row}, column {csr.indices[wrong]} (from 0); "
            "inputs must be finite float32 numbers"
        )
    return scipy_sparse().csr_array((values, csr.indices, csr.indptr), shape=(n, D))


def widened(matrix: SparseMatrix, width: int, shift: int = 0) -> SparseMatrix:
    """Return a CSR matrix with `width` columns, its own moved to the right by `shift`; shares what memory it can."""
    indices = matrix.indices + matrix.indices.dtype.type(shift) if shift else matrix.indices
    return type(matrix)((matrix.data, indices, matrix.indptr), shape=(matrix.shape[0], width))


def scipy_sparse() -> Any:
    """Return `scipy.sparse`. Raises MissingLibraryError where SciPy is not installed."""
    try:
        import scipy.sparse
    except ImportError:
        raise MissingLibraryError("sparse data needs SciPy: pip install 'fastmlp[sklearn]'") from None
    return scipy.sparse


def _text(array: NDArray[Any]) -> str:
    """Return a single text, which older SciPys write as bytes; "" for anything else."""
    value = array.item() if array.size == 1 else ""
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
