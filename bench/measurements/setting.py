"""What all measurements share: the data, the threads, a folder for their files, and how much is to be done."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike

import fastmlp
from fastmlp import Dataset, NeuralNetwork
from fastmlp.comparison.spec import save_arrays
from fastmlp.kernels.probe import Probe
from measurements.values import NotMeasuredError

__all__ = ["ROOT", "Setting", "duration", "run_python"]

ROOT = Path(fastmlp.__file__).parents[1]  # where processes find this fastmlp
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """The machine's threads, the data, and a folder that is removed at the end; `quick` is a trial of everything."""

    data: Dataset
    threads: int
    folder: Path
    probe: Probe
    quick: bool = False

    def some(self, items: Sequence[T]) -> Sequence[T]:
        """Return all items, or in a trial the first one."""
        return items[:1] if self.quick else items

    def times(self, count: int) -> int:
        """Return how often something is done: `count` times, or in a trial at most twice."""
        return min(count, 2) if self.quick else count

    def net(
        self,
        hidden_size: int,
        lr: float | None = 0.1,
        *,
        optimizer: str = "sgd",
        seed: int = 0,
        threads: int | None = None,
    ) -> NeuralNetwork:
        """Return a new net for the data, on all threads unless `threads` says otherwise."""
        sizes = {"input_size": self.data.x_train.shape[1], "output_size": self.data.n_classes}
        how = {"optimizer": optimizer, "seed": seed, "n_threads": threads or self.threads}
        return NeuralNetwork(hidden_size, lr, **sizes, **how)

    def epochs(self, net: NeuralNetwork, count: int) -> list[float]:
        """Return the seconds of `count` epochs of `net` in the steady state: the first, which packs, is left out."""
        return net.fit(self.data.x_train, self.data.y_train, number_epochs=count + 1).seconds[1:]

    def data_folder(self) -> Path:
        """Return the folder with the data, for `fastmlp.comparison.spec.load_arrays` in another process."""
        folder = self.folder / "data"
        if not folder.exists():
            folder.mkdir()
            save_arrays(folder, {part: getattr(self.data, part) for part in ("x_train", "y_train", "x_test", "y_test")})
        return folder


def duration(seconds: ArrayLike) -> str:
    """Return the median of `seconds` in words.

    >>> duration([0.1, 0.25, 0.3]), duration(3e-6), duration(75)
    ('250 ms', '3 us', '75 s')
    """
    median = float(np.median(seconds))
    scale, unit = next((s, unit) for s, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")) if s * median >= 1 or s == 1e6)
    return f"{scale * median:.3g} {unit}"


def run_python(code: str, *arguments: object, **environment: str) -> Any:
    """Return what a fresh Python, in which this fastmlp is imported, prints as JSON in its last line."""
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotMeasuredError(f"a process failed: {words[-1]}")
    return json.loads(done.stdout.splitlines()[-1])
