"""The bytes that people hand in: a file at a path, or what comes through a pipe; plain or gzipped."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tempfile
import time
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from fastmlp.datasets.limits import bounded, limit_of
from fastmlp.errors import DataError

__all__ = ["Source", "decompress", "expand_home"]

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
_IN_MEMORY = 1 << 20  # bytes of a pipe; what is longer goes to a temporary file
_COPIED_AT_ONCE = 1 << 20
_WRITER_SECONDS = 5.0  # that a named pipe has for its writer to begin


class Source(NamedTuple):
    """Something to read from: `place` is a file, or the bytes themselves, and `name` is what messages call it.

    >>> with Source("numbers.csv", gzip.compress(b"1,2")).decompressed() as file:
    ...     file.read()
    b'1,2'
    """

    name: str
    place: Path | bytes | _Spool

    @classmethod
    def at(cls, path: Path) -> Source:
        """Return what is at `path`, also where it is a pipe. Raises DataError where it cannot be read."""
        try:
            mode = path.stat().st_mode
            if stat.S_ISREG(mode):
                return cls(str(path), path)
            pipe, start = _open_fifo(path) if stat.S_ISFIFO(mode) else (path.open("rb"), b"")
        except OSError as error:
            raise _unreadable(str(path), error) from None
        except ValueError:  # a null character, which no file's name has
            raise DataError(f"{str(path)!r} cannot be the name of a file") from None
        with pipe:
            if stat.S_ISBLK(mode) or (stat.S_ISCHR(mode) and not pipe.isatty()):
                raise DataError(f"{path} is a device, not a file or a pipe; name a file")
            if start is None:
                raise DataError(f"{path} is a pipe that nobody writes to; start what writes to it first")
            return cls.once(str(path), pipe, start)

    @classmethod
    def once(cls, name: str, file: BinaryIO, start: bytes = b"") -> Source:
        """Return `start` and what `file` gives, which can be read only once: much of it is kept in a temporary file.

        Raises DataError where it cannot be read or kept, and where it is more than may be unpacked.
        """
        try:
            start += file.read(_IN_MEMORY + 1)
        except OSError as error:
            raise _unreadable(name, error) from None
        if len(start) <= _IN_MEMORY:
            return cls(name, start)
        try:
            return cls(name, _Spool(name, start, file))
        except OSError as error:
            raise DataError(
                f"{name} cannot be copied to a temporary file: {error.strerror or error}; free some space there, "
                "or name another folder with TMPDIR"
            ) from None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the bytes as they are. Raises DataError where they cannot be read or are too many, also later on."""
        try:
            with io.BytesIO(self.place) if isinstance(self.place, bytes) else self.place.open("rb") as file:
                yield file
        except OSError as error:
            raise _unreadable(self.name, error) from None
        except MemoryError:
            raise DataError(f"{self.name} is too large for the memory of this machine") from None

    def is_gzipped(self) -> bool:
        """Whether the bytes are gzipped. Raises DataError as `open` does."""
        with self.open() as file:
            return file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC

    @contextmanager
    def decompressed(self) -> Iterator[BinaryIO]:
        """Open the bytes, decompressed as they are read where they are gzipped, to a limit (see `limits`).

        Raises DataError as `open` does.
        """
        gzipped = self.is_gzipped()
        with self.open() as file:
            try:
                if gzipped and _announced(file) > limit_of("FASTMLP_MAX_BYTES"):
                    # The last bytes of a file that is cut off say anything: this is quicker than to read it as numbers.
                    unpacked = bounded(gzip.GzipFile(fileobj=file), self.name)  # type: ignore[arg-type]
                    while unpacked.read(_COPIED_AT_ONCE):
                        pass
                    file.seek(0)
                yield bounded(gzip.GzipFile(fileobj=file), self.name) if gzipped else file  # type: ignore[arg-type]
            except _GZIP_DAMAGE as error:
                raise _damaged(self.name, error) from None


class _Spool:
    """Bytes in a temporary file without a name, which goes when nobody holds this object any more."""

    def __init__(self, name: str, start: bytes, rest: BinaryIO) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)
        self._file.write(start)
        limit = limit_of("FASTMLP_MAX_BYTES")
        while chunk := rest.read(_COPIED_AT_ONCE):
            if self._file.tell() + len(chunk) > limit:
                raise DataError(
                    f"{name} gives more than the {limit:,} bytes that are allowed; allow more with the "
                    "variable FASTMLP_MAX_BYTES, or write them to a file and name that"
                )
            self._file.write(chunk)
        self._file.flush()

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Open the bytes from their beginning; one reader at a time."""
        file = os.fdopen(os.dup(self._file.fileno()), mode)
        file.seek(0)
        return file


def expand_home(path: str | os.PathLike[str]) -> Path:
    """Return the path with a leading `~` replaced, or as it is where there is no home folder.

    `Path.expanduser` would raise there, as in a container that runs under a bare user number.

    >>> expand_home("data/mnist").name
    'mnist'
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def decompress(content: bytes, name: str) -> bytes:
    """Return `content` without its gzip compression, or as it is where it has none.

    Raises DataError for damaged content and for more than may be unpacked; `name` is what the message calls the file.
    """
    with Source(name, content).decompressed() as file:
        return file.read()


def _announced(file: BinaryIO) -> int:
    """Return how many bytes a gzipped file says that it unpacks to, modulo 2^32, and go back to its beginning."""
    file.seek(max(0, file.seek(0, io.SEEK_END) - 4))
    announced = int.from_bytes(file.read(4), "little")
    file.seek(0)
    return announced


def _open_fifo(path: Path) -> tuple[BinaryIO, bytes | None]:
    """Open a named pipe and read its first byte, or none yet; None where nobody writes to it.

    To open it as a file would wait for a writer for ever.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    pipe, start, deadline = os.fdopen(descriptor, "rb"), b"", time.monotonic() + _WRITER_SECONDS
    try:
        while not (start := os.read(descriptor, 1)):
            if time.monotonic() > deadline:
                return pipe, None
            time.sleep(0.02)
    except BlockingIOError:  # a writer is there, and takes its time
        pass
    os.set_blocking(descriptor, True)
    return pipe, start


def _unreadable(name: str, error: OSError) -> DataError:
    return DataError(f"{name} cannot be read: {error.strerror or error}")


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is damaged, it cannot be decompressed ({error}); get the file again")
