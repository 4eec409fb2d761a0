"""How fast this machine multiplies and adds right now: the yardstick of a comparison."""

from __future__ import annotations

import statistics
import time

import numpy as np

from fastmlp.arrays import Float32Array

from .compiled import entry
from .layout import aligned_zeros
from .simd import axpy, broadcast, store
from .tags import block, block_rows, units
from .team import Member, arrive, await_all, run_team
from .tiles import Lanes

__all__ = ["Probe", "multiply_add"]

_LANES = Lanes(2)  # its register block holds enough independent sums to keep every multiply-add unit busy
_FACTORS = 1024  # fits the first cache
_SLICES = 5
_SLICE_SECONDS = 0.015

_STEP = np.float32(0.5)


@entry
def multiply_add(total, factors, repeats, member, lanes):
    """total = repeats * sum(factors) / 2 in every lane of a register block: nothing but multiply-adds on registers.

    Writes total (block_rows * units,); reads factors (n,). Each factor is 2 * block_rows * units operations.
    """
    acc = broadcast(np.float32(0.0), block(lanes))
    step = broadcast(_STEP, block(lanes))
    arrive(member, lanes)
    if not await_all(member, 1, lanes):
        return
    for _ in range(repeats):
        for k in range(len(factors)):
            acc = axpy(acc, factors[k], step)
    store(acc, total, 0)


@entry
def _block_units(lanes):
    """Float32 lanes of the register block."""
    return block_rows(lanes) * units(lanes)


class Probe:
    """Measures the rate of float32 multiply-adds of `n_threads` threads at once, in about 0.1 s.

    The first use calibrates: it chooses as much work as takes a slice of 15 ms.

    >>> Probe(1).gflops() > 0
    True
    """

    def __init__(self, n_threads: int) -> None:
        self._n_threads = n_threads
        self._units = _block_units(_LANES)
        factors: Float32Array = aligned_zeros((_FACTORS,))
        factors[::2], factors[1::2] = 1, -1  # sums stay small
        self._factors = factors
        self._total: Float32Array = aligned_zeros((n_threads, self._units))
        self._repeats = 1
        self._run()  # compiles, or loads from disk
        while self._run() < _SLICE_SECONDS:
            self._repeats *= 2

    def gflops(self) -> float:
        """Return the rate of all threads together in GFLOP/s (a multiply-add is two operations).

        The median of five slices: a moment's interruption does not count, a lasting one does. The slowest thread
        decides, as it does in training.
        """
        operations = 2 * self._units * _FACTORS * self._repeats * self._n_threads
        return operations / statistics.median(self._run() for _ in range(_SLICES)) / 1e9

    def _run(self) -> float:
        """Let every thread do one slice of work; return the seconds of the slowest."""
        seconds = [0.0] * self._n_threads

        def work(member: Member) -> None:
            start = time.perf_counter()
            multiply_add(self._total[member.rank], self._factors, self._repeats, member, _LANES)
            seconds[member.rank] = time.perf_counter() - start

        run_team(self._n_threads, work)
        return max(seconds)
