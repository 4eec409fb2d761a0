"""The text of a table, however it is packed and encoded: plain, gzipped or in a .zip; UTF-8, or UTF-16 with its mark.

Spreadsheets save "Unicode text" as UTF-16, and mark UTF-8 too.
"""

from __future__ import annotations

import codecs
import csv
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO

from fastmlp.datasets.limits import bounded, check_size
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError

__all__ = ["ZIP_MAGIC", "NotTextError", "open_text"]

ZIP_MAGIC = b"PK\x03\x04"
_ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
_LOOKED_AT = 1024  # bytes, for zeros
_UTF_32 = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class NotTextError(DataError):
    """The bytes are not text that we can read, and so perhaps no table at all."""


@contextmanager
def open_text(source: Source) -> Iterator[TextIO]:
    """Open the text, line ends as they are; every way in which reading it can fail becomes a DataError.

    >>> with open_text(Source("own.csv", "a;b".encode("utf-16"))) as file:
    ...     file.read()
    'a;b'
    """
    try:
        with source.decompressed() as file, _unzipped(file, source.name) as binary:
            yield io.TextIOWrapper(binary, encoding=_encoding(binary, source.name), newline="")
    except UnicodeDecodeError:
        raise NotTextError(f"{source.name} is not UTF-8 text; save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{source.name} is not a CSV file: {error}") from None


@contextmanager
def _unzipped(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Open the one file in a .zip, or `file` itself where it is no .zip."""
    zipped = file.read(len(ZIP_MAGIC)) == ZIP_MAGIC
    file.seek(0)
    if not zipped:
        yield file
        return
    try:
        member = _only_member(file, name)
    except DataError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever zipfile raises over bytes that it cannot read is their fault
        raise _damaged(name, error) from None
    try:
        with member:
            yield member
    except _ZIP_DAMAGE as error:
        raise _damaged(name, error) from None


def _only_member(file: BinaryIO, name: str) -> BinaryIO:
    """Open the one file in a .zip. Raises DataError where there are others, or where it is too large once unpacked."""
    archive = zipfile.ZipFile(file)
    members = [each for each in archive.infolist() if not each.is_dir() and "__MACOSX/" not in each.filename]
    if len(members) != 1:
        raise DataError(f"{name} holds {len(members)} files; give it one table only, or unpack it")
    if members[0].flag_bits & 1:
        raise DataError(f"{name} is encrypted; unpack it first")
    check_size(name, members[0].file_size)
    return bounded(archive.open(members[0]), name)  # type: ignore[arg-type]  # the header may lie


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name} is damaged, it cannot be unpacked ({error}); get the file again")


def _encoding(file: BinaryIO, name: str) -> str:
    """Return the encoding by the mark at the beginning, UTF-8 where there is none."""
    start = file.read(_LOOKED_AT)
    file.seek(0)
    if start.startswith(_UTF_16) and not start.startswith(_UTF_32):
        return "utf-16"
    if start.startswith(_UTF_32) or b"\0" in start:
        raise NotTextError(
            f"{name} is not UTF-8 text: it has zero bytes, as UTF-32, UTF-16 without its mark, and files that are no "
            "text have; save it as CSV in UTF-8"
        )
    return "utf-8-sig"
