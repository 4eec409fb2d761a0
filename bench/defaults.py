"""Are FastMLPClassifier's defaults good? Accuracy and time against MLPClassifier's, by repeated cross-validation.

    python bench/defaults.py [--repeats 4] [--only iris,wine]

Both nets are trained on the same folds with their default settings and the same random state, and print a Markdown
table: the mean accuracy on the held-out fifths with its 95 % interval, the difference in points with its own, and the
median seconds of a fit. Folds share their training data, so that the intervals take the corrected variance of Nadeau
and Bengio (2003): (1/folds + test rows/training rows) times the variance. Whoever changes a default chooses by the
sets called "tuning" and claims by those called "report". Exits with 1 where one of the latter is more than a point
below MLPClassifier.
"""

import argparse
import functools
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastmlp import FastMLPClassifier, load_synthetic
from fastmlp.machine import available_processors

FOLDS = 5
MANY_ROWS = 1000  # from which one repeat takes long enough, and says enough
MOST_BELOW = 1.0  # points


@dataclass(frozen=True)
class Data:
    """A set of data: its name, whether defaults may be chosen by it, how to get it, and whether it is standardised."""

    name: str
    use: str  # "tuning" or "report"
    load: Callable[[], tuple[np.ndarray, np.ndarray]]
    standardised: bool = False


def bundled(name: str, use: str, load: Callable[..., tuple[np.ndarray, np.ndarray]]) -> list[Data]:
    """One of scikit-learn's own sets, raw and standardised; both have the same use."""
    get = functools.partial(load, return_X_y=True)
    return [Data(f"{name}, raw", use, get), Data(f"{name}, standardised", use, get, standardised=True)]


def made(name: str, use: str, **shape: object) -> Data:
    return Data(name, use, functools.partial(make_classification, **{"random_state": 0} | shape))


def synthetic_digits() -> tuple[np.ndarray, np.ndarray]:
    data = load_synthetic()
    return data.x_train[:2000], data.y_train[:2000]


SETS = [
    *bundled("wine", "tuning", load_wine),
    *bundled("digits 8 x 8", "tuning", load_digits),
    made("made, 5 columns", "tuning", n_samples=300, n_features=5, n_informative=3, n_redundant=1),
    made("made, 200 columns", "tuning", n_samples=400, n_features=200, n_informative=10),
    *bundled("iris", "report", load_iris),
    *bundled("breast cancer", "report", load_breast_cancer),
    made("made, 8 classes", "report", n_samples=1500, n_features=30, n_informative=15, n_classes=8),
    made("made, 9 to 1", "report", n_samples=600, n_features=20, weights=[0.9], flip_y=0.02),
    Data("synthetic digits 28 x 28", "report", synthetic_digits),
]


@dataclass(frozen=True)
class Mean:
    """A mean over folds and half the width of its 95 % interval."""

    value: float
    half: float

    @classmethod
    def of(cls, values: np.ndarray) -> "Mean":
        variance = (1 / len(values) + 1 / (FOLDS - 1)) * values.var(ddof=1)
        return cls(float(values.mean()), float(student.ppf(0.975, len(values) - 1) * np.sqrt(variance)))

    def __str__(self) -> str:
        return f"{self.value:.2f} ± {self.half:.2f}"


def measure(data: Data, repeats: int) -> tuple[str, float]:
    """The row of one set, and how many points ours is above MLPClassifier."""
    X, y = data.load()
    repeats = repeats if len(y) < MANY_ROWS else max(1, repeats // 4)
    folds = RepeatedStratifiedKFold(n_splits=FOLDS, n_repeats=repeats, random_state=0)
    accuracy: list[list[float]] = []
    seconds: list[list[float]] = []
    for fold, (train, test) in enumerate(folds.split(X, y)):
        results = []
        for kind in (FastMLPClassifier, MLPClassifier):
            model = kind(random_state=fold)
            if data.standardised:
                model = make_pipeline(StandardScaler(), model)
            start = time.perf_counter()
            model.fit(X[train], y[train])
            results.append((100 * model.score(X[test], y[test]), time.perf_counter() - start))
        accuracy.append([each[0] for each in results])
        seconds.append([each[1] for each in results])
    ours, theirs = np.array(accuracy).T
    difference = Mean.of(ours - theirs)
    our_time, their_time = np.median(seconds, axis=0)
    row = (
        f"| {data.use} | {data.name} | {len(y)} x {X.shape[1]}, {len(np.unique(y))} | "
        f"{Mean.of(ours)} | {Mean.of(theirs)} | "
        f"{difference.value:+.2f} ± {difference.half:.2f} | {our_time:.2f} | {their_time:.2f} | "
        f"{their_time / our_time:.1f} |"
    )
    return row, difference.value


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("--repeats", type=int, default=4, help="of the cross-validation; large sets get a quarter")
    options.add_argument("--only", default="", help="parts of the names of sets, with commas between")
    given = options.parse_args()
    parts = given.only.split(",")
    sets = [data for data in SETS if any(part in data.name for part in parts)]
    warnings.simplefilter("ignore", ConvergenceWarning)
    X, y = load_iris(return_X_y=True)
    FastMLPClassifier(max_iter=2).fit(X, y).predict(X)  # compiled before
    print(f"{available_processors()} processors, {FOLDS} folds, {given.repeats} repeats\n")
    print("| use | data | rows x columns, classes | ours, % | MLPClassifier's, % | difference | s | its s | / |")
    print("|---|---|---|---|---|---|--:|--:|--:|")
    below = []
    for data in sets:
        row, difference = measure(data, given.repeats)
        print(row, flush=True)
        if data.use == "report" and difference < -MOST_BELOW:
            below.append(data.name)
    print(f"\nMore than {MOST_BELOW:g} point below MLPClassifier: {', '.join(below) or 'none'}")
    return bool(below)


if __name__ == "__main__":
    sys.exit(main())
