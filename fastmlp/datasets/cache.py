"""Where downloaded and drawn data is kept."""

import os
from pathlib import Path


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
