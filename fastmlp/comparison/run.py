"""One run of a contender, seen from outside: its process is started, given its turns, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from fastmlp.comparison.spec import RunSpec
from fastmlp.machine import environment_for

__all__ = ["ContenderRun", "RunFailedError"]

_LOOK_SECONDS = 0.1  # how often a process that says nothing is looked at
_EXIT_SECONDS = 5.0  # for a process that has closed its pipe to say with what code it ends


class RunFailedError(Exception):
    """A run gave no result; the message says why."""


class ContenderRun:
    """The process of a run (`fastmlp.comparison.child`): it starts with the first epoch and ends with the context.

    The processes that it has started end with it. `timeout` is in seconds that the run itself took; the turns of others
    do not count. It is also ended, within an epoch too, once `is_stopped` says so.

    `said` is what the process has said last, see `fastmlp.comparison.child`.
    """

    def __init__(self, spec: RunSpec, timeout: float, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._spec, self._timeout, self._is_stopped = spec, timeout, is_stopped
        self.said: dict[str, Any] = {}
        self._seconds = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()  # that the process wrote, and "" at the end
        self._ended = False
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the context

    def __enter__(self) -> ContenderRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._end(self._process)
            with contextlib.suppress(BrokenPipeError):
                self._process.__exit__(kind, error, trace)
        self._stderr.close()

    def epoch(self) -> dict[str, Any] | None:
        """Let the run do its next epoch, the first one with everything before it; return the result after the last.

        Raises RunFailedError, with a sentence, where the process ends early or has used up its time.
        """
        start, line = time.monotonic(), "\n"
        try:
            if self._process is None:
                self._process = self._start()
                line = json.dumps(asdict(self._spec)) + "\n"
            process = self._process
            assert process.stdin is not None
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(line)
                process.stdin.flush()
            line = self._next_line(process, start + self._timeout - self._seconds)
        finally:
            self._seconds += time.monotonic() - start
        if line.endswith("}\n"):
            self.said = json.loads(line)
            if "error" in self.said:
                raise RunFailedError(" ".join(self.said["error"].split()))
            result: dict[str, Any] | None = self.said.get("result")
            if result is not None:
                # Some libraries are slow to exit, or crash on the way, which must not fall into the next net's epoch.
                self._end(process)
            return result
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_EXIT_SECONDS)
        self._end(process)
        self._stderr.seek(0)
        raise RunFailedError(_last_words(self._stderr.read().decode(errors="replace"), process.returncode))

    def _start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "fastmlp.comparison.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment_for(self._spec.threads),
            cwd=Path(__file__).parents[2],  # so that this fastmlp is imported, and nothing from the user's folder
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends the other
            encoding="utf-8",
        )
        assert process.stdout is not None
        # The thread has a descriptor of its own, which it may still read when the pipe is closed here.
        arguments = os.dup(process.stdout.fileno()), self._lines
        threading.Thread(target=_read_lines, args=arguments, daemon=True).start()
        return process

    def _next_line(self, process: subprocess.Popen[str], deadline: float) -> str:
        """Return the next line that the process writes, or "" where it has ended.

        Raises RunFailedError after the deadline, and where the run is stopped.

        The end of the pipe is not waited for: processes that it has started may hold it open after its own end.
        """
        while True:
            try:
                return self._lines.get(timeout=min(_LOOK_SECONDS, max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                if self._ended:
                    return ""
                if process.poll() is not None:
                    self._end(process)  # and look once more for what it wrote last
                elif self._is_stopped():
                    self._end(process)
                    raise RunFailedError("it was stopped") from None
                elif time.monotonic() >= deadline:
                    self._end(process)
                    raise RunFailedError(
                        f"it was stopped after {self._timeout:g} s; --timeout sets another limit"
                    ) from None

    def _end(self, process: subprocess.Popen[str]) -> None:
        """End the process and those that it has started, once: later its number may be another's."""
        if self._ended:
            return
        self._ended = True
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()


def _read_lines(descriptor: int, lines: queue.SimpleQueue[str]) -> None:
    """Put each line that is written to a pipe, and "" at its end, into `lines`."""
    with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
        for line in file:
            lines.put(line)
    lines.put("")


def _last_words(stderr: str, code: int) -> str:
    """Return why a process ended, as a sentence: the last line that it wrote, or else the signal or exit code."""
    if code < 0:
        return f"its process was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return f"its process ended with exit code {code} and printed nothing"
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", " ".join(lines[-1].split()))  # without the modules of an exception
