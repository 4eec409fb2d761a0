"""The rule by which a benchmark counts as slower: arithmetic on the times of pairs of processes, and nothing else.

Each process yields one number for a benchmark, its fastest round. A disturbance can only make a process slower, but it
can last as long as the process and be as large as the slowdown that is looked for (a neighbour on the same core). So
the fastest process of each side is compared, and the second fastest shows whether that was luck.
"""

from typing import NamedTuple

SUSPECT = 1.05  # a benchmark is measured again if either ratio reaches this
SLOWER = 1.15  # it is slower if the ratio of the fastest reaches this (half way between no change and 1.3) ...
AGREES = 1.05  # ... and the ratio of the second fastest this


class Times(NamedTuple):
    """The seconds of one benchmark in the processes of each side."""

    base: tuple[float, ...]
    head: tuple[float, ...]

    def and_a_pair(self, base: float, head: float) -> "Times":
        """These times and those of one more pair of processes."""
        return Times((*self.base, base), (*self.head, head))

    @property
    def ratio(self) -> float:
        """HEAD / BASE, the fastest of each: one quiet process on each side is enough.

        >>> Times((1.0, 2.0, 2.0), (2.4, 2.4, 1.2)).ratio
        1.2
        """
        return min(self.head) / min(self.base)

    @property
    def second_ratio(self) -> float:
        """HEAD / BASE, the second fastest of each: a single lucky process does not move it.

        >>> Times((1.0, 0.5, 1.0), (1.2, 1.2, 1.2)).second_ratio
        1.2
        """
        return sorted(self.head)[:2][-1] / sorted(self.base)[:2][-1]


def is_suspect(times: Times) -> bool:
    """Whether a benchmark looks slower by either ratio and should be measured again."""
    return max(times.ratio, times.second_ratio) >= SUSPECT


def is_slower(times: Times) -> bool:
    """Whether a benchmark is slower by the fastest process of each side, and the second fastest agrees."""
    return times.ratio >= SLOWER and times.second_ratio >= AGREES


def is_faster(times: Times) -> bool:
    """Whether a benchmark is faster by the same factors."""
    return times.ratio <= 1 / SLOWER and times.second_ratio <= 1 / AGREES
