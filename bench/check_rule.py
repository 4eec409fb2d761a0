"""When a benchmark has become slower: arithmetic on the times of pairs of processes, and nothing else.

A process gives each benchmark one number, the fastest of its rounds. What disturbs it only ever makes it slower, often
for as long as it lives and by as much as what is looked for (a neighbour on the same core). So the fastest process of
each side is compared, and the second fastest tells whether that was luck.
"""

from typing import NamedTuple

SUSPECT = 1.05  # by either: measured again
SLOWER = 1.15  # the fastest: half way between no change and 1.3
AGREES = 1.05  # the second fastest


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
    """Whether a benchmark looks slower in either way, so that it is worth more pairs."""
    return max(times.ratio, times.second_ratio) >= SUSPECT


def is_slower(times: Times) -> bool:
    """Whether a benchmark is slower by the fastest of each side, and the second fastest agree."""
    return times.ratio >= SLOWER and times.second_ratio >= AGREES


def is_faster(times: Times) -> bool:
    """Whether a benchmark is faster, by as much."""
    return times.ratio <= 1 / SLOWER and times.second_ratio <= 1 / AGREES
