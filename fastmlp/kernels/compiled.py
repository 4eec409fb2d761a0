"""How every kernel is compiled: one decorator, one digest over all kernel files.

Numba's disk cache watches only the file that holds the cached function, so an edit to a helper in another file would be
served stale. The digest of all files of this package therefore stands in the name of the tag type `Lanes` (`simd.py`)
that each cached entry point takes: after any edit the signature is a new one and everything compiles again.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

__all__ = ["SOURCE_DIGEST", "cache_folder", "kernel"]


def _source_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


SOURCE_DIGEST = _source_digest(Path(__file__).parent)

# No fastmath flag: reassociation would change the order of sums, which is part of the contract (same bits for sparse
# and dense input and for any number of threads), and `nnan`/`ninf` would break the detection of divergence.
# "numpy" makes a division by zero give inf instead of raising: no kernel may leave the others waiting at a barrier.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": False}

_warned_no_cache = False


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` on its first call, without the GIL, kept on disk where a cache folder is writable.

    Where none is (a read-only install without a home folder), kernels are compiled anew in each process, and one
    warning says so.
    """
    try:
        return saved_where_possible(numba.njit(cache=True, **_OPTIONS)(function))
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        global _warned_no_cache
        if not _warned_no_cache:
            _warned_no_cache = True
            warnings.warn(
                "no folder is writable for compiled kernels, so each process compiles them anew (a few seconds); "
                "set NUMBA_CACHE_DIR to a writable folder to keep them",
                RuntimeWarning,
                stacklevel=2,
            )
        return numba.njit(**_OPTIONS)(function)


def saved_where_possible(dispatcher: Any) -> Any:
    """Let a full disk cost a compiled function its place in the cache, but not its run."""
    # Numba has no public name for a function's cache; this attribute has stood since 2015.
    save = dispatcher._cache.save_overload

    def save_where_possible(*args: Any) -> None:
        with contextlib.suppress(OSError):
            save(*args)

    dispatcher._cache.save_overload = save_where_possible
    return dispatcher


def cache_folder() -> str | None:
    """The folder where compiled kernels are kept, or None where none is writable."""
    probe = kernel(_source_digest)
    return getattr(probe, "_cache", None) and getattr(probe._cache, "cache_path", None)
