"""Ctrl-C, held back while something is done that must be done whole.

Python raises KeyboardInterrupt in the main thread between any two of its instructions, also in the midst of what puts
things right after an earlier one. Only there where no handler raises can a piece of code be whole, however often
somebody presses Ctrl-C.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

__all__ = ["HeldBack"]


class HeldBack:
    """In its block Ctrl-C raises nothing but calls `stop`; at the end of the block is raised what it would have raised.

    While the block runs, the handler of SIGINT is another: what it calls is the one that was there before, which is
    there again after. In any other thread than the main one, where Python never raises KeyboardInterrupt, and where
    SIGINT has no handler that Python could call, the block is like any other. Blocks may be nested: the inner one
    raises at its end, within the outer one.

    >>> done = []
    >>> try:
    ...     with HeldBack():
    ...         signal.raise_signal(signal.SIGINT)
    ...         done.append("the whole block")
    ... except KeyboardInterrupt:
    ...     done
    ['the whole block']
    """

    def __init__(self, stop: Callable[[], object] = lambda: None) -> None:
        self._stop = stop
        self._before: Any = None  # the handler to put back
        self._raising: Callable[[int, FrameType | None], object] | None = None  # the one that is no block's
        self._held: BaseException | None = None

    def __enter__(self) -> HeldBack:
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                self._raising = before._raising if isinstance(before, HeldBack) else before
                signal.signal(signal.SIGINT, self)  # the last thing to be done: nothing is raised from here on
        return self

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal: a handler that raises is remembered with the first that it raised."""
        try:
            assert self._raising is not None
            self._raising(number, frame)
        except BaseException as error:  # noqa: BLE001  (raised at the end of the block)
            self._held = self._held or error
            self._stop()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)  # what comes now is raised at once: the block is done
        held, self._held = self._held, None
        if held is not None:
            raise held
