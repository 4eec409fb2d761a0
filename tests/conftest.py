"""What several test files share."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import fastmlp
from fastmlp import DataError, Dataset, load_mnist

RunPython = Callable[..., subprocess.CompletedProcess[str]]


def pytest_configure() -> None:
    """Heed Ctrl-C also where the tests were started in the background: what they start and interrupt inherits that."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    """The real MNIST; where it was named (FASTMLP_DATA_DIR) it must be there."""
    try:
        return load_mnist()
    except DataError as error:
        if os.environ.get("FASTMLP_DATA_DIR"):
            raise
        pytest.skip(f"no MNIST on this machine: {error}")


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
