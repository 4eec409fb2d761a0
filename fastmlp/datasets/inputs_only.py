"""Inputs without labels, from the bytes of an .npz or CSV file: what a trained net is asked about."""

import csv
import gzip
import io
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fastmlp.arrays import Float32Array
from fastmlp.datasets.dataset import all_finite
from fastmlp.datasets.idx import GZIP_MAGIC
from fastmlp.datasets.npz import read_npz
from fastmlp.errors import DataError

_NAMES = ("X", "x_test", "x")


def read_inputs(content: bytes, name: str) -> Float32Array:
    """Return samples (n, D), images being flattened; `name` is what messages call the file.

    Raises
    ------
    DataError
        Where the content is no such file; the message names the row and the column.

    Examples
    --------
    >>> read_inputs(b"length,width\\n5,3\\n6,2\\n", "flowers.csv")
    array([[5., 3.],
           [6., 2.]], dtype=float32)
    """
    if not content:
        raise DataError(f"{name} is empty")
    array = _from_npz(content, name) if content.startswith(b"PK") else _from_csv(content, name)
    if array.dtype.kind not in "fiub":
        raise DataError(f"{name} holds {array.dtype}, not real numbers")
    if array.ndim < 2 or array.size == 0:
        raise DataError(f"{name} has the shape {array.shape}; it needs a row for each sample, (n, D) or (n, h, w)")
    array = array.reshape(len(array), -1)
    with np.errstate(over="ignore"):
        X = np.ascontiguousarray(array, np.float32)
    if not all_finite(X):
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise DataError(f"{name} has {array[row, column]} in row {row}, column {column}; inputs must be finite")
    return X


def _from_npz(content: bytes, name: str) -> npt.NDArray[np.generic]:
    def choose(present: Sequence[str]) -> Sequence[str]:
        found = [key for key in _NAMES if key in present] or (present if len(present) == 1 else [])
        if not found:
            raise DataError(f"{name} lacks the array X; it has {', '.join(present) or 'none'}")
        return found[:1]

    (array,) = read_npz(io.BytesIO(content), name, choose).values()
    return array


def _from_csv(content: bytes, name: str) -> npt.NDArray[np.float64]:
    if content.startswith(GZIP_MAGIC):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name} cannot be decompressed ({error})") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{name} is neither a picture, nor an .npz file, nor a CSV in UTF-8") from None
    try:
        lines = [(number, row) for number, row in enumerate(csv.reader(io.StringIO(text)), 1) if row]
    except csv.Error as error:
        raise DataError(f"{name} is no CSV file ({error})") from None
    if lines and not any(_is_number(cell) for cell in lines[0][1]):
        del lines[0]  # a header
    if not lines:
        raise DataError(f"{name} has no rows of numbers")
    width = len(lines[0][1])
    for number, row in lines:
        if len(row) != width:
            raise DataError(f"{name}: row {number} has {len(row)} columns where the first row has {width}")
        for column, cell in enumerate(row, 1):
            if not _is_number(cell):
                raise DataError(f"{name}: row {number}, column {column} is {cell!r}, not a number")
    return np.array([[float(cell) for cell in row] for _, row in lines])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
