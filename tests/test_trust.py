"""Training computes what the mathematics says: batches against float64, an epoch against NumPy."""

import numpy as np
import oracle
import pytest

from fastmlp import NeuralNetwork
from fastmlp.contenders import numpy_net

BATCH = 128
LR = 0.1
LOSS_TOLERANCE = 1e-5  # of each batch's loss
WEIGHT_TOLERANCE = 1e-5  # of the largest number in an array of weights, for each of its numbers
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


def assert_trained_alike(net: NeuralNetwork, losses: list[float], expected: oracle.Epoch) -> None:
    """Losses and weights after ten batches are those of the oracle, to the tolerances above."""
    np.testing.assert_allclose(losses, expected.losses, rtol=LOSS_TOLERANCE, atol=0)
    for name, exact in zip(oracle.Net._fields, expected.net, strict=True):
        allowed = WEIGHT_TOLERANCE * np.abs(exact).max()
        np.testing.assert_allclose(getattr(net, name), exact, rtol=0, atol=allowed, err_msg=name)


@pytest.mark.parametrize("hidden_size", [30, 300])
def test_ten_batches_equal_the_oracle(samples, hidden_size):
    X, y = (part[: 10 * BATCH] for part in samples)
    net = NeuralNetwork(hidden_size, LR, seed=0)
    in_one_fit = NeuralNetwork(hidden_size, LR, seed=0)
    start = oracle.weights_of(net)
    expected = oracle.epoch(start, X, y, LR, BATCH)
    assert expected.losses[-1] != pytest.approx(expected.losses[0], rel=0.01)  # it does train

    losses = ten_batches(net, X, y)
    assert_trained_alike(net, losses, expected)

    history = in_one_fit.fit(X, y, BATCH, 1, shuffle=False)
    assert history.loss == [pytest.approx(expected.loss, rel=LOSS_TOLERANCE)]
    assert_trained_alike(in_one_fit, losses, expected)


@pytest.mark.parametrize("name", oracle.Net._fields)
@pytest.mark.parametrize("spoilt", ["a whole array", "one ordinary weight"])
def test_an_error_of_a_thousandth_in_a_gradient_would_be_caught(name, spoilt):
    X, y = dense_samples(10 * BATCH)
    net = NeuralNetwork(30, LR, seed=0)
    start = oracle.weights_of(net)
    losses = ten_batches(net, X, y)
    expected = oracle.epoch(start, X, y, LR, BATCH)
    assert_trained_alike(net, losses, expected)

    factors = np.full(getattr(start, name).size, 1.001)
    if spoilt == "one ordinary weight":  # at the third quartile of what the weights change
        change = np.abs(getattr(expected.net, name) - getattr(start, name)).ravel()
        factors[np.arange(change.size) != np.argsort(change)[3 * change.size // 4]] = 1

    def spoilt_gradients(net: oracle.Net, X: oracle.Array, y: oracle.Labels) -> oracle.Net:
        right = oracle.gradients(net, X, y)
        wrong = getattr(right, name) * factors.reshape(getattr(right, name).shape)
        return right._replace(**{name: wrong})

    wrong = oracle.epoch(start, X, y, LR, BATCH, gradients=spoilt_gradients)
    with pytest.raises(AssertionError):
        assert_trained_alike(net, losses, wrong)


@pytest.mark.parametrize("hidden_size", [30, 300])
@pytest.mark.parametrize("make", [NeuralNetwork, numpy_net.NeuralNetwork], ids=["ours", "numpy"])
def test_a_large_batch_and_a_small_step(samples, hidden_size, make):
    """The sum over a batch is rounded as a sum, not each of its terms at the size of the weight."""
    X, y = (part[:8192] for part in samples)
    net = make(hidden_size, 0.001, seed=0)
    start = oracle.weights_of(net)
    net.fit(X, y, len(X), 1, shuffle=False)
    expected = oracle.sgd_step(start, X.astype(np.float64), y, 0.001)
    for name, before, exact in zip(oracle.Net._fields, start, expected, strict=True):
        change = np.linalg.norm(exact - before)
        assert np.linalg.norm(getattr(net, name) - exact) <= 3e-3 * change, name


@pytest.mark.parametrize("hidden_size", [30, pytest.param(300, marks=pytest.mark.long)])
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
