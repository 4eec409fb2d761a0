"""One process of the gate (`check.py` starts it): runs benchmarks with the fastmlp of one checkout.

    python -P check_child.py CHECKOUT RESULT.json [pytest's arguments ...]

A line on stdout says that the next benchmark is ready to run, or that all are over. Each waits for a line on stdin;
nothing waits once stdin is closed.
RESULT.json holds the fastest round of each benchmark in seconds, how long all of its rounds took, and what failed, with
the reason. The exit code is pytest's.
"""

import json
import os
import sys
from pathlib import Path

import pytest


class Failures:
    """A pytest plugin that keeps one line about each test or file that failed."""

    def __init__(self) -> None:
        self.reasons: dict[str, str] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._keep(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        self._keep(report)

    def _keep(self, report: pytest.TestReport | pytest.CollectReport) -> None:
        if report.failed:
            self.reasons[report.nodeid] = reason(report.longrepr)


class Turns:
    """A pytest plugin that lets another process have its turn before each test. What pytest prints goes to stderr."""

    def __init__(self) -> None:
        self._stdin, self._stdout = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self) -> None:
        print(file=self._stdout, flush=True)
        self._stdin.readline()

    def pytest_sessionfinish(self) -> None:
        print(file=self._stdout, flush=True)


def reason(longrepr: object) -> str:
    """The error that ended a test, in one line.

    >>> reason("traceback\\nE   ImportError: cannot import name 'gone'")
    "ImportError: cannot import name 'gone'"
    """
    crash = getattr(longrepr, "reprcrash", None)
    text = crash.message if crash else str(longrepr).strip().rpartition("\n")[2].removeprefix("E ")
    return " ".join(text.split())[:200]


def main(checkout: str, result: str, *arguments: str) -> int:
    """Measure, and write the result."""
    import fastmlp

    if Path(checkout).resolve() not in Path(fastmlp.__file__).resolve().parents:
        sys.exit(f"the fastmlp that was imported is not the one of {checkout}: {fastmlp.__file__}")
    failures, report = Failures(), Path(result).with_suffix(".benchmark.json")
    code = pytest.main([*arguments, f"--benchmark-json={report}"], plugins=[failures, Turns()])
    measured = json.loads(report.read_text() or "{}").get("benchmarks", []) if report.exists() else []
    Path(result).write_text(
        json.dumps(
            {
                "fastest": {one["fullname"]: one["stats"]["min"] for one in measured},
                "total": {one["fullname"]: one["stats"]["total"] for one in measured},
                "failed": failures.reasons,
            }
        )
    )
    return int(code)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
