"""The nets of a comparison keep one protocol and compute the same."""

import numpy as np
import oracle
import pytest

from fastmlp import contenders
from fastmlp.datasets import Dataset

NAMES = [name for name in contenders.MODULES if contenders.available(name)]
WEIGHTS = ("W1", "b1", "W2", "b2")


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 90)
    x = rng.random((90, 12)).astype(np.float32)
    x[np.arange(90), y] += 2
    return Dataset(x[:70], y[:70], x[70:], y[70:], name="small")


@pytest.fixture(params=NAMES)
def net(request):
    return contenders.load(request.param)(8, 0.1, input_size=12, output_size=3, seed=1)


def test_same_weights_and_order_give_the_oracles_losses(net, data):
    rng = np.random.default_rng(4)
    start = oracle.Net(*(rng.normal(0, 0.3, shape).astype(np.float32) for shape in ((12, 8), (8,), (8, 3), (3,))))
    for name in WEIGHTS:
        setattr(net, name, getattr(start, name))
    history = net.fit(data.x_train, data.y_train, 16, 1, shuffle=False)
    expected = oracle.epoch(start, data.x_train, data.y_train, 0.1, 16)
    assert history.loss == [pytest.approx(expected.loss, rel=1e-5)]
    for name in WEIGHTS:
        np.testing.assert_allclose(getattr(net, name), getattr(expected.net, name), atol=1e-5)


def test_fit_and_test_measures_both_parts(net, data):
    epochs = []
    result = contenders.fit_and_test(net, data, 16, 60, callback=lambda epoch, history: epochs.append(epoch))
    assert epochs == list(range(1, 61))
    assert result.train_accuracy > 0.9
    assert result.test_accuracy > 0.8
    assert len(result.history.loss) == len(result.history.seconds) == 60
    assert result.train_seconds == pytest.approx(sum(result.history.seconds))
    assert result.train_loss == pytest.approx(net.predict(data.x_train, data.y_train).loss)


def test_the_same_seed_trains_ours_and_numpys_net_alike(data):
    losses = [
        contenders.load(name)(8, 0.1, input_size=12, output_size=3, seed=3).fit(data.x_train, data.y_train, 16, 5).loss
        for name in ("fastmlp", "numpy")
    ]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_a_missing_library_is_named_with_the_command_that_brings_it(monkeypatch):
    monkeypatch.setattr(contenders, "find_spec", lambda library: None)
    assert not contenders.available("keras")
    with pytest.raises(ImportError, match=r"needs keras and tensorflow: pip install 'fastmlp\[keras\]'"):
        contenders.load("keras")
