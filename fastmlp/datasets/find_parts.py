"""Which paths name data in parts: a pattern such as parts/*.npz, or a folder of such files."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from fastmlp.errors import DataError

__all__ = ["ARRAY_NAMES", "find_parts", "names_parts"]

ARRAY_NAMES = ("X.npy", "y.npy")
"""The files of a folder with one array of inputs and one of labels, to be cut into parts."""
_SUFFIXES = (".npz", ".parquet")
_IDX = re.compile(r"images[-.]idx\d", re.IGNORECASE)
"""What the names of IDX files hold; a folder with one is an IDX folder, whatever else lies there."""


def names_parts(path: str | os.PathLike[str]) -> bool:
    """Return whether `path` means several files or a folder that is cut into parts, not one file or IDX folder.

    >>> names_parts("parts/*.npz"), names_parts("flowers.csv")
    (True, False)
    """
    place = Path(path).expanduser()
    try:
        return glob.has_magic(str(path)) and not place.exists() if not place.is_dir() else bool(_in_folder(place))
    except (OSError, ValueError):  # the reader of one file says what is wrong with it
        return False


def find_parts(path: str | os.PathLike[str]) -> list[Path]:
    """Return the files and IDX folders that a pattern matches or a folder holds, in the order of their names.

    Raises DataError where there are none.
    """
    place = Path(path).expanduser()
    matched = glob.glob(str(place))  # noqa: PTH207 - a pattern may be absolute, or begin with ..
    found = _in_folder(place) if place.is_dir() else sorted(map(Path, matched))
    if not found:
        what = "holds no .npz or .parquet files" if place.is_dir() else "matches no file or folder"
        raise DataError(f"{path} {what}; name parts as in 'parts/*.npz', in quotes")
    return found


def _in_folder(folder: Path) -> list[Path]:
    if all((folder / name).is_file() for name in ARRAY_NAMES):
        return [folder]
    if any(_IDX.search(each.name) for each in folder.iterdir()):
        return []
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in _SUFFIXES and each.is_file())
