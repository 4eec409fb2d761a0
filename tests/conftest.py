"""What several test files share."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fastmlp
from fastmlp import DataError, Dataset, load_mnist

RunPython = Callable[..., subprocess.CompletedProcess[str]]

# Each changes how rich, click or Python prints, and the tests read what is printed.
PRINTING = ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR", "PYTHON_COLORS", "TTY_COMPATIBLE", "TTY_INTERACTIVE")


def pytest_configure() -> None:
    """Make the tests, and the processes that they start, independent of the shell that they are started from.

    In the background a shell ignores Ctrl-C, which is inherited; but tests interrupt the processes that they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in PRINTING:
        os.environ.pop(name, None)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The real MNIST; if FASTMLP_DATA_DIR names its folder, it must be there."""
    try:
        return load_mnist()
    except DataError as error:
        if os.environ.get("FASTMLP_DATA_DIR"):
            raise
        pytest.skip(f"MNIST is not on this machine: {error}")


@pytest.fixture
def results() -> dict[str, Any]:
    """The results of a comparison of four nets that nobody ran."""
    from sample_comparison import four_nets

    return four_nets()


@pytest.fixture
def saved_results(results: dict[str, Any], tmp_path: Path) -> Path:
    """The file of `results`."""
    from fastmlp.comparison.results_file import write_results

    path = tmp_path / "results.json"
    write_results(results, path)
    return path


@pytest.fixture(scope="session")
def run_python() -> RunPython:
    """Run a piece of Python in a fresh process with warnings as errors; it must succeed."""

    def run(
        code: str,
        *,
        env: dict[str, str] | None = None,
        cwd: Path = Path(fastmlp.__file__).parents[1],
        timeout: float = 120,
        preexec_fn: Callable[[], None] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env={**os.environ, **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=timeout,
            preexec_fn=preexec_fn,
            check=False,
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
