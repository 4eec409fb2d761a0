"""Ctrl-C while a command runs: several presses count as one, and none is lost."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

__all__ = ["each_press_counted_once"]

_ONE_PRESS = 0.5  # seconds in which several Ctrl-C count as one
_AGAIN = 0.05  # seconds until one that was lost is tried again


@contextmanager
def each_press_counted_once() -> Iterator[None]:
    """Let several Ctrl-C within half a second count as one, while the first is being dealt with.

    Python loses a KeyboardInterrupt that it raises in an object's `__del__`, that of a `Popen` for example: such a one
    is raised again soon after.
    """
    before, unraisable = signal.getsignal(signal.SIGINT), sys.unraisablehook
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    last = -_ONE_PRESS

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _ONE_PRESS:
            last = now
            signal.default_int_handler(number, frame)

    def try_again(lost: Any) -> None:
        nonlocal last
        if not issubclass(lost.exc_type, KeyboardInterrupt):
            unraisable(lost)
            return
        last = -_ONE_PRESS
        threading.Timer(_AGAIN, _thread.interrupt_main).start()  # not at once: it would be lost here too

    signal.signal(signal.SIGINT, interrupt)
    sys.unraisablehook = try_again
    try:
        yield
    finally:
        sys.unraisablehook = unraisable
        signal.signal(signal.SIGINT, before)
