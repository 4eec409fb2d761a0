"""A temporary folder that does not outlive its process for long, however that ends."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fastmlp.files.locks import take_lock

__all__ = ["scratch_folder"]

_LOCK = "lock"  # a file in the folder, locked by the process that works there


@contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Make a folder whose name begins with `prefix`, for temporary files; at the end it is removed.

    So are those of processes that were killed: their lock went with them. Raises OSError where no folder can be made.

    >>> with scratch_folder("fastmlp-doc-") as folder:
    ...     _ = Path(folder, "file").write_text("temporary", encoding="utf-8")
    >>> folder.exists()
    False
    """
    _remove_leftovers(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.name != "posix":
            yield folder
            return
        with (folder / f"{_LOCK}.new").open("xb") as file:
            take_lock(file.fileno())
            (folder / f"{_LOCK}.new").replace(folder / _LOCK)  # locked before anybody else finds it
            yield folder


def _remove_leftovers(prefix: str) -> None:
    """Remove the folders that killed processes of this user left; one without a lock may just be getting it."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
            with contextlib.suppress(OSError):
                if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                    continue
                with (folder / _LOCK).open("rb") as file:
                    if take_lock(file.fileno()):
                        shutil.rmtree(folder, ignore_errors=True)
