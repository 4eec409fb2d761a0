"""How many threads train, and for how long before that is looked at again.

A batch ends when the last thread has done its part. Beside other busy programs the system keeps one thread or another
from running for some milliseconds, and all wait for it; fewer threads, or one, then get further. No result depends on
the number of threads, so it may change at the end of any batch.
"""

from __future__ import annotations

import math

__all__ = ["Pace"]

_STRETCH_SECONDS = 0.1  # of training before the threads are looked at; to start them again takes 0.1 ms
_LEAST_SECONDS = 0.02  # a shorter one says little
_LEAST_BATCHES = 32
_QUICK_SECONDS = 0.001  # of work: less is done before other threads have begun
_RUNNING = 0.85  # of the time: threads that ran for less were kept from running
_PATIENCE = 5  # stretches before another number of threads is tried


class Pace:
    """The number of threads, from 1 to `most`, that is fastest at the moment, found by trying.

    >>> pace = Pace(2)
    >>> pace.record(1000, seconds=0.1, running_seconds=0.1)  # of the 0.2 that two threads could have run
    >>> pace.threads  # tries one
    1
    >>> pace.record(900, seconds=0.1, running_seconds=0.1)
    >>> pace.threads  # which was slower
    2
    """

    def __init__(self, most: int) -> None:
        self.threads = most
        self._most = most
        self._speed = 0.0  # samples a second in the last stretch
        self._work = math.inf  # seconds a sample took in it, of all threads together
        self._rival: tuple[int, float] | None = None  # threads and speed before a trial, while it lasts
        self._until_trial = 0

    def stretch(self, left: int, batch_size: int) -> int:
        """Return how many samples of those that are left to train before the next `record`: whole batches, or all."""
        batches = max(_LEAST_BATCHES, round(self._speed * _STRETCH_SECONDS / batch_size))
        return left if left < 1.5 * batches * batch_size else batches * batch_size

    def is_quick(self, samples: int) -> bool:
        """Return whether so many samples are trained sooner than threads are started for them."""
        return samples * self._work < _QUICK_SECONDS

    def record(self, samples: int, seconds: float, running_seconds: float) -> None:
        """Take note of a stretch of training: what it took, and for how long its threads ran, all together."""
        self._speed, self._work = samples / seconds, running_seconds / samples
        if seconds < _LEAST_SECONDS:
            return
        held_up = running_seconds < _RUNNING * seconds * self.threads
        if self._rival is not None:
            threads, speed = self._rival
            if speed >= self._speed:
                self.threads = threads
            self._rival, self._until_trial = None, _PATIENCE
            return
        self._until_trial -= 1
        if self._until_trial > 0:
            return
        if held_up and self.threads > 1:
            self._try(self.threads // 2)
        elif self.threads < self._most:
            self._try(min(2 * self.threads, self._most))

    def _try(self, threads: int) -> None:
        self._rival, self.threads = (self.threads, self._speed), threads
