"""Callbacks that watch a training from its beginning to its end, however it ends."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from fastmlp.engine.history import History
from fastmlp.kernels.interrupts import HeldBack

__all__ = ["Watched", "Watcher"]


class Watcher:
    """A callback of `fit` that is also told when the training begins, and when it ends."""

    def start(self, epochs: int, samples: int, done: int = 0) -> None:
        """Begin: there are to be so many `epochs` in all, of so many samples each; so many are `done` already."""

    def __call__(self, epoch: int, history: History) -> bool | None:
        """An epoch has ended: what any callback is called with."""

    def stop(self) -> None:
        """End: all epochs are done, a callback ended it, or an error or Ctrl-C did. There may have been no epoch."""


class Watched:
    """In its block a training is under way: a callback that is a `Watcher` is told of the beginning and the end."""

    def __init__(
        self, callback: Callable[[int, History], object] | None, epochs: int, samples: int, done: int = 0
    ) -> None:
        self._watcher = callback if isinstance(callback, Watcher) else None
        self._told = epochs, samples, done

    def __enter__(self) -> None:
        if self._watcher is not None:
            try:
                self._watcher.start(*self._told)
            except BaseException:
                self.__exit__(None, None, None)
                raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            with HeldBack():  # Ctrl-C again must not leave a terminal without its cursor
                self._watcher.stop()
