"""What a user waits for at the start, each in a fresh process: `python` alone, `--help`, import, and the first call.

The first call trains a small net for an epoch, once with its compiled kernels on disk and once with nothing on disk.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracle
import pytest

import fastmlp
from fastmlp import NeuralNetwork

ROOT = Path(fastmlp.__file__).parents[1]
FIRST_CALL = """
import json
import numpy as np
from fastmlp import NeuralNetwork

x = np.eye(64, 784, dtype=np.float32)
history = NeuralNetwork(300, seed=0).fit(x, np.arange(64) % 10, 16, 1, shuffle=False)
print(json.dumps([history.loss[0], history.compile_seconds]))
"""


def run(*args, **environment):
    """What a fresh Python prints that runs this fastmlp."""
    done = subprocess.run(
        [sys.executable, *args],
        cwd=ROOT,  # the first place where it looks for modules
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def first_loss():
    x = np.eye(64, 784)
    return oracle.epoch(oracle.weights_of(NeuralNetwork(300, seed=0)), x, np.arange(64) % 10, 0.1, 16).loss


def test_python_alone(benchmark, time_rounds, facts):
    benchmark.group = "start-up"
    assert time_rounds(run, "-c", "print('ready')", rounds=10) == "ready\n"
    facts(threads=1)


def test_import(benchmark, time_rounds, facts):
    benchmark.group = "start-up"
    printed = time_rounds(run, "-c", "import fastmlp; print(fastmlp.__version__)", rounds=10)
    facts(threads=1)
    assert printed == f"{fastmlp.__version__}\n"


def test_help(benchmark, time_rounds, facts):
    benchmark.group = "start-up"
    printed = time_rounds(run, "-m", "fastmlp", "--help", rounds=10)
    facts(threads=1)
    assert printed.startswith("Usage: ") and "compare" in printed


def test_cached_first_call(benchmark, time_rounds, facts, first_loss):
    benchmark.group = "first call"
    run("-c", FIRST_CALL)  # compiles what is not on disk yet
    loss, compile_seconds = json.loads(time_rounds(run, "-c", FIRST_CALL, rounds=5, warmup_rounds=0))
    facts(threads=1, compile_seconds=compile_seconds)
    assert loss == pytest.approx(first_loss, rel=1e-5)


@pytest.mark.long
def test_cold_compile(benchmark, time_rounds, facts, first_loss, tmp_path):
    benchmark.group = "first call"
    folders = iter(range(100))
    printed = time_rounds(
        lambda: run("-c", FIRST_CALL, NUMBA_CACHE_DIR=str(tmp_path / str(next(folders)))), rounds=2, warmup_rounds=0
    )
    loss, compile_seconds = json.loads(printed)
    facts(threads=1, compile_seconds=compile_seconds)
    assert loss == pytest.approx(first_loss, rel=1e-5)
