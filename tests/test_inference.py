"""The forward pass of a net: from any number of threads, over rows of any kind, with memory that is kept."""

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import oracle
import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine import inference
from fastmlp.engine.inputs import as_rows
from fastmlp.engine.weights import Weights
from fastmlp.errors import InvalidValueError

D = 50


def net_of(hidden_size, n_threads=1):
    return NeuralNetwork(hidden_size, input_size=D, output_size=4, seed=0, n_threads=n_threads)


def rows_of(n, seed=0):
    """Rows (n, D) that are dense, with many zeros, and all zeros, several hundred of each after another."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, D)).astype(np.float32)
    part = np.arange(n) // 700 % 3
    X[part == 1] *= rng.random((np.count_nonzero(part == 1), D)) < 0.1
    X[part == 2] = 0
    return X


@pytest.fixture
def always_threads(monkeypatch):
    """Every rest of rows is worth threads."""
    monkeypatch.setattr(inference, "_SECONDS_FOR_THREADS", 0)


@pytest.mark.parametrize("n", [1, 2, 7, 17, 129, 300, 5000])
@pytest.mark.parametrize("hidden_size", [3, 30, 300])
def test_forward_and_score_are_right_and_the_same_for_any_number_of_threads(hidden_size, n, always_threads):
    net, X = net_of(hidden_size), rows_of(n)
    y = np.arange(n) % 4
    probs, score = net.forward(X), net.score(X, y)
    exact = oracle.forward(oracle.weights_of(net), X.astype(np.float64)).probs
    np.testing.assert_allclose(probs, exact, rtol=1e-5)
    assert score.loss == pytest.approx(-np.log(exact[np.arange(n), y]).mean(), rel=1e-5)
    assert score.accuracy == pytest.approx((exact.argmax(axis=1) == y).mean(), abs=1e-3)
    for n_threads in (2, 3, 16):
        net.n_threads = n_threads
        assert net.forward(X).tobytes() == probs.tobytes()
        assert net.score(X, y) == score


def test_a_row_has_the_same_bits_alone_and_among_others():
    net, X = net_of(30), rows_of(2200)
    probs = net.forward(X)
    for i in (0, 127, 128, 699, 700, 1399, 1400, 2199):
        assert net.forward(X[i : i + 1]).tobytes() == probs[i].tobytes()
    for first in (1, 690, 1390):
        assert net.forward(X[first : first + 300]).tobytes() == probs[first : first + 300].tobytes()


def test_eight_threads_at_once_get_what_each_would_get_alone():
    net = net_of(30, n_threads=2)
    batches = [rows_of(n, seed) for seed, n in enumerate((1, 2, 16, 40, 128, 300, 1500, 2200))]
    alone = [net.forward(X).tobytes() for X in batches]
    start = Barrier(len(batches))

    def forward(X):
        start.wait()
        return [net.forward(X).tobytes() for _ in range(50)]

    with ThreadPoolExecutor(len(batches)) as pool:
        for once, often in zip(alone, pool.map(forward, batches), strict=True):
            assert set(often) == {once}
    assert 1 <= len(net._weights.idle_scratch) <= inference._KEPT


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(("n", "row"), [(1, 0), (7, 6), (5000, 0), (5000, 127), (5000, 4999)])
@pytest.mark.parametrize("column", [0, D - 1])
def test_what_is_not_finite_is_refused_wherever_it_stands(wrong, n, row, column, always_threads):
    net, X = net_of(30, n_threads=2), rows_of(n)
    X[row, column] = wrong
    where = f"the first in row {row}, column {column}"
    sentence = rf"X holds 1 values that are NaN or infinite, {where} \(from 0\): replace them"
    with pytest.raises(InvalidValueError, match=sentence):
        net.forward(X)
    with pytest.raises(InvalidValueError, match=sentence):
        net.score(X, np.zeros(n, int))
    X[row, column] = 0
    assert np.isfinite(net.forward(X)).all()


def test_validation_inputs_are_named_and_refused_before_any_epoch():
    net, X = net_of(30), rows_of(40)
    before, wrong = net.W1, X.copy()
    wrong[39, 3] = np.nan
    with pytest.raises(InvalidValueError, match=r"validation X holds 1 values .* in row 39"):
        net.fit(X, np.arange(40) % 4, 8, 1, validation=(wrong, np.arange(40) % 4))
    assert (before == net.W1).all()


def test_memory_is_kept_for_the_next_pass_and_belongs_to_one_net():
    net, X = net_of(30), rows_of(10)
    net.forward(X)
    (kept,) = net._weights.idle_scratch
    net.forward(rows_of(300))
    assert [id(scratch) for scratch in net._weights.idle_scratch] == [id(kept)]
    for other in (copy.copy(net), copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert other._weights.idle_scratch == []
        assert other.forward(X).tobytes() == net.forward(X).tobytes()


def test_new_weights_are_used_at_once():
    net, X = net_of(30), rows_of(20)
    net.forward(X)
    net.W1 = -np.array(net.W1)
    exact = oracle.forward(oracle.weights_of(net), X.astype(np.float64)).probs
    np.testing.assert_allclose(net.forward(X), exact, rtol=1e-5)


def test_more_columns_than_the_memory_for_nonzeros_usually_has():
    weights, rng = Weights(200_000, 3, 2), np.random.default_rng(0)
    weights["W1"] = rng.normal(size=(200_000, 3)) / 500
    weights["W2"] = rng.normal(size=(3, 2))
    X = rng.normal(size=(3, 200_000)).astype(np.float32)
    net = oracle.Net(*(weights[name].astype(float) for name in ("W1", "b1", "W2", "b2")))
    exact = oracle.forward(net, X.astype(float)).probs
    np.testing.assert_allclose(inference.forward(weights, X, 1), exact, rtol=1e-3)


def test_rows_that_are_ready_are_taken_as_they_are():
    X = rows_of(3)
    assert as_rows("X", X, D) is X
    for other in (X.astype(np.float64), np.asfortranarray(X), X[:, ::-1][:, ::-1], X.tolist(), X.astype(">f4")):
        array = as_rows("X", other, D)
        assert array.dtype == np.float32
        assert array.flags.carray
        assert (array == X).all()
    X.flags.writeable = False
    assert as_rows("X", X, D).flags.writeable


# Outputs that overflow float32


def overflowing(n_threads=1):
    """A net whose outputs overflow for rows with a large first input, and are ordinary for the others."""
    net = NeuralNetwork(3, input_size=D, output_size=4, seed=0, n_threads=n_threads)
    W1, W2 = np.zeros((D, 3)), np.full((3, 4), 1e30)
    W1[0] = 1
    net.W1, net.W2, net.b2 = W1, W2, [0, 0, 1, 0]
    return net


@pytest.mark.parametrize(("n", "rows"), [(1, [0]), (7, [0, 6]), (300, [5, 128, 299]), (5000, [0, 130, 2600, 4999])])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("density", [0.1, 1])
def test_a_forward_pass_that_overflows_says_so_and_nan_is_never_right(n, rows, n_threads, density, always_threads):
    net, rng = overflowing(n_threads), np.random.default_rng(0)
    X = (rng.random((n, D)) * (rng.random((n, D)) < density)).astype(np.float32)
    X[:, 0] = 0
    X[rows, 0] = 1e10
    said = rf"^the outputs of {len(rows)} of {n} rows overflow float32: their probabilities are NaN and count as wrong"
    with pytest.warns(RuntimeWarning, match=said) as told:
        probs = net.forward(X)
    assert told[0].filename == __file__
    assert np.flatnonzero(np.isnan(probs).all(axis=1)).tolist() == rows
    assert np.flatnonzero(np.isnan(probs).any(axis=1)).tolist() == rows
    for label in range(4):
        with pytest.warns(RuntimeWarning, match=said) as told:
            score = net.score(X, np.full(n, label))
        assert told[0].filename == __file__
        assert np.isnan(score.loss)
        assert score.accuracy == pytest.approx((n - len(rows)) / n if label == 2 else 0)


def test_a_net_of_huge_weights_is_right_nowhere():
    """The net of the report: it was right for every label."""
    net = NeuralNetwork(30, seed=0)
    net.W1, net.W2 = np.full((784, 30), 1e30), np.full((30, 10), 1e30)
    X, y = np.ones((200, 784), np.float32), np.arange(200) % 10
    with pytest.warns(RuntimeWarning, match="200 of 200 rows overflow"):
        assert net.score(X, y).accuracy == 0
    small = net_of(3)
    huge = np.full((6, D), 3e38, np.float32)
    small.W2 = np.full((3, 4), 1e20)
    with pytest.warns(RuntimeWarning, match="overflow") as told:
        history = small.fit(np.zeros((4, D)), np.arange(4), 2, 2, validation=(huge, np.arange(6) % 4))
    assert history.val_accuracy == [0, 0]
    assert np.isnan(history.val_loss).all()
    assert len(told) == 2


def test_one_class_that_overflows_is_enough():
    net = net_of(3)
    net.W1, net.b1, net.W2 = np.zeros((D, 3)), [1e30, 0, 0], np.zeros((3, 4))
    for sign, finite in ((1, False), (-1, True)):  # -infinity is the logit of what is impossible: no harm is done
        W2 = np.zeros((3, 4))
        W2[0, 1] = sign * 1e30
        net.W2 = W2
        if finite:
            np.testing.assert_allclose(net.forward(np.ones((1, D))), [[1 / 3, 0, 1 / 3, 1 / 3]], rtol=1e-6)
        else:
            with pytest.warns(RuntimeWarning, match="1 of 1 rows overflow"):
                assert np.isnan(net.forward(np.ones((1, D)))).all()
