"""What kind of file it is: by the ending of its name, or by how it begins where it has no name, as in a pipe."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal, overload

from fastmlp.datasets.arrow import ARROW_SUFFIXES, FEATHER_MAGIC, PARQUET_MAGIC, ArrowTable
from fastmlp.datasets.source import Source
from fastmlp.datasets.svmlight import is_svmlight_name, looks_like_svmlight
from fastmlp.datasets.table import Table
from fastmlp.datasets.text import ZIP_MAGIC
from fastmlp.errors import InvalidValueError

__all__ = ["FileKind", "kind_of_content", "kind_of_file", "open_table"]

FileKind = Literal["npz", "mat", "text", "arrow", "svmlight"]

_TEXT_SUFFIXES = (".csv", ".tsv", ".txt")
_PACKED = (".gz", ".zip")
_MAT_MAGIC = b"MATLAB "
_LONGEST_MAGIC = 8


@overload
def kind_of_file(name: str) -> FileKind | None: ...


@overload
def kind_of_file(name: str, source: Source) -> FileKind: ...


def kind_of_file(name: str, source: Source | None = None) -> FileKind | None:
    """Return the kind by the ending of a file's name; where that says nothing, by the content of `source`, else None.

    >>> kind_of_file("own.csv.gz"), kind_of_file("own.parquet"), kind_of_file("63")
    ('text', 'arrow', None)
    """
    lower = name.lower()
    packed = lower.endswith(_PACKED)
    suffix = Path(Path(lower).stem if packed else lower).suffix
    if is_svmlight_name(lower) or (suffix == ".txt" and source is not None and looks_like_svmlight(source)):
        return "svmlight"
    if suffix in _TEXT_SUFFIXES or (suffix == "" and lower.endswith(".zip")):
        return "text"
    if suffix in ARROW_SUFFIXES and not packed:
        return "arrow"
    if suffix in (".npz", ".mat") and not packed:
        return "npz" if suffix == ".npz" else "mat"
    return None if source is None else kind_of_content(source)


def kind_of_content(source: Source) -> FileKind:
    """Return the kind by how the content begins: a table of text where nothing else is certain.

    >>> kind_of_content(Source("stdin", b"1,2\\n"))
    'text'
    """
    with source.open() as file:
        start = file.read(_LONGEST_MAGIC)
        if start.startswith((PARQUET_MAGIC, FEATHER_MAGIC)):
            return "arrow"
        if start.startswith(_MAT_MAGIC):
            return "mat"
        if not start.startswith(ZIP_MAGIC):
            return "svmlight" if looks_like_svmlight(source) else "text"
        try:
            with zipfile.ZipFile(file) as archive:
                names = archive.namelist()
        except (zipfile.BadZipFile, OSError, ValueError):
            return "npz"  # whose reader says what is wrong
    return "npz" if not names or any(name.endswith(".npy") for name in names) else "text"


def open_table(source: Source, header: bool | None = None) -> Table | ArrowTable:
    """Return the table in `source`, of text or not; `header` as for `Table`, for text only."""
    if kind_of_file(Path(source.name).name, source) != "arrow":
        return Table(source, header=header)
    if header is not None:
        raise InvalidValueError(f"header is for tables of text, which {source.name} is not")
    return ArrowTable(source)
