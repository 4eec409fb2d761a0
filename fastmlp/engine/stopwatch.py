"""The stopwatch of a training: seconds by what they were spent on."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Stopwatch"]


class Stopwatch:
    """Adds up the seconds that were spent on each activity ("compile", "pack", "train").

    >>> watch = Stopwatch()
    >>> with watch.on("pack"):
    ...     pass
    >>> watch.seconds["pack"] >= 0, watch.seconds["compile"]
    (True, 0.0)
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def on(self, activity: str) -> Iterator[None]:
        """Count the seconds of the block for `activity`."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[activity] += time.perf_counter() - start
