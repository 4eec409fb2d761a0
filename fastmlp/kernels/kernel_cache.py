"""Where compiled kernels are kept, and where they are looked for.

Numba keeps them in the first of three folders that it can write to: that of NUMBA_CACHE_DIR, `__pycache__` beside the
source, one below the user's home; and only there it looks for them. In a container these are often two different ones:
kernels were compiled as the image was built, and are run by another user, or on a file system that is read-only. So
they are also looked for in the folders that come before, which cannot be written. Those that come after are left alone:
whoever names a folder in NUMBA_CACHE_DIR decides what is in it.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from numba import config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    InTreeCacheLocator,
    UserProvidedCacheLocator,
    UserWideCacheLocator,
)
from numba.core.runtime import rtsys

from .checked_files import CheckedFiles
from .interrupts import HeldBack

__all__ = ["KernelCache"]


class _Nowhere(InTreeCacheLocator):
    """What Numba is told where no folder can be written: files can be looked for, but not kept."""

    def ensure_cache_path(self) -> None:
        """Nothing: Numba asks here whether the folder can be written."""


class _Place(CompileResultCacheImpl):
    _locator_classes: ClassVar[list[Any]] = [*CompileResultCacheImpl._locator_classes, _Nowhere]


class KernelCache(FunctionCache):
    """The files of one function: damage, a full disk and a read-only one cost it only its place there.

    `digest` is of all files of the package that the function may call.
    """

    _impl_class = _Place

    def __init__(self, function: Callable[..., Any], digest: str) -> None:
        super().__init__(function)
        stamp = self._impl.locator.get_source_stamp(), digest
        others = _folders_of(function)
        if self.can_keep and self.cache_path in others:
            others = others[: others.index(self.cache_path)]
        self._folders = list(dict.fromkeys([self.cache_path, *others]))
        self._cache_file = CheckedFiles(self._folders, self._impl.filename_base, stamp)

    @property
    def can_keep(self) -> bool:
        """Whether there is a folder that can be written."""
        return not isinstance(self._impl.locator, _Nowhere)

    @property
    def is_of_use(self) -> bool:
        """Whether a folder can be written, or has compiled kernels, of this function or another."""
        return self.can_keep or any(next(Path(folder).glob("*.nbc"), None) for folder in self._folders)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """As Numba's, but without loading all that compiling needs, and None for what cannot be loaded for any reason.

        Numba imports its implementation of NumPy first, and with it SciPy where that is installed: 0.6 of 0.7 seconds.
        Compiled code needs only Numba's runtime.
        """
        # LLVM calls Python for the machine code, where a KeyboardInterrupt would be lost and the code missing: a crash.
        try:
            with HeldBack():
                rtsys.initialize(target_context)
                return self._load_overload(signature, target_context)
        except Exception:  # noqa: BLE001  (unpickling what names a class that is gone may raise anything)
            return None

    def save_overload(self, *args: Any) -> None:
        """As Numba's, but nothing where that is impossible."""
        # RuntimeError: there is no machine code to keep, as Ctrl-C fell where LLVM hands it to Python.
        with contextlib.suppress(OSError, RuntimeError):
            super().save_overload(*args)


def _folders_of(function: Callable[..., Any]) -> list[str]:
    """All folders in which Numba would keep a function, whether they can be written or not."""
    path, provided = inspect.getfile(function), [UserProvidedCacheLocator] if config.CACHE_DIR else []
    return [place(function, path).get_cache_path() for place in (*provided, InTreeCacheLocator, UserWideCacheLocator)]
