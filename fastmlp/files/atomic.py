"""How every file is written: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import BinaryIO

with contextlib.suppress(ImportError):  # Windows, where an open file cannot be removed anyway
    import fcntl

__all__ = ["check_writable", "remove_leftovers", "write_whole"]

_SUFFIX = ".tmp"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace `path`, or what it links to, with what `write` puts into the open file.

    The bytes go to a temporary name in the same folder, which is then renamed: a reader, or a second writer, sees a
    whole file or the old one. They have reached the disk before the rename, so that a loss of power leaves one or the
    other too. Folders are made where they are missing.

    Raises OSError where the folder cannot be written or the disk is full; nothing is left behind then. Only a killed
    process leaves its temporary file, see `remove_leftovers`.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "deep", "file"), lambda file: file.write(b"whole"))
    ...     Path(folder, "deep", "file").read_bytes()
    b'whole'
    """
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        with temporary.open("xb") as file:  # not by tempfile, whose files nobody else may read
            _lock(file.fileno())  # says that somebody is still writing
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":
                temporary.replace(target)  # while it is locked: nobody takes it for a leftover
        if os.name != "posix":
            temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)  # what people know of, for the message
        raise


def remove_leftovers(path: Path) -> int:
    """Remove the temporary files of `path` whose writers were killed; return how many there were.

    A file that is still being written is locked by its writer and stays.
    """
    removed, path = 0, path.resolve()
    with contextlib.suppress(OSError):
        for leftover in path.parent.glob(f"{escape(path.name)}.*{_SUFFIX}"):
            with contextlib.suppress(OSError), leftover.open("rb") as file:
                if not _lock(file.fileno()):
                    continue
                leftover.unlink()
                removed += 1
    return removed


def check_writable(path: Path, force: bool = False) -> None:
    """Refuse `path` as an output before any work is done for it.

    Raises FileExistsError where it exists and `force` is False, OSError where it is a folder or another thing that is
    no file, or where its own folder is missing or cannot be written.

    >>> check_writable(Path("no such folder/picture.png"))
    Traceback (most recent call last):
        ...
    FileNotFoundError: no such folder/picture.png cannot be written: the folder no such folder does not exist
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: the folder {path.parent} does not exist")
    if path.exists() and not path.is_file():  # /dev/null, say, which a rename would put a file in place of
        raise FileExistsError(f"{path} is a device, a pipe or a socket; name a file")
    if os.path.lexists(path) and not force:
        raise FileExistsError(f"{path} exists; name another file, or use --force (force=True) to replace it")
    try:
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise PermissionError(f"{path} cannot be written: {error.strerror}") from None


def _lock(descriptor: int) -> bool:
    """Take the file's lock, which goes with its process; False where somebody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, NameError):  # a file system, or an operating system, without such locks
        return True
    return True
