"""A training epoch of every contender that is installed, side by side, across hidden sizes.

Each contender trains in a process of its own, as in a comparison (`fastmlp.comparison.run`). A round is an epoch, in
the seconds that the net itself measured; the first one, with the packing or the tracing, is the warm-up.

All start from the same weights and take the samples in the same order, which is random in the data as it is. So the
losses can be checked against the oracle's: that of the first epoch as closely as the tests do, and that of the last
timed epoch, which depends on all epochs before it, to the comparison's 1e-3 (a rounding error that moves a hidden value
across 0 grows from there on).
"""

import functools

import numpy as np
import oracle
import pytest

from fastmlp import NeuralNetwork, contenders
from fastmlp.comparison.arithmetic import training_flop
from fastmlp.comparison.results import PARITY
from fastmlp.comparison.run import ContenderRun
from fastmlp.comparison.spec import WEIGHTS, RunSpec, save_arrays
from fastmlp.machine import available_processors

SIZES = (30, 128, 300)
SAMPLES, BATCH, LR = 12_800, 128, 0.1  # a hundred batches
ROUNDS = 6
TIMEOUT = 600


class Clock:
    """A clock for pytest-benchmark that goes forward by the seconds of a net's epochs."""

    def __init__(self):
        self._now = 0.0

    def __call__(self):
        return self._now

    def advance(self, seconds):
        self._now += seconds


CLOCK = Clock()


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """The arrays as files: the data, and the weights from which all start, in a folder for each hidden size."""
    folder = tmp_path_factory.mktemp("epoch")
    x, y = data.x_train[:SAMPLES], data.y_train[:SAMPLES]
    save_arrays(folder, {"x_train": x, "y_train": y, "x_test": data.x_test, "y_test": data.y_test})
    for hidden_size in SIZES:
        net, weights = NeuralNetwork(hidden_size, seed=0), folder / str(hidden_size)
        weights.mkdir()
        save_arrays(weights, {name: getattr(net, name) for name in WEIGHTS})
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


def trained(name, hidden_size, epochs, folder):
    """Let a contender train in a process of its own; return what the run gives."""
    spec = RunSpec(
        module=contenders.MODULES[name].name,
        hidden_size=hidden_size,
        lr=LR,
        input_size=784,
        output_size=10,
        seed=0,
        threads=available_processors(),
        batch_size=BATCH,
        epochs=epochs,
        data=str(folder),
        weights=str(folder / str(hidden_size)),
        shuffle=False,
    )
    with ContenderRun(spec, TIMEOUT) as run:
        while (result := run.epoch()) is None:
            pass
    return result


@pytest.mark.long
@pytest.mark.benchmark(timer=CLOCK)
@pytest.mark.parametrize("hidden_size", SIZES, ids=lambda size: f"{size}-units")
@pytest.mark.parametrize("name", contenders.MODULES)
def test_epoch(benchmark, data, name, hidden_size, folder, oracle_loss, net_facts):
    if not contenders.available(name):
        pytest.skip(f"{name} is not installed: {contenders.MODULES[name].pip}")
    benchmark.group = f"an epoch of {SAMPLES} samples, {hidden_size} units"
    rounds = ROUNDS if benchmark.enabled else 1
    result = trained(name, hidden_size, 1 + rounds, folder)
    history = result["history"]
    timed = iter(history["seconds"][1:])
    benchmark.pedantic(lambda: CLOCK.advance(next(timed)), rounds=rounds)

    net_facts(name, hidden_size, data.x_train[:SAMPLES], training_flop, test_accuracy=result["test_accuracy"])
    assert history["loss"][0] == pytest.approx(oracle_loss(hidden_size, 1), rel=1e-5)
    assert history["loss"][-1] == pytest.approx(oracle_loss(hidden_size, 1 + rounds), rel=PARITY)
