"""Locks on open files, which go with the process that has them, however it ends."""

from __future__ import annotations

import contextlib

with contextlib.suppress(ImportError):  # Windows, where an open file cannot be removed anyway
    import fcntl

__all__ = ["take_lock"]


def take_lock(descriptor: int) -> bool | None:
    """Take an open file's lock; return whether that was possible, False where somebody holds it.

    None on a file system, or an operating system, without such locks.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (OSError, NameError):
        return None
    return True
