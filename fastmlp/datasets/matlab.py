"""Arrays from a MATLAB file, which SciPy reads."""

from __future__ import annotations

import math
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.limits import check_size
from fastmlp.errors import DataError, MissingLibraryError

__all__ = ["read_mat"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_FLOAT_BYTES = 4  # of each number, as we keep them
_HEADER = 512  # bytes before the HDF5 part of a file of version 7.3


def read_mat(file: BinaryIO, name: str) -> dict[str, NDArray[Any]]:
    """Return the arrays in the open `file`, all of them matrices.

    Raises DataError for anything that is wrong with the content, for what unpacks to more than is allowed, and for
    version 7.3, which is HDF5; ImportError where
    SciPy is not installed. `name` is what the message calls the file.
    """
    start = file.read(_HEADER + len(_HDF5))
    file.seek(0)
    if start.startswith(_HDF5) or start.endswith(_HDF5):
        raise DataError(f"{name} is a MATLAB file of version 7.3; save it with -v7, or as .npz")
    try:
        from scipy.io import loadmat, whosmat
    except ImportError:
        raise MissingLibraryError("reading a MATLAB file needs SciPy: pip install scipy") from None
    try:
        check_size(name, sum(math.prod(shape) for _, shape, _ in whosmat(file)) * _FLOAT_BYTES)
        file.seek(0)
        stored = loadmat(file)
    except DataError:
        raise
    except MemoryError as error:
        raise DataError(f"{name} is larger than the memory, or damaged ({error})") from None
    except Exception as error:  # noqa: BLE001 - whatever SciPy raises over bytes that it cannot read is the bytes' fault
        raise DataError(f"{name} is not a MATLAB file, or is damaged ({error}); save it again") from None
    return {key: np.asarray(value) for key, value in stored.items() if not key.startswith("__")}
