"""When each net first reached a test accuracy: seconds of training, and how sure they are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastmlp.comparison.intervals import intervals
from fastmlp.comparison.results import ACCURACIES, seconds_to

__all__ = ["Reached", "accuracy_to_reach", "reached"]

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Reached:
    """How a net did at the hidden size at which it was best.

    `seconds` is the median over its `repeats`, `interval` that for one more, None where there are no two repeats. Where
    not every repeat reached the accuracy, `seconds` is None, `n_reached` of them did, and `highest` is the highest
    accuracy of any epoch. `start` is what import and first call take.
    """

    net: str
    hidden_size: int
    seconds: float | None
    interval: list[float] | None
    start: float
    n_reached: int
    repeats: int
    highest: float


def accuracy_to_reach(results: Results) -> str:
    """Return the highest of `ACCURACIES` that any net reached in each repeat; the lowest where there is none."""
    for accuracy in sorted(ACCURACIES, key=float, reverse=True):
        if any(one.seconds is not None for one in reached(results, accuracy)):
            return accuracy
    return min(ACCURACIES, key=float)


def reached(results: Results, accuracy: str) -> list[Reached]:
    """Return when each net reached a test accuracy, each at its best hidden size, the quickest first.

    Those that did not reach it in each repeat come last. The intervals hold for all nets and hidden sizes at once, so
    also for the best ones. Left out are nets without a result, and those that compute something else: they failed the
    parity check.
    """
    rows = [row for row in results["results"] if "error" not in row and row["parity"]["passed"]]
    times = [[seconds_to(float(accuracy), run["history"]) for run in row["repeats"]] for row in rows]
    whole = [k for k, of_row in enumerate(times) if None not in of_row]
    found = intervals([[seconds for seconds in times[k] if seconds is not None] for k in whole]) if whole else None
    interval_of: dict[int, list[float] | None] = dict.fromkeys(whole)
    interval_of |= dict(zip(whole, found or [], strict=False))
    best: dict[str, Reached] = {}
    for k, (row, of_row) in enumerate(zip(rows, times, strict=True)):
        done = [seconds for seconds in of_row if seconds is not None]
        one = Reached(
            net=row["net"],
            hidden_size=row["hidden_size"],
            seconds=statistics.median(done) if k in interval_of else None,
            interval=interval_of.get(k),
            start=row["import_seconds"] + row["compile_seconds"],
            n_reached=len(done),
            repeats=len(of_row),
            highest=max(max(run["history"]["val_accuracy"]) for run in row["repeats"]),
        )
        if one.net not in best or _rank(one) < _rank(best[one.net]):
            best[one.net] = one
    return sorted(best.values(), key=_rank)


def _rank(one: Reached) -> tuple[bool, float, float]:
    """The order of what was reached: by seconds, and where it was not in each repeat, by how near it came."""
    if one.seconds is not None:
        return False, one.seconds, 0.0
    return True, -one.n_reached / one.repeats, -one.highest
