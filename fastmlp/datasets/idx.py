"""IDX, the file format of MNIST: a magic number, the sizes, then the numbers, big-endian.

The magic number's third byte names the type and its fourth the number of dimensions.
Source: http://yann.lecun.com/exdb/mnist/ ("the IDX file format").
"""

import contextlib
import gzip
import math
import stat
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fastmlp.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"


def decompress(content: bytes, source: str) -> bytes:
    """Return ``content`` without its gzip compression, or as it is where it has none.

    ``source`` names the file in the DataError that damage raises.
    """
    if not content.startswith(GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(f"{source} is damaged, it cannot be decompressed ({error}); get the file again") from None


def find_idx(folder: Path, name: str) -> Path | None:
    """Return where a file lies in a folder, plain or with ``.gz``; None where there is none.

    Raises OSError where the folder must not be looked into: `Path.is_file` says False then, from Python 3.14 on.
    """
    for path in (folder / name, folder / f"{name}.gz"):
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISREG(path.stat().st_mode):
                return path
    return None


def read_content(path: Path) -> bytes:
    """Return the decompressed content of a file that may be gzipped; DataError where it cannot."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    return decompress(content, str(path))


def parse_idx(content: bytes, source: str) -> npt.NDArray[np.generic]:
    """Return the array that decompressed IDX ``content`` holds (a read-only view, no copy).

    ``source`` names the file in the DataError that a wrong magic number or length raises.

    >>> parse_idx(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]), "labels")
    array([7, 8, 9], dtype=uint8)
    """
    magic, n_dimensions = content[:3], content[3] if len(content) > 3 else 0
    if magic[:2] != b"\0\0" or len(magic) < 3 or magic[2] not in _TYPES or n_dimensions == 0:
        raise DataError(
            f"{source} is no IDX file: it starts with the bytes {content[:4].hex(' ') or '(none)'}"
            ", not with a magic number such as 00 00 08 03"
        )
    dtype = np.dtype(_TYPES[magic[2]])
    start = 4 + 4 * n_dimensions
    sizes = content[4:start]
    shape = tuple(np.frombuffer(sizes[: len(sizes) // 4 * 4], ">u4").tolist())
    expected = start + math.prod(shape) * dtype.itemsize
    if len(shape) < n_dimensions or len(content) != expected:
        raise DataError(
            f"{source} is cut off or damaged: it has {len(content):,} bytes where its header "
            f"announces {expected:,}; get the file again"
        )
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


def to_idx(array: npt.NDArray[np.uint8]) -> bytes:
    """Return a uint8 array as IDX bytes, the inverse of `parse_idx`.

    >>> to_idx(np.array([7, 8, 9], np.uint8)).hex(" ")
    '00 00 08 01 00 00 00 03 07 08 09'
    """
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return header + array.tobytes()
