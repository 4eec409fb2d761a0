"""`forward` against the NumPy net's, in turns, in this process."""

import functools
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np

from fastmlp import contenders
from fastmlp.comparison.spec import WEIGHTS
from fastmlp.machine import wait_until_idle
from measurements.setting import Setting, duration
from measurements.values import Bar, Case, NotMeasuredError, Reading, at_least

__all__ = ["few_rows", "many_rows"]

_CALLS = {1: 500, 16: 300, 128: 100, 10_000: 5}  # in a turn, by rows
_TURNS = 9


def few_rows(setting: Setting) -> Iterator[Case]:
    """Yield how many times faster than NumPy few rows are predicted."""
    for rows in (1, 16, 128):
        yield from _cases(setting, rows, at_least("times", 1.5, 4))


def many_rows(setting: Setting) -> Iterator[Case]:
    """Yield the same for a whole test set."""
    yield from _cases(setting, 10_000, at_least("times", 2, 4))


def _cases(setting: Setting, rows: int, bar: Bar) -> Iterator[Case]:
    for H in setting.some((30, 300)):
        yield Case(f"{rows:,} row{'s' * (rows > 1)}, H={H}", bar, functools.partial(_against_numpy, setting, rows, H))


def _against_numpy(setting: Setting, rows: int, H: int) -> Reading:
    X = np.ascontiguousarray(np.resize(setting.data.x_test, (rows, setting.data.x_test.shape[1])))
    ours, theirs = setting.net(H), contenders.load("numpy")(H, output_size=setting.data.n_classes)
    for name in WEIGHTS:
        setattr(theirs, name, getattr(ours, name))
    if not np.allclose(ours.forward(X), theirs.forward(X), rtol=1e-3, atol=1e-6):
        raise NotMeasuredError("the probabilities differ from NumPy's")
    seconds: dict[str, list[float]] = {"fastmlp": [], "numpy": []}
    for _ in range(setting.times(_TURNS)):
        for name, net in (("fastmlp", ours), ("numpy", theirs)):
            seconds[name].append(_seconds(net.forward, X, setting.times(_CALLS[rows])))
    our_time, their_time = (float(np.median(times)) for times in seconds.values())
    return Reading(their_time / our_time, f"ours {duration(our_time)}, NumPy {duration(their_time)}", seconds)


def _seconds(forward: Callable[[np.ndarray], np.ndarray], X: np.ndarray, calls: int) -> float:
    """Return the seconds of a call among `calls` one after the other; one before them does not count."""
    wait_until_idle()
    forward(X)
    start = perf_counter()
    for _ in range(calls):
        forward(X)
    return (perf_counter() - start) / calls
