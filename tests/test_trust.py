"""Training computes what the mathematics says: batches against float64, an epoch against NumPy."""

from collections.abc import Callable

import numpy as np
import oracle
import pytest

from fastmlp import NeuralNetwork
from fastmlp.contenders import numpy_net

BATCH = 128
LR = 0.1
LOSS_TOLERANCE = 1e-5  # of each batch's loss
# A weight takes each sample's share as one float32 addition, rounded by at most 2^-24 of the weight: after n samples a
# random walk of sqrt(n) such steps, here with room for eight standard deviations.
WEIGHT_TOLERANCE = 8 * 2**-25  # of the largest weight, times sqrt(samples)
CHANGE_TOLERANCE = 1e-5  # of the largest change
EPOCH_TOLERANCE = 1e-3  # of the norm of all weights

Samples = tuple[np.ndarray, np.ndarray]


@pytest.fixture(params=["mnist", "dense"])
def samples(request) -> Samples:
    """The train part of MNIST, or as many columns of dense random input."""
    if request.param == "mnist":
        data = request.getfixturevalue("mnist")
        return data.x_train, data.y_train
    return dense_samples(10_000)


def dense_samples(n: int) -> Samples:
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 784)).astype(np.float32)
    return X, (X @ rng.normal(size=(784, 10))).argmax(1)


def ten_batches(net: NeuralNetwork, X: np.ndarray, y: np.ndarray) -> list[float]:
    """Train on ten batches, each a fit of its own; the loss of each before its update."""
    losses = []
    for start in range(0, 10 * BATCH, BATCH):
        batch = slice(start, start + BATCH)
        history = net.fit(X[batch], y[batch], BATCH, 1, shuffle=False)
        losses += history.loss
    return losses


def assert_trained_alike(
    start: oracle.Net, net: oracle.Net, losses: list[float], expected: oracle.Epoch
) -> None:
    """Losses and weights after ten batches are those of the oracle, to the tolerances above."""
    np.testing.assert_allclose(losses, expected.losses, rtol=LOSS_TOLERANCE, atol=0)
    for name, before, after, exact in zip(
        oracle.Net._fields, start, net, expected.net, strict=True
    ):
        walk = WEIGHT_TOLERANCE * np.sqrt(10 * BATCH) * np.abs(exact).max()
        change = CHANGE_TOLERANCE * np.abs(exact - before).max()
        np.testing.assert_allclose(after, exact, rtol=0, atol=walk + change, err_msg=name)


@pytest.mark.parametrize("hidden_size", [30, 300])
def test_ten_batches_equal_the_oracle(samples, hidden_size):
    X, y = (part[: 10 * BATCH] for part in samples)
    net = NeuralNetwork(hidden_size, LR, seed=0)
    in_one_fit = NeuralNetwork(hidden_size, LR, seed=0)
    start = oracle.weights_of(net)
    expected = oracle.epoch(start, X, y, LR, BATCH)
    assert expected.losses[-1] != pytest.approx(expected.losses[0], rel=0.01)  # it does train

    losses = ten_batches(net, X, y)
    assert_trained_alike(start, oracle.weights_of(net), losses, expected)

    history = in_one_fit.fit(X, y, BATCH, 1, shuffle=False)
    assert history.loss == [pytest.approx(expected.loss, rel=LOSS_TOLERANCE)]
    assert_trained_alike(start, oracle.weights_of(in_one_fit), losses, expected)


def whole_array(name: str) -> Callable[[oracle.Net], oracle.Net]:
    """All of one array's gradient is 1.001 times what it should be."""
    return lambda grad: grad._replace(**{name: getattr(grad, name) * 1.001})


def one_weight(name: str) -> Callable[[oracle.Net], oracle.Net]:
    """The gradient of one weight, an ordinary one, is 1.001 times what it should be."""

    def spoil(grad: oracle.Net) -> oracle.Net:
        values = getattr(grad, name).copy()
        ordinary = np.argsort(np.abs(values), axis=None)[(3 * values.size) // 4]
        values.flat[ordinary] *= 1.001
        return grad._replace(**{name: values})

    return spoil


@pytest.mark.parametrize("kind", [whole_array, one_weight])
@pytest.mark.parametrize("name", oracle.Net._fields)
def test_an_error_of_a_thousandth_in_a_gradient_would_be_caught(name, kind):
    X, y = dense_samples(10 * BATCH)
    net = NeuralNetwork(30, LR, seed=0)
    start = oracle.weights_of(net)
    losses = ten_batches(net, X, y)
    assert_trained_alike(
        start, oracle.weights_of(net), losses, oracle.epoch(start, X, y, LR, BATCH)
    )

    spoil = kind(name)
    wrong = oracle.epoch(
        start, X, y, LR, BATCH, gradients=lambda *args: spoil(oracle.gradients(*args))
    )
    with pytest.raises(AssertionError):
        assert_trained_alike(start, oracle.weights_of(net), losses, wrong)


@pytest.mark.parametrize("hidden_size", [30, 300])
def test_an_epoch_equals_the_numpy_net(samples, hidden_size):
    X, y = samples
    ours = NeuralNetwork(hidden_size, LR, seed=0)
    theirs = numpy_net.NeuralNetwork(hidden_size, LR, seed=0)
    start = oracle.weights_of(ours)
    for mine, other in zip(start, oracle.weights_of(theirs), strict=True):
        np.testing.assert_array_equal(mine, other)
    history = ours.fit(X, y, BATCH, 1)
    expected = theirs.fit(X, y, BATCH, 1)
    mine, other, before = (
        np.concatenate([part.ravel() for part in net])
        for net in (oracle.weights_of(ours), oracle.weights_of(theirs), start)
    )
    assert np.linalg.norm(mine - other) <= EPOCH_TOLERANCE * np.linalg.norm(other)
    # Tighter than it looks: training moved the weights by far more than is allowed here.
    assert np.linalg.norm(other - before) > 100 * EPOCH_TOLERANCE * np.linalg.norm(other)
    assert history.loss == [pytest.approx(expected.loss[0], rel=1e-3)]
    assert history.accuracy == [pytest.approx(expected.accuracy[0], abs=1e-3)]
