"""What a result depends on: versions, CPU, threads, tile, and where compiled kernels are kept."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastmlp import __version__
from fastmlp.engine.settings import default_threads
from fastmlp.kernels.compiled import cache_folder
from fastmlp.kernels.tiles import target

__all__ = ["environment"]

_LIBRARIES = (
    "numpy",
    "numba",
    "llvmlite",
    "keras",
    "tensorflow",
    "tensorflow-cpu",
    "torch",
    "jax",
    "jaxlib",
    "scikit-learn",
)


def environment() -> dict[str, Any]:
    """Return the versions of what is installed and the facts of this machine that a result depends on.

    >>> environment()["fastmlp"] == __version__
    True
    """
    machine = target()
    return {
        "fastmlp": __version__,
        "python": platform.python_version(),
        **_installed(),
        "platform": platform.platform(),
        "cpu": machine.cpu,
        "vector": f"{machine.width} float32",
        "registers": machine.registers,
        "fused": machine.fused,
        "widest_tile": f"{machine.max_vectors * machine.width} hidden units",
        "threads": default_threads(),
        "kernel_cache": cache_folder() or "none is writable",
    }


def _installed() -> dict[str, str]:
    versions = {}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions
