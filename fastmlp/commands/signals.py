"""Signals while a command runs: Ctrl-C, requests to end, a closed terminal. None of them is lost.

What a handler raises in an object's `__del__`, that of a `Popen` for example, Python only reports; it is raised again
soon after.
"""

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

__all__ = ["each_press_counted_once", "ended_tidily"]

_ONE_PRESS = 0.5  # seconds in which several Ctrl-C count as one
_AGAIN = 0.05  # seconds until one that was lost is tried again


class _Ended(SystemExit):
    """A request to end, by the signal of this number; the exit code is the shell's for it."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number


@contextmanager
def each_press_counted_once(afterwards: signal.Handlers | None = None) -> Iterator[None]:
    """Let several Ctrl-C within half a second count as one, while the first is being dealt with.

    `afterwards` is what they do then; by default what they did before.
    """
    before = signal.getsignal(signal.SIGINT)
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

    def forget() -> None:
        nonlocal last
        last = -_ONE_PRESS

    signal.signal(signal.SIGINT, interrupt)
    try:
        with _none_lost(forget):
            yield
    finally:
        signal.signal(signal.SIGINT, before if afterwards is None else afterwards)


@contextmanager
def ended_tidily() -> Iterator[None]:
    """Let a request to end (SIGTERM), or a closed terminal (SIGHUP), end processes and temporary files too.

    For the time of `each_press_counted_once`, which sees to it that none is lost.
    """

    def end(number: int, _frame: FrameType | None) -> None:
        raise _Ended(number)

    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    ending = [
        number for number in (getattr(signal, name) for name in names) if signal.getsignal(number) == signal.SIG_DFL
    ]
    for number in ending:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in ending:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _none_lost(forget_press: Any) -> Iterator[None]:
    """Raise again what a handler raised where Python could only report it; `forget_press` lets Ctrl-C count anew."""
    report = sys.unraisablehook

    def try_again(lost: Any) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            number = int(signal.SIGINT)
            forget_press()
        elif isinstance(lost.exc_value, _Ended):
            number = lost.exc_value.number
        else:
            report(lost)
            return
        threading.Timer(_AGAIN, _thread.interrupt_main, (number,)).start()  # not at once: it would be lost here too

    sys.unraisablehook = try_again
    try:
        yield
    finally:
        sys.unraisablehook = report
