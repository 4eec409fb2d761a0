"""How every file is written: whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from glob import escape
from pathlib import Path
from typing import BinaryIO

from fastmlp.files.locks import take_lock

__all__ = ["check_writable", "remove_leftovers", "write_whole"]

_SUFFIX = ".tmp"


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create or replace `path`, or what it links to, with what `write` puts into the open file.

    The bytes go to a temporary name in the same folder, which is then renamed: a reader, or a second writer, sees a
    whole file or the old one. They have reached the disk before the rename, so that a loss of power leaves one or the
    other too. Folders are made where they are missing. A file that is replaced hands on its permissions and, where
    that is allowed, its owner and group.

    Raises OSError where the folder cannot be written or the disk is full; nothing is left behind then. Only a killed
    process leaves its temporary file, see `remove_leftovers`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "deep", "file"), lambda file: file.write(b"whole"))
    ...     Path(folder, "deep", "file").read_bytes()
    b'whole'
    """
    try:
        _write_whole(_target(path), write)
    except OSError as error:
        if error.errno is not None:
            error.filename = str(path)  # what people know of, for the message
        raise


def _write_whole(target: Path, write: Callable[[BinaryIO], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    try:
        with temporary.open("xb") as file:  # not by tempfile, whose files nobody else may read
            take_lock(file.fileno())  # says that somebody is still writing
            _hand_on_permissions(target, file.fileno())
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if os.name == "posix":
                temporary.replace(target)  # while it is locked: nobody takes it for a leftover
        if os.name != "posix":
            temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _target(path: Path) -> Path:
    """Return the file that is written for `path`: what it links to. Raises OSError for links in a circle."""
    with contextlib.suppress(FileNotFoundError):
        path.stat()  # Path.resolve raises RuntimeError for a circle in Python 3.11, and from 3.13 on nothing
    return path.resolve()


def _temporary(target: Path) -> Path:
    return target.with_name(f"{target.name}.{secrets.token_hex(4)}{_SUFFIX}")


def _hand_on_permissions(old: Path, new: int) -> None:
    """Give the open file `new`, before anything is in it, the owner, group and permissions of `old` where that is."""
    if os.name != "posix":
        return
    try:
        found = old.stat()
    except FileNotFoundError:
        return
    with contextlib.suppress(OSError):  # only root may give files away
        os.fchown(new, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):  # a file system without permissions
        os.fchmod(new, found.st_mode & 0o777)


def remove_leftovers(path: Path) -> int:
    """Remove the temporary files of `path` whose writers were killed; return how many there were.

    A file that is still being written is locked by its writer and stays.
    """
    removed = 0
    with contextlib.suppress(OSError):
        path = _target(path)
        for leftover in path.parent.glob(f"{escape(path.name)}.*{_SUFFIX}"):
            with contextlib.suppress(OSError), leftover.open("rb") as file:
                if take_lock(file.fileno()) is False:
                    continue
                leftover.unlink()
                removed += 1
    return removed


def check_writable(path: Path, force: bool = False) -> None:
    """Refuse `path` as an output before any work is done for it.

    Raises FileExistsError where it exists and `force` is False, OSError where it is a folder or another thing that is
    no file, is read-only, has a name that the system cannot take, or where its own folder is missing or cannot be
    written.

    >>> check_writable(Path("no such folder/picture.png"))
    Traceback (most recent call last):
        ...
    FileNotFoundError: no such folder/picture.png cannot be written: the folder no such folder does not exist
    """
    try:
        _check_what_is_there(path, force)
        target = _target(path)
        temporary = _temporary(target)  # the very name, which may be too long where the file's own is not
        try:
            with temporary.open("xb"):
                pass
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        if error.errno is None:  # it is a sentence of ours
            raise
        reason = error.strerror
        if error.errno == errno.ENAMETOOLONG:
            reason = "its name is too long (while it is written, it has a name with 13 more characters)"
        raise OSError(f"{path} cannot be written: {reason}") from None


def _check_what_is_there(path: Path, force: bool) -> None:
    """Refuse a `path` at which no file could be, or one that must stay as it is."""
    mode = 0
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder; name a file in it")
    if mode and not stat.S_ISREG(mode):  # /dev/null, say, which a rename would put a file in place of
        raise FileExistsError(f"{path} is a device, a pipe or a socket; name a file")
    if not path.parent.exists():
        raise FileNotFoundError(f"{path} cannot be written: the folder {path.parent} does not exist")
    if os.path.lexists(path) and not force:
        raise FileExistsError(f"{path} exists; name another file, or use --force (force=True) to replace it")
    if mode and not (mode & 0o222 and os.access(path, os.W_OK)):  # a rename would not ask
        raise PermissionError(f"{path} is read-only; make it writable, or name another file")
