"""The bytes that people hand in: a file at a path, or what came through a pipe; plain or gzipped."""

from __future__ import annotations

import gzip
import io
import os
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fastmlp.errors import DataError

__all__ = ["Source", "decompress", "expand_home", "read_content"]

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error)


class Source(NamedTuple):
    """Something to read from: `place` is a file, or the bytes themselves, and `name` is what messages call it.

    >>> with Source("numbers.csv", gzip.compress(b"1,2")).decompressed() as file:
    ...     file.read()
    b'1,2'
    """

    name: str
    place: Path | bytes

    @classmethod
    def at(cls, path: Path) -> Source:
        """Return what is at `path`; the content of a pipe, which can be read only once, is kept in memory.

        Raises DataError where it cannot be read.
        """
        try:
            rereadable = stat.S_ISREG(path.stat().st_mode)
            return cls(str(path), path if rereadable else path.read_bytes())
        except OSError as error:
            raise _unreadable(str(path), error) from None
        except ValueError:  # a null character, which no file's name has
            raise DataError(f"{str(path)!r} cannot be the name of a file") from None

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
