"""Where downloaded and drawn data is kept, and how it is written: whole or not at all."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO


def cache_dir() -> Path:
    """Return the folder for our cached data; it need not exist yet.

    It is the operating system's folder for caches, ``~/.cache/fastmlp`` on Linux.

    >>> cache_dir().name
    'fastmlp'
    """
    import pooch  # here, because importing it takes longer than most commands need

    return Path(pooch.os_cache("fastmlp"))


def expand_home(path: str | os.PathLike[str]) -> Path:
    """Return the path with a leading ``~`` replaced, or as it is where nobody has a home.

    `Path.expanduser` would raise there, as in a container that runs under a bare user number.

    >>> expand_home("data/mnist").name
    'mnist'
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Create ``path`` with what ``write`` puts into the open file.

    The bytes go to a temporary name in the same folder, which is then renamed: a reader, or a
    second writer, sees a whole file or none. Folders are made where they are missing.

    Raises
    ------
    OSError
        Where the folder cannot be written or the disk is full; nothing is left behind then.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_whole(Path(folder, "deep", "file"), lambda file: file.write(b"whole"))
    ...     Path(folder, "deep", "file").read_bytes()
    b'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(descriptor, "wb") as file:
            write(file)
        Path(temporary).chmod(0o644)  # mkstemp lets nobody else read
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
