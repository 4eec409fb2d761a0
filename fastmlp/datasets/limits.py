"""How much may be unpacked: a small file can announce, or grow to, more than a machine has memory for."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from fastmlp.errors import DataError, InvalidValueError

__all__ = ["bounded", "check_pixels", "check_size", "limit_of"]

_LIMITS = {
    # The largest data sets of this kind that are published, such as EMNIST as a table, unpack to 1.3 GB.
    "FASTMLP_MAX_BYTES": 2 << 30,
    # A telephone's camera takes 12 to 50 million; a digit needs 400.
    "FASTMLP_MAX_PIXELS": 50_000_000,
}


def limit_of(variable: str) -> int:
    """Return the limit that an environment variable sets, or else its default; InvalidValueError where it is no number.

    >>> limit_of("FASTMLP_MAX_PIXELS")
    50000000
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return _LIMITS[variable]
    if not text.isdecimal() or int(text) < 1:
        raise InvalidValueError(f"{variable} is {text!r}; set it to a whole number above 0, or unset it")
    return int(text)


def check_size(name: str, n_bytes: int) -> None:
    """Raise DataError where `n_bytes`, which the file called `name` announces, are more than may be unpacked.

    >>> check_size("digits.npz", 1 << 40)
    Traceback (most recent call last):
        ...
    fastmlp.errors.DataError: digits.npz unpacks to 1,099,511,627,776 bytes, more than the 2,147,483,648 that are \
allowed; if you trust it, allow more with the variable FASTMLP_MAX_BYTES
    """
    limit = limit_of("FASTMLP_MAX_BYTES")
    if n_bytes > limit:
        raise DataError(
            f"{name} unpacks to {n_bytes:,} bytes, more than the {limit:,} that are allowed; if you trust it, allow "
            "more with the variable FASTMLP_MAX_BYTES"
        )


def check_pixels(name: str, width: int, height: int) -> None:
    """Raise DataError where a picture of this size has more pixels than may be unpacked."""
    limit = limit_of("FASTMLP_MAX_PIXELS")
    if width * height > limit:
        raise DataError(
            f"{name} has {width:,} x {height:,} pixels, more than the {limit:,} that are allowed; crop it to the "
            "digit, make it smaller, or allow more with the variable FASTMLP_MAX_PIXELS"
        )


def bounded(file: BinaryIO, name: str) -> BinaryIO:
    """Return a reader of `file` that raises DataError once more has been read than may be unpacked.

    `file` gives its content unpacked as it is read; `name` is what the message calls it.
    """
    return io.BufferedReader(_Bounded(file, name), 1 << 17)  # type: ignore[type-var]


class _Bounded(io.RawIOBase):
    """A file of which no more can be read than is allowed."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self._name, self._limit = file, name, limit_of("FASTMLP_MAX_BYTES")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._file.seekable()

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        if count and self._file.tell() > self._limit:
            raise DataError(
                f"{self._name} unpacks to more than the {self._limit:,} bytes that are allowed; if you trust it, allow "
                "more with the variable FASTMLP_MAX_BYTES"
            )
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()
