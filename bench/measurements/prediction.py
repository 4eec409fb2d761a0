"""`forward` against NumPy's, in turns.

NumPy runs in two processes, with its BLAS on one thread and on all: for few rows, and beside other programs, one thread
is often faster. The faster of the two counts.
"""

import contextlib
import functools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import numpy as np

from fastmlp import NeuralNetwork
from fastmlp.comparison.spec import WEIGHTS, save_arrays
from fastmlp.machine import environment_for, wait_until_idle
from measurements.setting import ROOT, Setting, duration
from measurements.values import Bar, Case, NotMeasuredError, Reading, at_least

__all__ = ["few_rows", "many_rows"]

_CALLS = {1: 500, 16: 300, 128: 100, 10_000: 5}  # in a turn, by rows; one before them does not count
_TURNS = 9
_NUMPY = """
import sys
from time import perf_counter
import numpy as np
from fastmlp.comparison.spec import WEIGHTS, load_arrays
from fastmlp.contenders.numpy_net import NeuralNetwork
from fastmlp.machine import wait_until_idle

folder, calls = sys.argv[1], int(sys.argv[2])
net = NeuralNetwork()
net.W1, net.b1, net.W2, net.b2, X, probs = load_arrays(folder, *WEIGHTS, "X", "probs")
assert np.allclose(net.forward(X), probs, rtol=1e-3, atol=1e-6), "the probabilities differ"
for _ in sys.stdin:
    net.forward(X)
    start = perf_counter()
    for _ in range(calls):
        net.forward(X)
    seconds = perf_counter() - start
    wait_until_idle()
    print(seconds / calls, flush=True)
"""


def few_rows(setting: Setting) -> Iterator[Case]:
    """Yield how many times faster than NumPy few rows are predicted."""
    for rows in (1, 16, 128):
        yield from _cases(setting, rows, at_least("times", 1.5, 4))


def many_rows(setting: Setting) -> Iterator[Case]:
    """Yield the same for a whole test set."""
    yield from _cases(setting, 10_000, at_least("times", 2, 4))


def _cases(setting: Setting, rows: int, bar: Bar) -> Iterator[Case]:
    for H in setting.some((30, 300)):
        what = f"{rows:,} row{'s' * (rows > 1)}, H={H}"
        yield Case(what, bar, functools.partial(_against_numpy, setting, rows, H))


def _against_numpy(setting: Setting, rows: int, H: int) -> Reading:
    net, calls = setting.net(H), setting.times(_CALLS[rows])
    X = np.ascontiguousarray(np.resize(setting.data.x_test, (rows, setting.data.x_test.shape[1])))
    folder = setting.folder / "forward"
    folder.mkdir(exist_ok=True)
    save_arrays(folder, {name: getattr(net, name) for name in WEIGHTS} | {"X": X, "probs": net.forward(X)})
    seconds: dict[str, list[float]] = {"ours": []}
    with contextlib.ExitStack() as stack:
        others = {}
        for threads in sorted({1, setting.threads}):
            name = f"NumPy on {threads} thread{'s' * (threads > 1)}"
            others[name], seconds[name] = stack.enter_context(_numpy_process(folder, calls, threads)), []
        for _ in range(setting.times(_TURNS)):
            seconds["ours"].append(_our_seconds(net, X, calls))
            for name, process in others.items():
                seconds[name].append(_seconds_of(process))
    ours, *theirs = (float(np.median(times)) for times in seconds.values())
    detail = ", ".join(f"{name} {duration(times)}" for name, times in seconds.items())
    return Reading(min(theirs) / ours, detail, seconds)


def _our_seconds(net: NeuralNetwork, X: np.ndarray, calls: int) -> float:
    """Return the seconds of one of `calls` predictions one after the other."""
    net.forward(X)
    start = perf_counter()
    for _ in range(calls):
        net.forward(X)
    seconds = perf_counter() - start
    wait_until_idle()
    return seconds / calls


@contextlib.contextmanager
def _numpy_process(folder: Path, calls: int, threads: int) -> Iterator[subprocess.Popen[str]]:
    """Start a process that takes turns with us on what `folder` holds, and end it."""
    words, pipes = (
        [sys.executable, "-c", _NUMPY, str(folder), str(calls)],
        dict.fromkeys(("stdin", "stdout"), subprocess.PIPE),
    )
    environment = environment_for(threads)
    with subprocess.Popen(words, cwd=ROOT, env=environment, text=True, bufsize=1, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def _seconds_of(process: subprocess.Popen[str]) -> float:
    """Let the process have a turn; return the seconds of a prediction."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write("\n")
    line = process.stdout.readline()
    if not line:
        raise NotMeasuredError("NumPy's process has ended")
    return float(line)
