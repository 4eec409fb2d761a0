"""A team of Python threads that run one kernel together, without the GIL, and meet by a shared count.

No threading layer is involved (OpenMP, TBB or Numba's workqueue), so nothing has to be found on the machine, two teams
may work at once, and nothing outlives the call: a process that forks later inherits no dead threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .atomics import atomic_add, atomic_load, yield_processor
from .compiled import inlined
from .interrupts import HeldBack
from .layout import aligned_zeros

__all__ = ["Member", "arrive", "await_all", "run_team", "share_of", "stopped", "told_to_stop"]

# Positions in the shared state, a cache line apart. Each is an int64.
_ARRIVED = 0  # how often members have come to a meeting, all together
_STOP = 8  # not 0: leave at the next meeting
_STATE_SIZE = 16

_SPINS = 50_000  # about 0.1 ms


class Member(NamedTuple):
    """One thread's place in its team."""

    state: NDArray[np.int64]  # shared by the team
    rank: int  # 0 <= rank < size
    size: int


@inlined
def stopped(member, lanes):
    """Whether the team has been told to stop: leave the kernel, the others will at their next meeting."""
    return atomic_load(member.state, _STOP) != 0


@inlined
def arrive(member, lanes):
    """Tell the team that this member has come to the next meeting; what it wrote before can be read after."""
    atomic_add(member.state, _ARRIVED, 1)


@inlined
def await_all(member, meeting, lanes):
    """Wait until every member has arrived `meeting` times; returns whether to go on (False: leave the kernel now)."""
    state, awaited = member.state, meeting * member.size
    spins = 0
    while atomic_load(state, _ARRIVED) < awaited and atomic_load(state, _STOP) == 0:
        spins += 1
        if spins > _SPINS:
            yield_processor()
    return not stopped(member, lanes)


def share_of(n: int, member: Member) -> tuple[int, int]:
    """The part of n pieces of work that is this member's: from the first on, before the last.

    >>> [share_of(5, Member(np.zeros(1, np.int64), rank, 2)) for rank in (0, 1)]
    [(0, 2), (2, 5)]
    """
    return n * member.rank // member.size, n * (member.rank + 1) // member.size


def told_to_stop(member: Member) -> bool:
    """Whether this member's work is for nothing, because another has failed or Ctrl-C was pressed."""
    return bool(member.state[_STOP])


def run_team(size: int, work: Callable[[Member], Any], *, inline: bool = True) -> None:
    """Run work(member) in `size` threads; when this returns or raises, none of them is running.

    An exception in one member stops the others at their next meeting and is raised here; so is KeyboardInterrupt,
    which Python delivers to the main thread while it waits. A team of one runs in the caller's thread, and cannot be
    interrupted inside the kernel, unless `inline` is False.
    """
    state: NDArray[np.int64] = aligned_zeros((_STATE_SIZE,), np.int64)
    if size == 1 and inline:
        work(Member(state, 0, 1))
        return
    errors: list[BaseException] = []

    def stop() -> None:
        state[_STOP] = 1

    def fail(error: BaseException) -> None:
        errors.append(error)
        stop()

    def run(rank: int, permit: threading.Lock, finished: threading.Event) -> None:
        if not permit.acquire(blocking=False):
            return  # the caller was first: it does not wait for this thread
        try:
            work(Member(state, rank, size))
        except BaseException as error:  # noqa: BLE001  (raised again in the caller's thread)
            fail(error)
        finally:
            finished.set()

    team: list[tuple[threading.Thread, threading.Lock, threading.Event]] = []
    with HeldBack(stop):
        try:
            for rank in range(size):
                permit, finished = threading.Lock(), threading.Event()
                thread = threading.Thread(
                    target=run, args=(rank, permit, finished), name=f"fastmlp-{rank}", daemon=True
                )
                team.append((thread, permit, finished))  # before it runs, so that none is ever forgotten
                thread.start()
        except BaseException as error:  # noqa: BLE001  (raised again once those that run have stopped)
            fail(error)
        for thread, permit, finished in team:
            if errors and permit.acquire(blocking=False):
                continue  # it has not begun, perhaps was not even started, and never will
            # An event and not Thread.join: after an interrupted join, Python 3.11 believes that the thread has ended.
            while not finished.is_set():
                try:
                    finished.wait()
                except BaseException as error:  # noqa: BLE001  (raised again once all have stopped)
                    fail(error)
            thread.join()  # it is at its last instructions
    if errors:
        raise errors[0]
