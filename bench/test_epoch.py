"""A training epoch of every contender that is installed, side by side, across hidden sizes.

Each contender trains in a process of its own (`contender_worker.py`), started with its number of threads set: NumPy's
BLAS reads it when it is loaded, TensorFlow takes it once, and OpenBLAS's threads spin for a while after each call, into
the time of whoever comes next. The process waits in the callback that every contender calls between two epochs; what is
timed is from the word to go on until the next callback, so the first epoch, with the packing or the tracing, is the
warm-up, and what the libraries do once in a `fit` is not in the times. A word and its answer take about 0.1 ms.

All start from the same weights and take the samples in the same order, which is random in the data as it is. So the
losses can be checked against the oracle's: of the first epoch as the tests do, and of the last timed one, to which all
before it have led, to the comparison's 1e-3 (a rounding that moves a hidden value across 0 grows from there on).
"""

import contextlib
import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import oracle
import pytest
from arithmetic import our_inputs, training_flop

import fastmlp
from fastmlp import NeuralNetwork, contenders
from fastmlp.comparison.results import PARITY
from fastmlp.kernels.layout import choose_lanes
from fastmlp.kernels.team import available_processors

SIZES = (30, 128, 300)
SAMPLES, BATCH, LR = 12_800, 128, 0.1  # a hundred batches
ROUNDS = 6
ROOT = Path(fastmlp.__file__).parents[1]


class Worker:
    """The process of one contender."""

    def __init__(self, name, folder):
        self._name, self._folder = name, folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
        environment |= contenders.CPU_VARIABLES | contenders.thread_variables(available_processors())
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
        self._stderr = (folder / f"{name}.stderr").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("contender_worker.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment,
            text=True,
        )

    def start(self, hidden_size, epochs):
        """Begin to train; return the loss of the first epoch."""
        spec = {"net": self._name, "folder": str(self._folder), "hidden_size": hidden_size, "epochs": epochs}
        spec |= {"lr": LR, "batch_size": BATCH, "threads": available_processors()}
        return self._ask(json.dumps(spec))["loss"]

    def epoch(self):
        """Let it train one more epoch; return its loss."""
        return self._ask("")["loss"]

    def test_accuracy(self):
        """After the last epoch."""
        return self._answer()["test_accuracy"]

    def _ask(self, line):
        with contextlib.suppress(BrokenPipeError):  # it has ended: the answer will say so
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            self._stderr.seek(0)
            pytest.fail(f"the process of {self._name} ended:\n{self._stderr.read()[-2000:]}")
        return json.loads(line)

    def end(self):
        self._process.kill()
        self._process.communicate()
        self._stderr.close()


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """The arrays as files: the data, and the weights with which all begin."""
    folder = tmp_path_factory.mktemp("epoch")
    arrays = {"x": data.x_train[:SAMPLES], "y": data.y_train[:SAMPLES], "x_test": data.x_test, "y_test": data.y_test}
    for hidden_size in SIZES:
        net = NeuralNetwork(hidden_size, seed=0)
        arrays |= {f"{name}-{hidden_size}": getattr(net, name) for name in ("W1", "b1", "W2", "b2")}
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.fixture(scope="module")
def oracle_loss(data):
    """The mean loss of an epoch in float64, by hidden size and epoch."""
    x, y = data.x_train[:SAMPLES].astype(np.float64), data.y_train[:SAMPLES]

    @functools.cache
    def net_after(size, epochs):
        if epochs == 0:
            return oracle.weights_of(NeuralNetwork(size, seed=0))
        net = net_after(size, epochs - 1)
        for start in range(0, SAMPLES, BATCH):
            net = oracle.sgd_step(net, x[start : start + BATCH], y[start : start + BATCH], LR)
        return net

    @functools.cache
    def loss(size, epoch):
        return oracle.epoch(net_after(size, epoch - 1), x, y, LR, BATCH).loss

    return loss


@pytest.fixture(scope="module", params=contenders.MODULES)
def contender(request, folder):
    """A contender's name and its process, which ends when the next one's turn comes."""
    name = request.param
    if not contenders.available(name):
        pytest.skip(f"{name} is not installed: {contenders.MODULES[name].pip}")
    worker = Worker(name, folder)
    yield name, worker
    worker.end()


@pytest.mark.long
@pytest.mark.parametrize("hidden_size", SIZES, ids=lambda size: f"{size}-units")
def test_epoch(benchmark, data, contender, hidden_size, oracle_loss, time_rounds, facts):
    name, worker = contender
    benchmark.group = f"an epoch of {SAMPLES} samples, {hidden_size} units"
    epochs = 1 + (ROUNDS if benchmark.enabled else 1)
    first = worker.start(hidden_size, epochs)
    last = time_rounds(worker.epoch, rounds=ROUNDS, warmup_rounds=0)
    test_accuracy = worker.test_accuracy()

    X = data.x_train[:SAMPLES]
    inputs = our_inputs(X, hidden_size) if name == "fastmlp" else X.size
    facts(
        threads=available_processors(),
        flop=training_flop(inputs, SAMPLES, hidden_size, data.n_classes),
        dense_flop=training_flop(X.size, SAMPLES, hidden_size, data.n_classes),
        dataset=data.name,
        test_accuracy=test_accuracy,
        **({"tile": f"{choose_lanes(hidden_size).units} units"} if name == "fastmlp" else {}),
    )
    assert first == pytest.approx(oracle_loss(hidden_size, 1), rel=1e-5)
    assert last == pytest.approx(oracle_loss(hidden_size, epochs), rel=PARITY)
