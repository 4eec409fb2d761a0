"""The bytes that people hand in: a file at a path, or what comes through a pipe; plain or gzipped."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import stat
import tempfile
import weakref
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple

from fastmlp.errors import DataError

__all__ = ["Source", "decompress", "expand_home", "read_content"]

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)
_IN_MEMORY = 1 << 20  # bytes of a pipe; what is longer goes to a temporary file


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
            if stat.S_ISREG(path.stat().st_mode):
                return cls(str(path), path)
            with path.open("rb") as pipe:
                return cls.once(str(path), pipe)
        except OSError as error:
            raise _unreadable(str(path), error) from None
        except ValueError:  # a null character, which no file's name has
            raise DataError(f"{str(path)!r} cannot be the name of a file") from None

    @classmethod
    def once(cls, name: str, file: BinaryIO) -> Source:
        """Return what `file` gives, which can be read only once: a large content is kept in a temporary file.

        Raises DataError where it cannot be read or kept.
        """
        try:
            start = file.read(_IN_MEMORY + 1)
        except OSError as error:
            raise _unreadable(name, error) from None
        if len(start) <= _IN_MEMORY:
            return cls(name, start)
        try:
            return cls(name, _Spool(start, file))
        except OSError as error:
            raise DataError(
                f"{name} cannot be copied to a temporary file: {error.strerror or error}; free some space there, "
                "or name another folder with TMPDIR"
            ) from None

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Open the bytes as they are. Raises DataError where they cannot be read, also later on."""
        try:
            with io.BytesIO(self.place) if isinstance(self.place, bytes) else self.place.open("rb") as file:
                yield file
        except OSError as error:
            raise _unreadable(self.name, error) from None

    @contextmanager
    def decompressed(self) -> Iterator[BinaryIO]:
        """Open the bytes, decompressed as they are read where they are gzipped. Raises DataError as `open` does."""
        with self.open() as file:
            gzipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
            file.seek(0)
            try:
                yield gzip.GzipFile(fileobj=file) if gzipped else file  # type: ignore[misc]
            except _GZIP_DAMAGE as error:
                raise _damaged(self.name, error) from None


class _Spool:
    """Bytes in a temporary file without a name, which goes when nobody holds this object any more."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        weakref.finalize(self, self._file.close)
        self._file.write(start)
        shutil.copyfileobj(rest, self._file)
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


def read_content(path: Path) -> bytes:
    """Return the decompressed content of a file that may be gzipped. Raises DataError where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(str(path), error) from None
    return decompress(content, str(path))


def decompress(content: bytes, name: str) -> bytes:
    """Return `content` without its gzip compression, or as it is where it has none.

    Raises DataError for damaged content; `name` is what the message calls the file.
    """
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except _GZIP_DAMAGE as error:
        raise _damaged(name, error) from None


def _unreadable(name: str, error: OSError) -> DataError:
    return DataError(f"{name} cannot be read: {error.strerror or error}")


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is damaged, it cannot be decompressed ({error}); get the file again")
