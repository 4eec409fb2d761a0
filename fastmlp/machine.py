"""The one place that asks the machine: its processors and memory, and whether this process is at rest.

It also knows the environment variables that hold numeric libraries to the CPU and to a number of threads. Only the
standard library is imported, so that `--help` loads nothing slow.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

__all__ = [
    "CPU_VARIABLES",
    "available_processors",
    "environment_for",
    "how_to_get_keras",
    "keep_memory",
    "keep_to_cpu",
    "peak_memory",
    "pin_to",
    "processors_for",
    "thread_variables",
    "wait_until_idle",
]

CPU_VARIABLES = {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "2"}
"""What keeps numeric libraries to the CPU, and TensorFlow from printing anything but errors."""

_THREAD_VARIABLES = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OMP_NUM_THREADS",
)
# With these in the environment OpenBLAS would take other code than it chooses for this processor, unnoticed.
_TUNING_VARIABLES = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")

_TOO_NEW_FOR_TENSORFLOW = (3, 14)  # as the extra `keras` in pyproject.toml says too

_CGROUP = Path("/sys/fs/cgroup")

_LOOK_SECONDS = 0.01  # how long each look at this process takes
_AT_REST = 0.1  # of one processor
_LOOKS = 100  # at most

_CAP_IPC_LOCK = 1 << 14  # Linux' right to lock memory without limit


# --- Processors -------------------------------------------------------------------------------------------------------


def available_processors() -> int:
    """Return how many processors this process may really use: its affinity mask, cut by a container's CPU quota.

    >>> available_processors() >= 1
    True
    """
    return max(1, min(len(_affinity()) or os.cpu_count() or 1, _cpu_quota()))


def processors_for(n_threads: int) -> list[int]:
    """Return the numbers of as many processors as there are threads, or of all that this process may use if fewer.

    The list is empty where the system cannot pin a process (macOS, Windows).
    """
    return _affinity()[:n_threads]


def pin_to(processors: Iterable[int]) -> None:
    """Let this process run on these processors only; an empty list changes nothing."""
    if numbers := set(processors):
        os.sched_setaffinity(0, numbers)


def _affinity() -> list[int]:
    """The processors that this process may run on; empty where the system does not say."""
    try:
        return sorted(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return []


def _cpu_quota() -> int:
    """Whole processors that the control group grants (cgroup v2, then v1); a large number where it sets no limit."""
    unlimited = sys.maxsize
    try:
        quota, period = (_CGROUP / "cpu.max").read_text(encoding="utf-8").split()
    except (OSError, ValueError):
        try:
            quota = (_CGROUP / "cpu" / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (_CGROUP / "cpu" / "cpu.cfs_period_us").read_text(encoding="utf-8").strip()
        except OSError:
            return unlimited
    try:
        return max(1, round(int(quota) / int(period))) if int(quota) > 0 else unlimited
    except ValueError:  # "max"
        return unlimited


# --- Threads of numeric libraries -------------------------------------------------------------------------------------


def thread_variables(n_threads: int) -> dict[str, str]:
    """Return the environment variables that hold NumPy's BLAS to `n_threads` threads.

    A BLAS reads them once, when NumPy is loaded, so they must be set before the process starts.

    >>> thread_variables(2)["OPENBLAS_NUM_THREADS"]
    '2'
    """
    return dict.fromkeys(_THREAD_VARIABLES, str(n_threads))


def keep_to_cpu() -> None:
    """Keep numeric libraries that this process loads later to the CPU, unless its environment says otherwise."""
    for name, value in CPU_VARIABLES.items():
        os.environ.setdefault(name, value)


def environment_for(n_threads: int) -> dict[str, str]:
    """Return the environment for a new process that computes on `n_threads` threads of the CPU.

    It is that of this process, without the variables that tune OpenBLAS by hand.

    >>> environment_for(2)["OMP_NUM_THREADS"]
    '2'
    """
    kept = {name: value for name, value in os.environ.items() if name not in _TUNING_VARIABLES}
    return kept | CPU_VARIABLES | thread_variables(n_threads)


def wait_until_idle() -> None:
    """Wait until the threads of this process are idle, for a second at most.

    The threads of some libraries, OpenBLAS among them, spin for a while after their work.
    """
    for _ in range(_LOOKS):
        wall, work = time.perf_counter(), time.process_time()
        time.sleep(_LOOK_SECONDS)
        if time.process_time() - work < _AT_REST * (time.perf_counter() - wall):
            return


# --- Memory -----------------------------------------------------------------------------------------------------------


def keep_memory() -> None:
    """Keep the pages of this process in memory while it waits: on Linux, where it has root's right to do so.

    Otherwise a system that reclaims idle pages (DAMON) slows down, after each wait, the process with the largest
    library. A process without that right has a limit on locked memory, and could allocate nothing beyond it.
    """
    if int(_status("CapEff") or "0", 16) & _CAP_IPC_LOCK:
        import ctypes

        current, future, on_fault = 1, 2, 4  # MCL_...: what is in memory now, and what gets there later
        ctypes.CDLL(None).mlockall(current | future | on_fault)


def how_to_get_keras(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return what installs Keras and TensorFlow. Where Python is too new for them, the extra alone brings nothing.

    >>> how_to_get_keras((3, 13))
    "pip install 'fastmlp[keras]'"
    >>> how_to_get_keras((3, 14))
    "pip install 'fastmlp[keras]', on Python 3.11 to 3.13: there is no TensorFlow for 3.14 yet"
    """
    command = "pip install 'fastmlp[keras]'"
    if python < _TOO_NEW_FOR_TENSORFLOW:
        return command
    newest = _TOO_NEW_FOR_TENSORFLOW[1] - 1
    return f"{command}, on Python 3.11 to 3.{newest}: there is no TensorFlow for {python[0]}.{python[1]} yet"


def peak_memory() -> int | None:
    """Return the most memory that this process has held so far, in bytes; None where the system does not say.

    >>> peak_memory() is None or peak_memory() > 1_000_000
    True
    """
    # On Linux, ru_maxrss includes the memory of the process that started this one; VmHWM does not.
    if held := _status("VmHWM"):
        return int(held.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> str | None:
    """What Linux says of this process under `name`; None on another system, or where it does not say."""
    try:
        # "replace", because the name of a process, which stands there too, may be any bytes.
        lines = Path("/proc/self/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return next((line.removeprefix(f"{name}:") for line in lines if line.startswith(f"{name}:")), None)
