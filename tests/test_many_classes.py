"""Training with many classes, which threads share: against the float64 oracle, and the same bits however shared."""

import numpy as np
import oracle
import pytest
from test_steps import SETTINGS, oracle_epoch, same_weights

from fastmlp import NeuralNetwork
from fastmlp.errors import DivergenceError
from fastmlp.kernels import many_classes
from fastmlp.kernels.many_classes import MANY_CLASSES, class_groups


@pytest.fixture
def any_is_many(monkeypatch):
    """Any number of classes counts as many, and scratch is filled with NaN."""
    zeros = many_classes.aligned_zeros

    def filled(shape):
        array = zeros(shape)
        array[...] = np.nan
        return array

    monkeypatch.setattr("fastmlp.engine.packed.MANY_CLASSES", 1)
    monkeypatch.setattr(many_classes, "aligned_zeros", filled)


def samples(n, D, C, density=0.3):
    rng = np.random.default_rng(n + C)
    X = (rng.normal(size=(n, D)) * (rng.random((n, D)) < density)).astype(np.float32)
    X[0] = 0
    return X, rng.integers(0, C, n)


def net_of(H, C, D, lr=0.2, **settings):
    return NeuralNetwork(H, lr, input_size=D, output_size=C, seed=0, **settings)


def assert_equal(net, exact):
    for field, array in zip(oracle.Net._fields, exact, strict=True):
        np.testing.assert_allclose(getattr(net, field), array, rtol=0, atol=2e-5 * np.abs(array).max() + 1e-30)


SHAPES = [  # n, D, H, C, batch
    (1, 1, 1, 1, 1),
    (7, 3, 2, 2, 2),
    (130, 20, 7, 17, 130),
    pytest.param(40, 30, 17, 7, 17, marks=pytest.mark.long),  # compiles for another width of tiles
    pytest.param(150, 50, 300, 300, 64, marks=pytest.mark.long),
    (70, 30, 40, 1000, 33),
]


@pytest.mark.parametrize(("n", "D", "H", "C", "batch"), SHAPES)
def test_batches_equal_the_oracle(n, D, H, C, batch, any_is_many):
    X, y = samples(n, D, C)
    net = net_of(H, C, D)
    exact = oracle.epoch(oracle.weights_of(net), X, y, 0.2, batch)
    history = net.fit(X, y, batch, 1, shuffle=False)
    assert_equal(net, exact.net)
    assert history.loss[0] == pytest.approx(np.average(exact.losses, weights=exact.sizes), rel=1e-5, abs=1e-6)
    assert round(history.accuracy[0] * n) == sum(exact.correct)


def test_an_error_of_a_thousandth_would_be_seen(any_is_many):
    n, D, H, C, batch = SHAPES[-1]
    X, y = samples(n, D, C)
    net = net_of(H, C, D, lr=0.2 * 1.001)
    exact = oracle.epoch(oracle.weights_of(net), X, y, 0.2, batch)
    net.fit(X, y, batch, 1, shuffle=False)
    for field, array in zip(oracle.Net._fields, exact.net, strict=True):
        start = getattr(net_of(H, C, D), field)
        off, moved = np.abs(getattr(net, field) - array).max(), np.abs(array - start).max()
        assert off > 2e-5 * np.abs(array).max() or off == pytest.approx(1e-3 * moved, rel=0.1), field


@pytest.mark.parametrize(
    "name", [name if name == "momentum" else pytest.param(name, marks=pytest.mark.long) for name in SETTINGS]
)
def test_optimizers_and_threads(name, any_is_many):
    X, y = samples(200, 30, 17)
    optimizer, lr = SETTINGS[name]
    nets = [net_of(40, 17, 30, lr, optimizer=optimizer, n_threads=n) for n in (1, 2, 3)]
    exact, _ = oracle_epoch(nets[0], X, y, optimizer, lr, 64, epochs=2)
    for net in nets:
        net.fit(X, y, 64, 2, shuffle=False)
        assert same_weights(net, nets[0])
    assert_equal(nets[0], exact)


def test_threads_beyond_the_tiles_and_forms_change_no_bit(monkeypatch):
    sparse = pytest.importorskip("scipy.sparse")
    monkeypatch.setattr("fastmlp.engine.packed.available_processors", lambda: 5)
    X, y = samples(300, 40, MANY_CLASSES)
    nets = [net_of(5, MANY_CLASSES, 40, n_threads=n) for n in (1, 2, 5, 2, 2)]
    for net, rows in zip(nets, (X, X, X, sparse.csr_array(X), X), strict=True):
        if net is nets[-1]:
            monkeypatch.setattr("fastmlp.engine.packed.forms_by_speed", lambda *_: [np.ndarray])
        net.fit(rows, y, 64, 2)
        assert same_weights(net, nets[0])


def test_weights_of_samples(any_is_many):
    X, y = samples(60, 20, 9)
    twice, weighted = net_of(7, 9, 20), net_of(7, 9, 20)
    twice.fit(np.r_[X, X[:10]], np.r_[y, y[:10]], 70, 1, shuffle=False)
    weights = np.ones(60)
    weights[:10] = 2
    weighted.fit(X, y, 60, 1, shuffle=False, sample_weight=weights)
    assert_equal(weighted, [getattr(twice, field) for field in oracle.Net._fields])


def test_large_logits(any_is_many):
    X, _ = samples(40, 10, 12, density=1)
    net = net_of(7, 12, 10, lr=1e-9)
    net.W2 = 1e4 * net.W2
    y = net.forward(X).argmax(axis=1)
    y[3] = (y[3] + 1) % 12  # a loss of some thousand
    before = net.score(X, y)
    history = net.fit(X, y, 40, 1)
    assert before.loss > 20
    assert history.loss[0] == pytest.approx(before.loss, rel=1e-6)
    assert history.accuracy[0] == before.accuracy == 39 / 40


def test_divergence_is_noticed_and_undone(any_is_many):
    X, y = samples(40, 10, 12, density=1)
    net = net_of(7, 12, 10, lr=1e30)
    before = net.W2.copy()
    with pytest.raises(DivergenceError):
        net.fit(X, y, 8, 3)
    assert (before == net.W2).all()


@pytest.mark.parametrize("C", [MANY_CLASSES, 1000])
def test_a_forward_pass_equals_the_oracle_and_rows_alone(C):
    sparse = pytest.importorskip("scipy.sparse")
    X, y = samples(300, 30, C)
    net = net_of(40, C, 30, n_threads=2)
    net.b2 = np.linspace(-1, 1, C)
    exact = oracle.forward(oracle.weights_of(net), X)
    probs = net.forward(X)
    np.testing.assert_allclose(probs, exact.probs, rtol=1e-5)
    assert net.score(X, y).loss == pytest.approx(oracle.loss(oracle.weights_of(net), X, y), rel=1e-6)
    assert net.score(X, y).accuracy == oracle.accuracy(oracle.weights_of(net), X, y)
    assert net.forward(sparse.csr_array(X)).tobytes() == probs.tobytes()
    for rows in (slice(0, 1), slice(7, 24), slice(299, 300)):
        assert net.forward(X[rows]).tobytes() == probs[rows].tobytes()


@pytest.mark.parametrize("n_classes", [1, 47, 48, 256, 767, 769, 10_000, 100_000])
def test_groups(n_classes):
    groups, size = class_groups(n_classes)
    assert groups <= 16 and size % 48 == 0 and (groups - 1) * size < n_classes <= groups * size
