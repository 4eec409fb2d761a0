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
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from fastmlp.comparison.spec import RunSpec
from fastmlp.machine import environment_for

__all__ = ["ContenderRun", "RunFailedError"]


class RunFailedError(Exception):
    """A run gave no result; the message says why."""


class ContenderRun:
    """The process of a run (`fastmlp.comparison.child`): it starts with the first epoch and ends with the context.

    `timeout` is in seconds that the run itself took; the turns of others do not count.
    """

    def __init__(self, spec: RunSpec, timeout: float) -> None:
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
        """Let the run do its next epoch, the first one with everything before it; return the result after the last.

        Raises RunFailedError, with a sentence, where the process ends early or has used up its time.
        """
        line = "\n"
        if self._process is None:
            self._process = self._start()
            line = json.dumps(asdict(self._spec)) + "\n"
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
            line = process.stdout.readline()
            if line.endswith("}\n"):
                event = json.loads(line)
                if "error" in event:
                    raise RunFailedError(" ".join(event["error"].split()))
                result: dict[str, Any] | None = event.get("result")
                if result is not None:
                    _kill(process)  # some libraries are slow to exit, or crash on the way
                    process.wait()  # the system's cleaning up must not fall into the next net's epoch
                return result
            process.wait()
        finally:
            timer.cancel()
            self._seconds += time.monotonic() - start
        if timed_out.is_set():
            raise RunFailedError(f"it was stopped after {self._timeout:g} s; --timeout sets another limit")
        self._stderr.seek(0)
        raise RunFailedError(_last_words(self._stderr.read().decode(errors="replace"), process.returncode))

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "fastmlp.comparison.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment_for(self._spec.threads),
            cwd=Path(__file__).parents[2],  # so that this fastmlp is imported, and nothing from the user's folder
            start_new_session=True,  # Ctrl-C reaches only this process, which then ends the other
            encoding="utf-8",
        )


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process that is still running, and those that it has started."""
    if process.poll() is not None:
        return
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


def _last_words(stderr: str, code: int) -> str:
    """Return why a process ended, as a sentence: the last line that it wrote, or else the signal or exit code."""
    if code < 0:
        return f"its process was ended by signal {-code}" + (" (out of memory?)" if code == -9 else "")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if not lines:
        return f"its process ended with exit code {code} and printed nothing"
    return re.sub(r"^(\w+\.)+(?=\w+: )", "", " ".join(lines[-1].split()))  # without the modules of an exception
