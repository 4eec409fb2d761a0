"""Where downloaded and drawn data is kept."""

from __future__ import annotations

from pathlib import Path

__all__ = ["cache_dir"]


def cache_dir() -> Path:
    """Return the folder for our cached data; it need not exist yet.

    It is the operating system's folder for caches, `~/.cache/fastmlp` on Linux.

    >>> cache_dir().name
    'fastmlp'
    """
    import pooch  # here, because importing it takes longer than most commands need

    return Path(pooch.os_cache("fastmlp"))
