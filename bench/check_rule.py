"""When a benchmark has become slower: arithmetic on the times of pairs of processes, and nothing else.

A process gives each benchmark one number, the fastest of its rounds: what disturbs a round only ever makes it slower.
A pair is a process with BASE and one with HEAD, which take turns benchmark by benchmark.
"""

import statistics
from typing import NamedTuple

SUSPECT = 1.10  # measured again
SLOWER = 1.15  # fails, where it is confirmed: half way between no change and 1.3


class Times(NamedTuple):
    """The seconds of one benchmark, pair by pair."""

    base: tuple[float, ...]
    head: tuple[float, ...]

    def and_a_pair(self, base: float, head: float) -> "Times":
        """These times and one more pair."""
        return Times((*self.base, base), (*self.head, head))

    @property
    def by_pairs(self) -> float:
        """HEAD / BASE, the median over the pairs: a pair that was disturbed does not move it.

        >>> Times((1.0, 1.0, 1.0), (1.2, 9.0, 1.2)).by_pairs
        1.2
        """
        return statistics.median(head / base for base, head in zip(self.base, self.head, strict=True))

    @property
    def by_best(self) -> float:
        """HEAD / BASE, the fastest of each: one quiet process on each side is enough.

        >>> Times((1.0, 2.0, 2.0), (2.4, 2.4, 1.2)).by_best
        1.2
        """
        return min(self.head) / min(self.base)

    @property
    def ratio(self) -> float:
        """The one of the two that is nearer to no change.

        >>> Times((1.0, 1.0, 1.0), (1.3, 1.3, 1.2)).ratio, Times((1.0, 1.0, 1.0), (0.8, 0.9, 1.1)).ratio
        (1.2, 0.9)
        """
        low, high = sorted((self.by_pairs, self.by_best))
        return low if low > 1 else high if high < 1 else 1.0


def is_suspect(times: Times) -> bool:
    """Whether a first measurement looks slower in either way, so that it is worth a second one."""
    return max(times.by_pairs, times.by_best) >= SUSPECT


def is_slower(times: Times) -> bool:
    """Whether a benchmark is slower in both ways: by the median of the pairs and by the fastest of each side."""
    return times.ratio >= SLOWER


def is_faster(times: Times) -> bool:
    """Whether a benchmark is faster in both ways, by as much."""
    return times.ratio <= 1 / SLOWER
