"""One process of the gate (`check.py` starts it): runs benchmarks with the fastmlp of one checkout.

    python -P check_child.py CHECKOUT RESULT.json [arguments of pytest ...]

It writes an empty line to stdout whenever the next benchmark is ready to run, and once more after the last one. Before
each benchmark it waits for a line on stdin, until stdin is closed.
RESULT.json holds an `Outcome` (`check.py`): what was measured, what failed and, where nothing could be run at all, why.
"""

import importlib.util
import json
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest


class Notes:
    """A pytest plugin that notes what was chosen and what went wrong, from the exceptions and not from printed text."""

    def __init__(self) -> None:
        self.chosen = 0  # benchmarks, by -k
        self.failed: dict[str, str] = {}  # name of a benchmark or a file -> reason
        self.misused: str | None = None  # why pytest rejects its arguments, such as the expression after -k
        self.broken: str | None = None  # why nothing can be run

    @pytest.hookimpl(wrapper=True)
    def pytest_load_initial_conftests(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except Exception as error:
            self.broken = reason(error.__cause__ or error)
            raise

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except pytest.UsageError as error:
            self.misused = " ".join(str(error).split())
            raise

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.chosen = len(session.items)

    def pytest_exception_interact(self, node: pytest.Item | pytest.Collector, call: pytest.CallInfo[Any]) -> None:
        assert call.excinfo
        error = call.excinfo.value
        if isinstance(error, pytest.Collector.CollectError):  # holds a traceback as text; the cause is the error itself
            error = error.__cause__ or error
        self.failed[node.nodeid] = reason(error)

    def pytest_internalerror(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self.broken = reason(excinfo.value)


class Turns:
    """A pytest plugin that lets the other process have its turn before each benchmark.

    Stdout carries the turns, so what pytest prints goes to stderr.
    """

    def __init__(self) -> None:
        self._stdin, self._stdout = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        print(file=self._stdout, flush=True)
        self._stdin.readline()

    def pytest_sessionfinish(self) -> None:
        print(file=self._stdout, flush=True)


def reason(error: BaseException) -> str:
    """An error in one line.

    >>> reason(ImportError("cannot import\\nname 'gone'"))
    "ImportError: cannot import name 'gone'"
    """
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def measure(checkout: Path, report: Path, notes: Notes, arguments: tuple[str, ...]) -> list[dict[str, Any]]:
    """Run the benchmarks; return what pytest-benchmark reports of each."""
    found = importlib.util.find_spec("fastmlp")
    if not (found and found.origin and Path(found.origin).resolve().is_relative_to(checkout.resolve())):
        notes.broken = f"Python would import the fastmlp of {found and found.origin}, not the one in {checkout}"
        return []
    pytest.main([*arguments, f"--benchmark-json={report}"], plugins=[notes, Turns()])
    return json.loads(report.read_text(encoding="utf-8") or "{}").get("benchmarks", []) if report.exists() else []


def main(checkout: str, result: str, *arguments: str) -> None:
    """Measure, and write the result."""
    notes = Notes()
    measured = measure(Path(checkout), Path(result).with_suffix(".benchmark.json"), notes, arguments)
    outcome = vars(notes) | {
        "fastest": {one["fullname"]: one["stats"]["min"] for one in measured},
        "total": {one["fullname"]: one["stats"]["total"] for one in measured},
    }
    Path(result).write_text(json.dumps(outcome), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
