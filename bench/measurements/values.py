"""A value that is measured, the bars that it is to meet, and the verdict."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = [
    "HEADER",
    "MISSED",
    "NOT_MEASURED",
    "NO_BAR",
    "TRIAL",
    "Bar",
    "Case",
    "NotMeasuredError",
    "Reading",
    "Value",
    "at_least",
    "at_most",
]

MISSED, NO_BAR, NOT_MEASURED, TRIAL = "MISSED", "no bar", "not measured", "trial"


class NotMeasuredError(Exception):
    """Why a value cannot be measured on this machine, in one sentence."""


@dataclass(frozen=True)
class Bar:
    """What a value is to reach: the floor is the least that must be, the goal what is aimed at."""

    unit: str
    floor: float | None = None
    goal: float | None = None
    more_is_better: bool = True

    def verdict(self, value: float | None) -> str:
        """Say which bar `value` meets; None is a value that was not measured, and NaN meets none.

        >>> at_most("s", 3.5, 2).verdict(2.1), at_least("times", 3.2, 5).verdict(3.1)
        ('floor', 'MISSED')
        """
        if value is None:
            return NOT_MEASURED
        if self.floor is None:
            return NO_BAR
        for name, bar in (("goal", self.goal), ("floor", self.floor)):
            if bar is not None and (value >= bar if self.more_is_better else value <= bar):
                return name
        return MISSED


def at_least(unit: str, floor: float | None = None, goal: float | None = None) -> Bar:
    """A bar for what should be high."""
    return Bar(unit, floor, goal)


def at_most(unit: str, floor: float | None = None, goal: float | None = None) -> Bar:
    """A bar for what should be low."""
    return Bar(unit, floor, goal, more_is_better=False)


@dataclass(frozen=True)
class Reading:
    """What was measured: a number, what it was made of in words, and the times behind it."""

    value: float
    detail: str = ""
    times: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """One value of a target: what it is of, its bar, and the function that measures it or raises NotMeasuredError."""

    what: str
    bar: Bar
    measure: Callable[[], Reading]


@dataclass(frozen=True)
class Value:
    """A case that is done: its reading or the reason why there is none, and the machine's rate around it.

    The figures of a `trial` mean nothing, so it has no verdict.
    """

    target: str
    case: Case
    reading: Reading | None
    reason: str
    gflops: float
    trial: bool = False

    @property
    def verdict(self) -> str:
        """Which bar is met, if any; neither a trial nor what was not measured ever meets one."""
        if self.trial and self.reading is not None:
            return TRIAL
        return self.case.bar.verdict(None if self.reading is None else self.reading.value)

    def line(self, best_gflops: float = 0.0) -> str:
        """Return the value as a line of the table that `HEADER` begins; `best_gflops` is the machine's best rate."""
        bar, reading = self.case.bar, self.reading
        shown = "-" if reading is None else f"{reading.value:.3g} {bar.unit}"
        floor, goal = ("-" if number is None else f"{number:g}" for number in (bar.floor, bar.goal))
        why = self.reason if reading is None else reading.detail
        verdict = f"{self.verdict}: {why}" if reading is None else self.verdict
        if reading is not None and self.is_disturbed(best_gflops):
            verdict += ", disturbed"
        row = _ROW.format(self.target, self.case.what, shown, floor, goal, f"{self.gflops:.1f}", verdict)
        return row if reading is None or not why else f"{row:{_WIDTH}}  {why}"

    def is_disturbed(self, best_gflops: float) -> bool:
        """Whether the machine gave much less around this value than its best rate."""
        return self.gflops < _DISTURBED * best_gflops

    def record(self) -> dict[str, Any]:
        """Return the value as it stands in the JSON file."""
        bar, reading = self.case.bar, self.reading
        return {
            "target": self.target,
            "what": self.case.what,
            "value": None if reading is None else reading.value,
            "unit": bar.unit,
            "floor": bar.floor,
            "goal": bar.goal,
            "more_is_better": bar.more_is_better,
            "verdict": self.verdict,
            "reason": self.reason,
            "probe_gflops": self.gflops,
            "detail": "" if reading is None else reading.detail,
            "times": {} if reading is None else reading.times,
        }


_ROW = "{:15} {:23} {:>12} {:>6} {:>5} {:>7}  {}"
HEADER = _ROW.format("target", "of", "value", "floor", "goal", "GFLOP/s", "verdict")
_WIDTH = len(_ROW.format("", "", "", "", "", "", f"{MISSED}, disturbed"))
_DISTURBED = 0.8  # of the best rate, as in a comparison
