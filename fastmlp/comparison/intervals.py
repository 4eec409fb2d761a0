"""How far measured times can be trusted: intervals that will contain one more repeat of each."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import cache

__all__ = ["intervals", "t_quantile"]


def intervals(groups: Sequence[Sequence[float]]) -> list[list[float]] | None:
    """Return for each group of positive values an interval for one more; together they hold with a probability of 95 %.

    The standard deviation s of the logarithms is pooled over all groups, with f degrees of freedom, because two or
    three values alone may be close to each other or far apart by chance. For n values whose logarithms have the mean m,
    the interval is exp(m -+ t s sqrt(1 + 1/n)), where Student's t with f degrees of freedom is beyond +-t with a
    probability of 0.05 / k, for k groups. None where no group has a second value.
    (G. J. Hahn and W. Q. Meeker, Statistical Intervals, 1991, section 4.7; for all groups at once, Bonferroni's
    inequality.)

    >>> [[round(bound, 3) for bound in interval] for interval in intervals([[1.0, 1.1, 1.2]])]
    [[0.697, 1.726]]
    >>> [[round(bound, 3) for bound in interval] for interval in intervals([[1.0, 1.1, 1.2], [2.0, 2.0, 2.0]])]
    [[0.846, 1.423], [1.542, 2.595]]
    """
    logs = [[math.log(value) for value in group] for group in groups]
    freedom = sum(len(group) - 1 for group in logs)
    if freedom == 0:
        return None
    means = [statistics.fmean(group) for group in logs]
    squares = sum((value - mean) ** 2 for group, mean in zip(logs, means, strict=True) for value in group)
    ts = t_quantile(freedom, 1 - 0.05 / len(logs)) * math.sqrt(squares / freedom)
    halves = [ts * math.sqrt(1 + 1 / len(group)) for group in logs]
    return [[math.exp(mean - half), math.exp(mean + half)] for mean, half in zip(means, halves, strict=True)]


@cache
def t_quantile(freedom: int, probability: float = 0.95) -> float:
    """Return t with P(-t < T < t) = probability, where T has Student's distribution.

    `freedom` is its number of degrees of freedom, at least 1.

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
