"""A training epoch of each net across hidden sizes, side by side."""

import pytest

from fastmlp import contenders, load_synthetic

SAMPLES = 12_800  # a hundred batches


@pytest.fixture(scope="module")
def data():
    return load_synthetic()


@pytest.mark.parametrize("hidden_size", [30, 128, 300])
@pytest.mark.parametrize("name", ["fastmlp", "numpy", "keras"])
def test_epoch(benchmark, data, name, hidden_size):
    if not contenders.available(name):
        pytest.skip(contenders.MODULES[name].pip)
    benchmark.group = f"an epoch of {SAMPLES} samples, H={hidden_size}"
    X, y = data.x_train[:SAMPLES], data.y_train[:SAMPLES]
    net = contenders.load(name)(hidden_size, 0.1, seed=0)
    net.fit(X, y, 128, 1)  # compiles
    history = benchmark.pedantic(net.fit, (X, y, 128, 1), rounds=5, warmup_rounds=1)
    assert history.loss[-1] < 1.5
    benchmark.extra_info["train_accuracy"] = history.accuracy[-1]
    benchmark.extra_info["dataset"] = data.name
