"""What a user waits for and holds besides the training: compiling, loading, the whole process, its memory."""

import functools
import sys
import tempfile
from collections.abc import Iterator

import numpy as np

from measurements.setting import Setting, run_python
from measurements.values import Case, Reading, at_most

__all__ = ["cached_fit", "cold_fit", "train_command", "train_memory"]

# CPU seconds (of its threads and of processes that it starts) and seconds of the first fit, beyond those of a second.
_FIRST_FIT = """
import json, os, sys, time
from fastmlp import NeuralNetwork
from fastmlp.comparison.spec import load_arrays

x, y = (array[:2000] for array in load_arrays(sys.argv[1], "x_train", "y_train"))
sizes = {"input_size": x.shape[1], "output_size": int(y.max()) + 1}
seconds = []
for _ in range(2):
    net = NeuralNetwork(300, seed=0, **sizes)
    cpu, wall = sum(os.times()[:4]), time.perf_counter()
    net.fit(x, y, number_epochs=1)
    seconds.append((sum(os.times()[:4]) - cpu, time.perf_counter() - wall))
print(json.dumps([first - second for first, second in zip(*seconds)]))
"""
# In a small process of its own: the peak of a process counts what the one that started it held.
_TRAIN = """
import json, resource, subprocess, sys, time

start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - start
if done.returncode:
    sys.exit(done.stderr.strip())
held = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([seconds - json.loads(done.stdout)["results"]["train_seconds"], held]))
"""


def cold_fit(setting: Setting) -> Iterator[Case]:
    """Yield the CPU seconds of compiling in the first fit with an empty kernel cache."""
    yield Case("H=300, CPU seconds", at_most("s", 5, 3), functools.partial(_cold_fit, setting))


def _cold_fit(setting: Setting) -> Reading:
    times = []
    for _ in range(setting.times(2)):
        with tempfile.TemporaryDirectory(dir=setting.folder) as empty:
            times.append(run_python(_FIRST_FIT, setting.data_folder(), NUMBA_CACHE_DIR=empty))
    cpu, wall = np.median(times, axis=0)
    return Reading(
        float(cpu), f"{wall:.2f} s of wall time", {"cpu": [c for c, _ in times], "wall": [w for _, w in times]}
    )


def cached_fit(setting: Setting) -> Iterator[Case]:
    """Yield the seconds that the first fit of a process takes longer than the second, with its kernels on disk."""
    yield Case("H=300", at_most("s", 0.4, 0.2), functools.partial(_cached_fit, setting))


def _cached_fit(setting: Setting) -> Reading:
    run_python(_FIRST_FIT, setting.data_folder())  # compiles what is not on disk yet
    wall = [run_python(_FIRST_FIT, setting.data_folder())[1] for _ in range(setting.times(5))]
    return Reading(
        float(np.median(wall)), f"median of {len(wall)} processes, fastest {min(wall):.2f} s", {"wall": wall}
    )


def train_command(setting: Setting) -> Iterator[Case]:
    """Yield the seconds of `fastmlp train --hidden-size 300`, the whole process, beyond those of its epochs."""
    yield Case("train, H=300", at_most("s", 2, 1), functools.partial(_train_command, setting))


def _train_command(setting: Setting) -> Reading:
    _train(1)  # compiles what is not on disk yet
    seconds = [_train(setting.times(20))[0] for _ in range(setting.times(3))]
    return Reading(
        float(np.median(seconds)),
        f"median of {len(seconds)} processes, fastest {min(seconds):.2f} s",
        {"wall": seconds},
    )


def train_memory(setting: Setting) -> Iterator[Case]:
    """Yield the most memory that `fastmlp train` holds."""
    yield Case("train, H=300", at_most("MB", 450, 350), functools.partial(_train_memory, setting))


def _train_memory(setting: Setting) -> Reading:
    held = [_train(2)[1] / 1e6 for _ in range(setting.times(2))]
    return Reading(max(held), f"most of {len(held)} processes", {"megabytes": held})


def _train(epochs: int) -> tuple[float, float]:
    """Return seconds beyond the training and the peak memory in bytes of the command."""
    words = ["train", "--hidden-size", "300", "--epochs", str(epochs), "--json"]
    seconds, held = run_python(_TRAIN, sys.executable, "-m", "fastmlp", *words)
    return seconds, held
