"""How many threads run while `fastmlp sweep` trains several nets at once, in processes of joblib (loky).

    python bench/sweep_threads.py [--jobs 2]

As `sklearn_threads.py`, which looks at them: Linux only. Exits with 1 where more ran, in half of the looks or more,
than there are processors.
"""

import argparse
import sys

import numpy as np
from sklearn_threads import watched

from fastmlp import load_synthetic
from fastmlp.engine.optimizers import SGD
from fastmlp.machine import available_processors
from fastmlp.sweep import Sweep, SweepPlan
from fastmlp.training_record import Recipe


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--jobs", type=int)
    recipe = Recipe.checked(128, 10, validation_fraction=0.1)
    plan = SweepPlan([30, 100, 300], [0.03, 0.1, 0.3], recipe, epochs=5, optimizer=SGD(), seed=0)
    sweep = Sweep(plan, load_synthetic(), jobs=options.parse_args().jobs)
    sweep._compile(sweep._options)  # before
    running, every = watched(lambda: sweep.run(lambda row: None)).T
    cores = available_processors()
    share = float((running > cores).mean())
    print(f"{cores} processors, {sweep.jobs} nets at a time, threads {sweep.threads} each\n")
    print("| running: median | 95 % | most | share of looks above the processors | all threads |")
    print("|--:|--:|--:|--:|--:|")
    figures = f"{np.median(running):.0f} | {np.quantile(running, 0.95):.0f} | {running.max()} | {share:.1%}"
    print(f"| {figures} | {every.max()} |")
    return int(share >= 0.5)


if __name__ == "__main__":
    sys.exit(main())
