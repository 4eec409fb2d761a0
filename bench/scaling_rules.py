"""Test accuracy after each of four rules of scaling, on scikit-learn's data sets and on what may be done to them.

python bench/scaling_rules.py     needs scikit-learn; takes a minute and prints the table in docs/data.md
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets
from sklearn.model_selection import StratifiedShuffleSplit

from fastmlp import DivergenceError, NeuralNetwork
from fastmlp.engine.scaling import Scaling

HIDDEN, EPOCHS, BATCH, LR, DIVISIONS = 30, 60, 32, 0.1, 8
NO_LIMIT = 1e38
Rows = NDArray[np.float64]


def as_it_is(X: Rows) -> Scaling | None:
    """No scaling."""
    return None


def mean_and_deviation(X: Rows) -> Scaling:
    """What StandardScaler does."""
    return without_limit(X.mean(0), X.std(0))


def median_and_quartiles(X: Rows) -> Scaling:
    """What RobustScaler does, with the spread as that of a normal column."""
    low, high = np.quantile(X, [0.25, 0.75], axis=0)
    return without_limit(np.median(X, axis=0), (high - low) / 1.349)


def without_limit(centre: Rows, spread: Rows) -> Scaling:
    """Return the scaling; a spread of 0 becomes 1."""
    return Scaling(np.float32(centre), np.float32(np.where(spread > 0, spread, 1)), NO_LIMIT)


RULES: dict[str, Callable[[Rows], Scaling | None]] = {
    "as it is": as_it_is,
    "mean, deviation": mean_and_deviation,
    "median, quartiles": median_and_quartiles,
    "the rule": Scaling.of,
}


def sets() -> dict[str, tuple[Rows, NDArray[np.int64]]]:
    """Return the data by its name in the table: inputs and classes."""
    found = {}
    for name in ("iris", "wine", "breast_cancer", "digits"):
        data = getattr(datasets, f"load_{name}")()
        found[name.replace("_", " ")] = data.data.astype(float), data.target
    for name, (X, y) in list(found.items()):
        wild = np.random.default_rng(1).random(X.shape) < 0.01
        found[f"{name}, 1 % of the cells times 1000"] = np.where(wild, X * 1000, X), y
    Z, y = datasets.make_classification(2000, 12, n_informative=6, n_classes=3, random_state=0)
    units = np.random.default_rng(2).integers(-3, 4, 12)
    found["normal columns in units from 0.001 to 1000"] = Z * 10.0**units + 100, y
    found["log-normal columns"] = np.exp(Z) * 1000, y
    found["wider log-normal columns"] = np.exp(1.5 * Z), y
    found["cubes of normal columns"] = Z**3, y
    found["columns that are noise near 0, or large"] = noise_or_large()
    found["4 numbers, 3 one-hot of 20 values"] = one_hot()
    return found


def noise_or_large() -> tuple[Rows, NDArray[np.int64]]:
    """Return columns as of a sensor: most values are its noise, the others are what it measures."""
    Z, y = datasets.make_classification(2000, 8, n_informative=6, n_redundant=0, n_classes=3, random_state=3)
    return np.where(Z > 0.3, 10 * Z, 0.01 * np.random.default_rng(5).normal(size=Z.shape)), y


def one_hot() -> tuple[Rows, NDArray[np.int64]]:
    """Return numbers beside one-hot columns, some of which are rare."""
    rng, n = np.random.default_rng(4), 3000
    numbers = rng.normal(size=(n, 4))
    values = [np.minimum(rng.geometric(0.15, n) - 1, 19) for _ in range(3)]
    of_value = sum(rng.normal(size=(20, 3))[value] for value in values)
    y = (of_value + numbers @ rng.normal(size=(4, 3)) + 0.5 * rng.gumbel(size=(n, 3))).argmax(1)
    return np.hstack([numbers * 50 + 7, *(np.eye(20)[value] for value in values)]), y


def accuracy(X: Rows, y: NDArray[np.int64], rule: Callable[[Rows], Scaling | None], seed: int) -> float:
    """Return the accuracy on a quarter of the rows after training on the others; NaN where training diverged."""
    train, test = next(StratifiedShuffleSplit(1, test_size=0.25, random_state=seed).split(X, y))
    net = NeuralNetwork(HIDDEN, LR, input_size=X.shape[1], output_size=int(y.max()) + 1, seed=seed, n_threads=1)
    net.scaling = rule(X[train])
    try:
        net.fit(X[train], y[train], BATCH, EPOCHS)
    except DivergenceError:
        return np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # wild rows may overflow, and count as wrong
        return net.score(X[test], y[test]).accuracy


def main() -> None:
    """Print the table."""
    print(f"| Data | {' | '.join(RULES)} |")
    print("|---" * (len(RULES) + 1) + "|")
    for name, (X, y) in sets().items():
        cells = []
        for rule in RULES.values():
            found = np.array([accuracy(X, y, rule, seed) for seed in range(DIVISIONS)])
            n = int(np.isnan(found).sum())
            cells.append(f"{np.mean(found):.3f}" if not n else "diverges" if n == DIVISIONS else f"diverges {n} times")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
