"""A team of Python threads that run one kernel together, without the GIL, and meet at a spin barrier.

No threading layer is involved (OpenMP, TBB or Numba's workqueue), so nothing has to be found on the machine, two teams
may work at once, and nothing outlives the call: a process that forks later inherits no dead threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .atomics import atomic_add, atomic_load, atomic_store, yield_processor
from .compiled import kernel
from .layout import aligned_zeros

__all__ = ["Member", "barrier", "run_team", "stopped"]

# Positions in the shared state, a cache line apart. Each is an int64.
_ARRIVED = 0  # members waiting at the barrier
_ROUND = 8  # barriers passed by all
_STOP = 16  # not 0: leave at the next barrier
_STATE_SIZE = 24

_SPINS = 2000  # about a microsecond; after that, each look at the state offers the processor to others


class Member(NamedTuple):
    """One thread's place in its team."""

    state: NDArray[np.int64]  # shared by the team
    rank: int  # 0 <= rank < size
    size: int


@kernel
def stopped(member, lanes):
    """Whether the team has been told to stop: leave the kernel, the others will at their next barrier."""
    return atomic_load(member.state, _STOP) != 0


@kernel
def barrier(member, lanes):
    """Wait until every member of the team is here; returns whether to go on (False: leave the kernel now)."""
    state = member.state
    current = atomic_load(state, _ROUND)
    if atomic_add(state, _ARRIVED, 1) == member.size - 1:
        atomic_store(state, _ARRIVED, 0)
        atomic_store(state, _ROUND, current + 1)
    spins = 0
    while atomic_load(state, _ROUND) == current and atomic_load(state, _STOP) == 0:
        spins += 1
        if spins > _SPINS:
            yield_processor()
    return not stopped(member, lanes)


def run_team(size: int, work: Callable[[Member], Any], *, inline: bool = True) -> None:
    """Run work(member) in `size` threads and wait for all of them.

    An exception in one member stops the others at their next barrier and is raised here; so is KeyboardInterrupt,
    which Python delivers to the main thread while it waits. A team of one runs in the caller's thread, and cannot be
    interrupted inside the kernel, unless `inline` is False.
    """
    state: NDArray[np.int64] = aligned_zeros((_STATE_SIZE,), np.int64)
    if size == 1 and inline:
        work(Member(state, 0, 1))
        return
    errors: list[BaseException] = []
    running: list[tuple[threading.Thread, threading.Event]] = []

    def run(rank: int, finished: threading.Event) -> None:
        try:
            work(Member(state, rank, size))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            errors.append(error)
            state[_STOP] = 1
        finally:
            finished.set()

    try:
        for rank in range(size):
            finished = threading.Event()
            thread = threading.Thread(target=run, args=(rank, finished), name=f"fastmlp-{rank}", daemon=True)
            thread.start()
            running.append((thread, finished))
    except BaseException as error:  # noqa: BLE001  (raised again once those that run have stopped)
        errors.append(error)
        state[_STOP] = 1
    # An event and not Thread.join: after an interrupted join, Python 3.11 believes that the thread has ended.
    for thread, finished in running:
        while not finished.is_set():
            try:
                finished.wait()
            except BaseException as error:  # noqa: BLE001  (raised again once all have stopped)
                errors.append(error)
                state[_STOP] = 1
        thread.join()  # it is at its last instructions
    if errors:
        raise errors[0]
