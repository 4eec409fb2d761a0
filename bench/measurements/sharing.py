"""Training where processors are shared: beside busy programs, beside another fit, on more threads than processors."""

import contextlib
import functools
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter

import numpy as np

from measurements.setting import ROOT, Setting, duration
from measurements.values import Case, NotMeasuredError, Reading, at_most

__all__ = ["busy", "many_threads", "two_fits"]

_ROUNDS = 4
_EPOCHS = 5  # of each of two fits
_MANY_THREADS = 16
_BUSY = "while True: pass"
_FIT_WHEN_TOLD = """
import sys
from fastmlp import NeuralNetwork
from fastmlp.comparison.spec import load_arrays

folder, threads, epochs = sys.argv[1:]
x, y = load_arrays(folder, "x_train", "y_train")
sizes = {"input_size": x.shape[1], "output_size": int(y.max()) + 1}
net = NeuralNetwork(300, seed=0, n_threads=int(threads), **sizes)
net.fit(x, y, number_epochs=1)
print("ready", flush=True)
for _ in sys.stdin:
    net.fit(x, y, number_epochs=int(epochs))
    print("done", flush=True)
"""


def busy(setting: Setting) -> Iterator[Case]:
    """Yield by how much an epoch is slowed down beside as many busy programs as processors, and beside one."""
    as_many = functools.partial(_beside, setting, setting.threads)
    yield Case("as many as processors", at_most("times", 4, 2.5), as_many)
    yield Case("one", at_most("times", 2.2, 1.6), functools.partial(_beside, setting, 1))


def _beside(setting: Setting, programs: int) -> Reading:
    net = setting.net(300)
    seconds: dict[str, list[float]] = {"alone": [], "beside": []}
    for _ in range(setting.times(_ROUNDS)):
        seconds["alone"] += setting.epochs(net, 3)
        with _busy_programs(programs):
            seconds["beside"] += setting.epochs(net, 3)
    return _slowdown(seconds)


@contextlib.contextmanager
def _busy_programs(count: int) -> Iterator[None]:
    """Keep `count` programs computing meanwhile."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.callback(stack.enter_context(subprocess.Popen([sys.executable, "-S", "-c", _BUSY])).kill)
        time.sleep(0.2)  # they have started
        yield


def many_threads(setting: Setting) -> Iterator[Case]:
    """Yield by how much an epoch is slowed down by more threads than the machine has processors."""
    yield Case(f"{_MANY_THREADS} threads", at_most("times", 1.5), functools.partial(_many_threads, setting))


def _many_threads(setting: Setting) -> Reading:
    if setting.threads >= _MANY_THREADS:
        raise NotMeasuredError(f"this machine has {setting.threads} processors, which are not less than the threads")
    own, many = "as many threads as processors", f"{_MANY_THREADS} threads"
    nets = {own: setting.net(300), many: setting.net(300, threads=_MANY_THREADS)}
    seconds: dict[str, list[float]] = {own: [], many: []}
    for _ in range(setting.times(_ROUNDS)):
        for name, net in nets.items():
            seconds[name] += setting.epochs(net, 3)
    return _slowdown(seconds)


def two_fits(setting: Setting) -> Iterator[Case]:
    """Yield the time of two fits at once divided by that of one after the other: in one process and in two."""
    yield Case("in one process", at_most("times", 1.1), functools.partial(_two_in_one_process, setting))
    yield Case("in two processes", at_most("times", 1.1), functools.partial(_two_processes, setting))


def _two_in_one_process(setting: Setting) -> Reading:
    nets = [setting.net(300, seed=seed) for seed in (0, 1)]
    seconds: dict[str, list[float]] = {"one after the other": [], "at once": []}
    setting.epochs(nets[0], 1)  # compiles, or loads from disk
    fit = functools.partial(setting.epochs, count=setting.times(_EPOCHS))
    with ThreadPoolExecutor(2) as threads:
        for _ in range(setting.times(_ROUNDS)):
            start = perf_counter()
            for net in nets:
                fit(net)
            seconds["one after the other"].append(perf_counter() - start)
            start = perf_counter()
            list(threads.map(fit, nets))
            seconds["at once"].append(perf_counter() - start)
    return _slowdown(seconds)


def _two_processes(setting: Setting) -> Reading:
    seconds: dict[str, list[float]] = {"one after the other": [], "at once": []}
    words = [sys.executable, "-c", _FIT_WHEN_TOLD, setting.data_folder(), setting.threads, setting.times(_EPOCHS)]
    with contextlib.ExitStack() as stack:
        fits = []
        for _ in range(2):
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen([*map(str, words)], cwd=ROOT, text=True, bufsize=1, **pipes)
            fits.append(stack.enter_context(process))
            stack.callback(process.kill)
            _await(process, "ready")
        for _ in range(setting.times(_ROUNDS)):
            for name, together in (("one after the other", False), ("at once", True)):
                start = perf_counter()
                for process in fits:
                    process.stdin.write("\n")
                    if not together:
                        _await(process, "done")
                for process in fits if together else ():
                    _await(process, "done")
                seconds[name].append(perf_counter() - start)
    return _slowdown(seconds)


def _await(process: subprocess.Popen[str], word: str) -> None:
    """Wait until the process says that it is ready, or done."""
    if process.stdout.readline() != f"{word}\n":
        raise NotMeasuredError("a process that should train has ended")


def _slowdown(seconds: dict[str, list[float]]) -> Reading:
    """Return the median of the second of two kinds of times, divided by that of the first."""
    (usual, before), (slower, after) = seconds.items()
    ratio = float(np.median(after) / np.median(before))
    return Reading(ratio, f"{usual} {duration(before)}, {slower} {duration(after)}", seconds)
