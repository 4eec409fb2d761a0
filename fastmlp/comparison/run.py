"""One run of a contender, seen from outside: its process is started, given its turns, and ended."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from fastmlp.contenders import CPU_VARIABLES, thread_variables

__all__ = ["ContenderRun", "RunFailedError"]

_FROM_OUTSIDE = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")  # would slow NumPy down, or speed it up, unseen


class RunFailedError(Exception):
    """A run gave no result; the message says why."""


class ContenderRun:
    """The process of a run (`fastmlp.comparison.child`), begun with the first epoch; ended with the context.

    `timeout` is in seconds that the run itself took: the turns of others do not count.
    """

    def __init__(self, spec: Mapping[str, Any], timeout: float) -> None:
        self._spec, self._timeout = spec, timeout
        self._seconds = 0.0
        self._process: subprocess.Popen[str] | None = None
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the context

    def __enter__(self) -> ContenderRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            _kill(self._process)
            with contextlib.suppress(BrokenPipeError):
                self._process.__exit__(kind, error, trace)
        self._stderr.close()

    def epoch(self) -> dict[str, Any] | None:
        """Let the run do its next epoch, the first one with all that comes before; return the result after the last.

        Raises `RunFailedError` with a sentence when the process ends before, or has used up its time.
        """
        line = "\n"
        if self._process is None:
            self._process = self._start()
            line = json.dumps(self._spec) + "\n"
        process, timed_out = self._process, threading.Event()
        assert process.stdin is not None and process.stdout is not None

        def give_up() -> None:
            timed_out.set()
            _kill(process)

        start = time.monotonic()
        timer = threading.Timer(min(max(self._timeout - self._seconds, 0), threading.TIMEOUT_MAX), give_up)
        try:
            timer.start()
            with contextlib.suppress(BrokenPipeError):
                process.stdin.write(line)
                process.stdin.flush()
            told = process.stdout.readline()
            if told.endswith("}\n"):
                result: dict[str, Any] | None = json.loads(told).get("result")
                if result is not None:
                    _kill(process)  # some libraries take their time to go, or fall over
                    process.wait()  # the system's tidying up is not to fall into the next net's epoch
                return result
            process.wait()
        finally:
            timer.cancel()
            self._seconds += time.monotonic() - start
        if timed_out.is_set():
            raise RunFailedError(f"it was given up after {self._timeout:g} s; --timeout sets another limit")
        self._stderr.seek(0)
        raise RunFailedError(_last_words(self._stderr.read().decode(errors="replace"), process.returncode))

    def _start(self) -> subprocess.Popen[str]:
        environment = {name: value for name, value in os.environ.items() if name not in _FROM_OUTSIDE}
        environment |= CPU_VARIABLES | thread_variables(self._spec["threads"])
        return subprocess.Popen(
            [sys.executable, "-m", "fastmlp.comparison.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            cwd=Path(__file__).parents[2],  # this fastmlp, and nothing that lies where the user happens to be
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends that one
            encoding="utf-8",
        )


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process that is still there, and those that it has started."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _last_words(stderr: str, code: int) -> str:
    """Why a process ended, as a sentence: the last line that it wrote, or else the signal or the exit code."""
    if code < 0:
        return f"its process was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return f"its process ended with exit code {code} and without a word"
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", " ".join(lines[-1].split()))  # the modules of an exception say nothing
