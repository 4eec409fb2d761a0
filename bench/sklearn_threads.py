"""How many threads run while scikit-learn trains several FastMLPClassifiers at once, in processes of joblib (loky).

    python bench/sklearn_threads.py [--jobs 2]

A GridSearchCV over a Pipeline and a cross_val_score run with so many jobs. Meanwhile the threads of this process and
of all it has started are looked at every 5 ms: those that the system runs, or would if it had a processor free (state R
in /proc, so Linux only), and all there are. Exits with 1 where more ran, in half of the looks or more, than there are
processors. MLPClassifier's figures stand beside.
"""

import argparse
import collections
import os
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import FastMLPClassifier, load_synthetic
from fastmlp.machine import available_processors

SECONDS_BETWEEN_LOOKS = 0.005
SAMPLES = 6000


def descendants() -> list[int]:
    """This process and all that it, or they, have started."""
    children = collections.defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except OSError:
            continue  # has ended
        children[parent].append(int(folder.name))
    found = [os.getpid()]
    for process in found:  # grows meanwhile
        found += children[process]
    return found


def threads(processes: list[int]) -> tuple[int, int]:
    """The running threads of these processes, without the one that looks, and all of them."""
    running = every = 0
    for process in processes:
        for task in Path(f"/proc/{process}/task").glob("*"):
            try:
                state = (task / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            except OSError:
                continue
            every += 1
            running += state == "R" and int(task.name) != threading.get_native_id()
    return running, every


class Watch(threading.Thread):
    """Looks at the threads until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.looks: list[tuple[int, int]] = []
        self.over = threading.Event()

    def run(self) -> None:
        processes, next_time = descendants(), 0.0
        while not self.over.wait(SECONDS_BETWEEN_LOOKS):
            if time.monotonic() > next_time:
                processes, next_time = descendants(), time.monotonic() + 0.25
            self.looks.append(threads(processes))


def watched(work) -> np.ndarray:
    """The running threads and all of them at each look while the work goes on (looks, 2)."""
    watch = Watch()
    watch.start()
    work()
    watch.over.set()
    watch.join()
    return np.array(watch.looks)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int, default=2)
    jobs = options.parse_args().jobs
    warnings.simplefilter("ignore")
    os.environ["PYTHONWARNINGS"] = "ignore"  # of the workers
    data = load_synthetic()
    X, y = data.x_train[:SAMPLES], data.y_train[:SAMPLES]
    FastMLPClassifier(max_iter=2).fit(X, y)  # compiled before
    cores, over = available_processors(), False
    print(f"{cores} processors, {jobs} jobs, {SAMPLES} samples\n")
    print("| what | net | running: median | 95 % | most | share of looks above the processors | all threads |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for net in (FastMLPClassifier(max_iter=10, random_state=0), MLPClassifier(max_iter=3, random_state=0)):
        steps = make_pipeline(StandardScaler(), net)
        grid = {f"{type(net).__name__.lower()}__alpha": [1e-5, 1e-3]}
        works = {
            f"GridSearchCV(n_jobs={jobs})": lambda s=steps, g=grid: GridSearchCV(s, g, cv=3, n_jobs=jobs).fit(X, y),
            f"cross_val_score(n_jobs={jobs})": lambda s=steps: cross_val_score(s, X, y, cv=4, n_jobs=jobs),
        }
        for what, work in works.items():
            running, every = watched(work).T
            share = float((running > cores).mean())
            over |= share >= 0.5 and isinstance(net, FastMLPClassifier)
            figures = f"{np.median(running):.0f} | {np.quantile(running, 0.95):.0f} | {running.max()} | {share:.1%}"
            print(f"| {what} | {type(net).__name__} | {figures} | {every.max()} |", flush=True)
    return int(over)


if __name__ == "__main__":
    sys.exit(main())
