"""The results of a comparison: what is computed from its runs.

A row is one net at one hidden size: medians over its repeats, and under `spread` the intervals that will contain the
values of one more repeat, in all rows at once with a probability of 95 %. Its `ratio` is the net's training time over
ours: the median over the epochs of a round, in which the nets take turns (`ratios`), and then over the rounds. An epoch
in which the machine stalled does not move it.
"""

from __future__ import annotations

import contextlib
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from fastmlp import __version__
from fastmlp.comparison.intervals import intervals
from fastmlp.contenders import MODULES

__all__ = ["ACCURACIES", "PARITY", "add_spread", "make_row", "seconds_to"]

PARITY = 1e-3
"""A net is ranked only if its mean loss over the first epoch differs from ours by no more than this, relative."""
ACCURACIES = ("0.95", "0.97", "0.975")
"""Test accuracies for which the training seconds until they are first reached are reported."""

_DISTRIBUTIONS = {"sklearn": ("scikit-learn",), "tensorflow": ("tensorflow", "tensorflow-cpu")}  # else as imported
_MEDIANS = (
    "train_seconds",
    "compile_seconds",
    "import_seconds",
    "test_accuracy",
    "test_loss",
    "train_accuracy",
    "train_loss",
)

# The values that get an interval, and how to take one of each repeat from a row.
_SPREAD: dict[str, Callable[[Mapping[str, Any]], list[float]]] = {
    "train_seconds": lambda row: [run["train_seconds"] for run in row["repeats"]],
    "epoch_seconds": lambda row: [statistics.median(run["history"]["seconds"]) for run in row["repeats"]],
    "ratio": lambda row: row["ratios"] if row["net"] != "fastmlp" else [],
}


def make_row(
    net: str, our_loss: float, repeats: Sequence[Mapping[str, Any]], rounds: Sequence[Mapping[str, Mapping[str, Any]]]
) -> dict[str, Any]:
    """Return the row of `net` at one hidden size, from its runs `repeats` and the `rounds` that these were part of.

    `our_loss` is our mean loss over the first epoch, in order and from the weights of the first repeat. There is no
    ratio without our own net in a round, nor for a net whose loss differs.
    """
    parity = _parity(repeats[0]["parity_loss"], our_loss)
    ratios = [
        _median_ratio(runs[net]["history"]["seconds"], runs["fastmlp"]["history"]["seconds"])
        for runs in rounds
        if net in runs and "fastmlp" in runs
    ]
    memory = _median([run["peak_memory_bytes"] for run in repeats])
    ranked = bool(ratios) and parity["passed"]
    return {
        "version": _version(net),
        **{name: _median([run[name] for run in repeats]) for name in _MEDIANS},
        "epoch_seconds": _median([seconds for run in repeats for seconds in run["history"]["seconds"]]),
        "peak_memory_bytes": None if memory is None else round(memory),
        "ratio": statistics.median(ratios) if ranked else None,
        "ratios": ratios if ranked else [],
        "parity": parity,
        "seconds_to_accuracy": {
            accuracy: _median([seconds_to(float(accuracy), run["history"]) for run in repeats])
            for accuracy in ACCURACIES
        },
        "score_seconds": {rows: _median([run["score_seconds"][rows] for run in repeats]) for rows in ("one", "all")},
        "history": repeats[0]["history"],
        "repeats": list(repeats),
    }


def add_spread(rows: Sequence[dict[str, Any]]) -> None:
    """Add under `spread` the intervals of each of a comparison's `rows` that has a result.

    An interval is None for a net without a ratio, for our own ratio, which is always 1, and with single repeats only.
    """
    rows = [row for row in rows if "error" not in row]
    for row in rows:
        row["spread"] = dict.fromkeys(_SPREAD)
    for name, values in _SPREAD.items():
        measured = [row for row in rows if values(row)]
        found: Sequence[list[float] | None] = intervals([values(row) for row in measured]) or [None] * len(measured)
        for row, interval in zip(measured, found, strict=True):
            row["spread"][name] = interval


def _median_ratio(seconds: Sequence[float], ours: Sequence[float]) -> float:
    """The median over the epochs of a net's seconds divided by ours in the same epoch."""
    return statistics.median(its / our for its, our in zip(seconds, ours, strict=True))


def _parity(loss: float | None, ours: float) -> dict[str, Any]:
    """How far `loss` is from our mean loss over the first epoch, and whether that is close enough."""
    if loss is None or not math.isfinite(ours):
        return {"loss": loss, "relative": None, "passed": False}
    relative = abs(loss - ours) / abs(ours) if ours else abs(loss)
    return {"loss": loss, "relative": relative, "passed": relative <= PARITY}


def _median(values: Sequence[float | None]) -> float | None:
    """The median, with None above all numbers."""
    median = statistics.median(math.inf if value is None else value for value in values)
    return median if math.isfinite(median) else None


def seconds_to(accuracy: float, history: Mapping[str, Sequence[float]]) -> float | None:
    """Return the training seconds until a test accuracy was first reached, at the end of an epoch; None if it was not.

    >>> seconds_to(0.97, {"seconds": [0.5, 0.25, 0.25], "val_accuracy": [0.96, 0.97, 0.98]})
    0.75
    """
    total = 0.0
    for seconds, reached in zip(history["seconds"], history["val_accuracy"], strict=True):
        total += seconds
        if reached >= accuracy:
            return total
    return None


def _version(net: str) -> str:
    """The versions of the libraries behind a net."""
    found = [f"fastmlp {__version__}"] if net == "fastmlp" else []
    for library in MODULES[net].needs if net in MODULES else ():
        for distribution in _DISTRIBUTIONS.get(library, (library,)):
            with contextlib.suppress(PackageNotFoundError):
                found.append(f"{distribution} {version(distribution)}")
    return ", ".join(found)
