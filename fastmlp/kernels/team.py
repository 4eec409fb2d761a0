"""A team of Python threads that run one kernel together, without the GIL, and meet at a spin barrier.

No threading layer is involved (OpenMP, TBB or Numba's workqueue), so nothing has to be found on the machine, two teams
may work at once, and nothing outlives the call: a process that forks later inherits no dead threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from .compiled import kernel
from .layout import aligned_zeros

__all__ = ["Member", "barrier", "run_team", "stopped"]

# Positions in the shared state, a cache line apart. Each is an int64.
_ARRIVED = 0  # members waiting at the barrier
_ROUND = 8  # barriers passed by all
_STOP = 16  # not 0: leave at the next barrier
_STATE_SIZE = 24

_SPINS = 2000  # about a microsecond; then the processor is offered to others at each look

# The operating system's "let another thread run", found in the process by name when the kernel is linked.
_yield_processor = types.ExternalFunction("SwitchToThread" if sys.platform == "win32" else "sched_yield", types.int32())


class Member(NamedTuple):
    """One thread's place in its team."""

    state: NDArray[np.int64]  # shared by the team
    rank: int  # 0 <= rank < size
    size: int


@intrinsic
def _atomic_add(typingctx, array, index, value):
    """array[index] += value as one step; returns what was there before."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", builder.gep(data, [args[1]]), args[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), codegen


@intrinsic
def _atomic_load(typingctx, array, index):
    """array[index], with all that its writer wrote before."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return builder.load_atomic(builder.gep(data, [args[1]]), "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.intp), codegen


@intrinsic
def _atomic_store(typingctx, array, index, value):
    """array[index] = value, visible after all that was written before."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        builder.store_atomic(args[2], builder.gep(data, [args[1]]), "release", 8)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.int64), codegen


@kernel
def stopped(member, lanes):
    """Whether the team has been told to stop: leave the kernel, the others will at their next barrier."""
    return _atomic_load(member.state, _STOP) != 0


@kernel
def barrier(member, lanes):
    """Wait until every member of the team is here; returns whether to go on (False: leave the kernel now)."""
    state = member.state
    current = _atomic_load(state, _ROUND)
    if _atomic_add(state, _ARRIVED, 1) == member.size - 1:
        _atomic_store(state, _ARRIVED, 0)
        _atomic_store(state, _ROUND, current + 1)
    spins = 0
    while _atomic_load(state, _ROUND) == current and _atomic_load(state, _STOP) == 0:
        spins += 1
        if spins > _SPINS:
            _yield_processor()
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
