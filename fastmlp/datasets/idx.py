"""IDX, the file format of MNIST: a magic number, the sizes, then the numbers, big-endian.

The magic number's third byte names the type and its fourth the number of dimensions.
Source: http://yann.lecun.com/exdb/mnist/ ("the IDX file format").
"""

from __future__ import annotations

import contextlib
import math
import stat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import UInt8Array
from fastmlp.datasets.limits import check_size
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError

__all__ = ["find_idx", "parse_idx", "read_idx", "read_idx_content", "to_idx"]

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def find_idx(folder: Path, name: str) -> Path | None:
    """Return the path of a file in a folder, plain or with `.gz`, also with a dot before `idx`; None where none is.

    Raises OSError where the folder must not be looked into: `Path.is_file` says False then, from Python 3.14 on.
    """
    dotted = name.replace("-idx", ".idx")
    for path in (folder / name, folder / f"{name}.gz", folder / dotted, folder / f"{dotted}.gz"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(path.stat().st_mode):
                return path
    return None


def read_idx(path: Path) -> NDArray[Any]:
    """Return the array in an IDX file, plain or gzipped; raises DataError as `read_idx_content` and `parse_idx` do."""
    return parse_idx(read_idx_content(path), str(path))


def read_idx_content(path: Path) -> bytes:
    """Return the decompressed content of an IDX file that may be gzipped: what its header announces, and one byte more.

    Raises DataError where it cannot be read, is no IDX file, or announces more than may be unpacked (see `limits`).
    """
    source = Source.at(path)
    packed = source.is_gzipped()
    with source.decompressed() as file:
        header = file.read(4)
        header += file.read(4 * header[3]) if len(header) == 4 else b""
        announced = _Header.of(header, str(path)).n_bytes
        if packed:
            check_size(str(path), announced)
        file.seek(0)
        return file.read(announced + 1) if packed else file.read()


class _Header(NamedTuple):
    """What an IDX header says: the type of the numbers and the sizes of the array, as far as they are there."""

    dtype: np.dtype[Any]
    n_dimensions: int
    shape: tuple[int, ...]

    @classmethod
    def of(cls, content: bytes, name: str) -> _Header:
        """Return the header that `content` begins with; raises DataError where it begins with none."""
        magic, n_dimensions = content[:3], content[3] if len(content) > 3 else 0
        if magic[:2] != b"\0\0" or len(magic) < 3 or magic[2] not in _TYPES or n_dimensions == 0:
            raise DataError(
                f"{name} is not an IDX file: it starts with the bytes {content[:4].hex(' ') or '(none)'}"
                ", not with a magic number such as 00 00 08 03"
            )
        sizes = content[4 : 4 + 4 * n_dimensions]
        shape = np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4").tolist()
        return cls(np.dtype(_TYPES[magic[2]]), n_dimensions, tuple(shape))

    @property
    def start(self) -> int:
        """Where the numbers begin."""
        return 4 + 4 * self.n_dimensions

    @property
    def n_bytes(self) -> int:
        """The length of the whole file."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize


def parse_idx(content: bytes, name: str) -> NDArray[Any]:
    """Return the array that decompressed IDX `content` holds (a read-only view, no copy).

    Raises DataError where the magic number or a size is wrong; `name` is what the message calls the file.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels")
    array([7, 8, 9], dtype=uint8)
    """
    header = _Header.of(content, name)
    if len(content) > header.n_bytes:
        raise DataError(f"{name} is damaged: it has more bytes than the {header.n_bytes:,} that its header announces")
    if len(header.shape) < header.n_dimensions or len(content) < header.n_bytes:
        raise DataError(
            f"{name} is cut off or damaged: it has {len(content):,} bytes where its header "
            f"announces {header.n_bytes:,}; get the file again"
        )
    try:
        return np.frombuffer(content, header.dtype, offset=header.start).reshape(header.shape)
    except ValueError as error:  # more dimensions than NumPy has, or sizes beyond memory beside one of 0
        raise DataError(f"{name} is damaged: its header announces an impossible shape ({error})") from None


def to_idx(array: UInt8Array) -> bytes:
    """Return a uint8 array as IDX bytes, the inverse of `parse_idx`.

    >>> to_idx(np.array([7, 8, 9], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 03 07 08 09'
    """
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()
