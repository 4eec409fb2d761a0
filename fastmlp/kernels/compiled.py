"""How everything is compiled: one decorator, and one digest over all kernel files.

Numba's disk cache checks only the file that holds the cached function, so after an edit to a helper in another file it
would serve old code. The digest of all files of this package is therefore part of the name of the tag type `Lanes`
(`tiles.py`) that each cached entry point takes: any edit changes the signature, and everything compiles again. Compiled
code outside this package, which takes no such tag, has all that it calls in its own file.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

from fastmlp.errors import FastmlpError

from .kernel_cache import KernelCache
from .linking import EntryCompiler, PartCompiler

__all__ = [
    "INLINED_OPTIONS",
    "KERNEL_OPTIONS",
    "SOURCE_DIGEST",
    "cache_folder",
    "compiled",
    "compiled_for",
    "entry",
    "inlined",
    "kernel",
]

if numba.config.DISABLE_JIT:
    raise FastmlpError("NUMBA_DISABLE_JIT is set, and fastmlp's kernels exist only compiled: unset it")


def _source_digest(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


SOURCE_DIGEST = _source_digest(Path(__file__).parent)

# No fastmath flag: reassociation would change the order of sums, which is part of the contract (same bits for sparse
# and dense input and for any number of threads), and `nnan`/`ninf` would break the detection of divergence.
# "numpy" makes a division by zero give inf instead of raising: no kernel may leave the others waiting.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "boundscheck": False}
# Without NRT, Numba's runtime, references to arrays are not counted: no kernel makes or keeps an array, and the caller
# holds those that it passes.
_ENTRY_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
    "pipeline_class": EntryCompiler,
    **_OPTIONS,
}

KERNEL_OPTIONS: dict[str, Any] = {
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
    "pipeline_class": PartCompiler,
    **_OPTIONS,
}
"""How Numba is to compile what only kernels call."""
INLINED_OPTIONS: dict[str, Any] = {"forceinline": True, **KERNEL_OPTIONS}
"""The same for what LLVM is to make a part of each kernel that calls it."""

_warned_no_cache = False


def compiled(function: Callable[..., Any]) -> Any:
    """Compile what is no kernel and may make arrays: it runs without the GIL, and is kept on disk as `entry` does."""
    return _cached(function, {"nogil": True, **_OPTIONS})


def entry(function: Callable[..., Any]) -> Any:
    """Compile a kernel that Python calls: it runs without the GIL, and is kept on disk where a folder is writable.

    Where none is (a read-only install without a home folder), functions that no folder has are compiled again in each
    process; where no folder has any, one warning says so.
    """
    return _cached(function, _ENTRY_OPTIONS)


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that other kernels call: a part of each entry that calls it (`linking.py`), and kept with that.

    It has no wrapper that Python could call: to unpack its arguments takes Numba longer to compile than many a kernel.
    Python gets a TypeError.
    """
    return _for_kernels_only(numba.njit(**KERNEL_OPTIONS)(function))


def _cached(function: Callable[..., Any], options: dict[str, Any]) -> Any:
    dispatcher = numba.njit(**options)(function)
    with contextlib.suppress(RuntimeError):  # of the classes in NUMBA_CACHE_LOCATOR_CLASSES none fits
        # Numba has no public name for this, nor for what it consists of; they have stood since 2015.
        dispatcher._cache = KernelCache(function, SOURCE_DIGEST)
    global _warned_no_cache
    if not (_warned_no_cache or getattr(dispatcher._cache, "is_of_use", False)):
        _warned_no_cache = True
        warnings.warn(
            "no folder is writable for compiled kernels, so each process compiles them again (a few seconds); "
            "set NUMBA_CACHE_DIR to a writable folder to keep them",
            RuntimeWarning,
            stacklevel=3,
        )
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Make `function` a part of each kernel that calls it.

    LLVM leaves larger helpers as calls, and a call passes some ten registers for each array and a tile through memory:
    in the forward pass over coded pairs that took longer than the arithmetic. To inline what Numba makes of Python
    would take longer: it copies and analyses that anew for each call.
    """
    return _for_kernels_only(numba.njit(**INLINED_OPTIONS)(function))


def compiled_for(function: Any, *args: Any) -> Any:
    """The compiled form of a kernel for arguments of the types of these, for calls that must be quick.

    It does not look at the types again, for which the kernel itself takes some ten microseconds at each call: it must
    be given arguments of the same ones.
    """
    return function.compile(tuple(numba.typeof(arg) for arg in args))


def _for_kernels_only(dispatcher: Any) -> Any:
    """Refuse calls from Python, which without a wrapper would end the process."""

    def refuse(*_args: Any, **_kwargs: Any) -> None:
        raise TypeError(f"{dispatcher.__name__} is for kernels to call: write an @entry that calls it")

    def add_overload(compiled_result: Any) -> None:
        # As in Numba but for handing it to the part in C, which looks there first when Python calls.
        dispatcher.overloads[tuple(compiled_result.signature.args)] = compiled_result

    dispatcher.add_overload, dispatcher._compile_for_args = add_overload, refuse
    return dispatcher


def cache_folder() -> str | None:
    """Return the folder where compiled kernels are kept, or None where none is writable."""
    cache = KernelCache(_source_digest, SOURCE_DIGEST)
    return cache.cache_path if cache.can_keep else None
