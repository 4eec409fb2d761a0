"""How far a measured time can be trusted: the 95 % interval for one more repeat."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache

__all__ = ["interval", "interval_of_medians", "t_quantile"]


def interval(values: Sequence[float], least: float = 0.0) -> list[float] | None:
    """Return the 95 % interval for one more value like these positive `values`, by Student's t on their logarithms.

    With n logarithms of mean m and standard deviation s it is exp(m -+ t s sqrt(1 + 1/n)): wider than that of the
    centre, since it is to hold what another run of the same thing gives. None for fewer than two. Two or three values
    may be near each other by chance: s is taken to be `least` at least.
    (G. J. Hahn and W. Q. Meeker, Statistical Intervals, 1991, section 4.7.)

    >>> [round(bound, 3) for bound in interval([1.0, 1.1, 1.2])]
    [0.697, 1.726]
    """
    if len(values) < 2 or min(values) <= 0:
        return None
    logs = [math.log(value) for value in values]
    half = t_quantile(len(logs) - 1) * max(statistics.stdev(logs), least) * math.sqrt(1 + 1 / len(logs))
    mean = statistics.fmean(logs)
    return [math.exp(mean - half), math.exp(mean + half)]


def interval_of_medians(groups: Sequence[Sequence[float]]) -> list[float] | None:
    """Return the `interval` of the medians of `groups`, not narrower than the scatter within the groups allows.

    The standard error of the median of n logarithms with interquartile range R is 1.25 R / (1.35 sqrt(n)).
    (R. McGill, J. W. Tukey and W. A. Larsen, Variations of box plots, The American Statistician 32, 1978.)

    >>> interval_of_medians([[1.0, 1.0], [1.0, 1.0]])
    [1.0, 1.0]
    >>> [round(bound, 2) for bound in interval_of_medians([[1.0, 1.1, 1.2], [1.0, 1.1, 1.2]])]
    [0.52, 2.35]
    """
    errors = []
    for group in groups:
        if len(group) > 1 and min(group) > 0:
            low, _, high = statistics.quantiles(map(math.log, group), n=4, method="inclusive")
            errors.append(1.25 * (high - low) / (1.35 * math.sqrt(len(group))))
    least = math.sqrt(statistics.fmean(error**2 for error in errors)) if errors else 0.0
    return interval([statistics.median(group) for group in groups], least)


@cache
def t_quantile(freedom: int, probability: float = 0.95) -> float:
    """Return t with P(-t < T < t) = probability, T of Student's distribution with `freedom` >= 1 degrees of freedom.

    >>> round(t_quantile(1), 3), round(t_quantile(2), 3), round(t_quantile(30), 3)
    (12.706, 4.303, 2.042)
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _t_within(angle, freedom) < probability else (low, angle)
    return math.tan(low) * math.sqrt(freedom)


def _t_within(angle: float, freedom: int) -> float:
    """P(-t < T < t) for t = sqrt(freedom) tan(angle): the finite series of Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= cosine**2 * (k - 1) / k
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
