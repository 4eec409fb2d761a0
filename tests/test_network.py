"""NeuralNetwork: what it computes (against the float64 oracle), takes in and refuses."""

import copy
import json
import math
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import contextmanager
from pathlib import Path

import numba
import numpy as np
import oracle
import pytest

import fastmlp
from fastmlp import DivergenceError, History, NeuralNetwork, Score

WEIGHTS = ("W1", "b1", "W2", "b2")


def small_net(**changes) -> NeuralNetwork:
    """A net that compiles quickly: 5 inputs, 7 hidden units, 3 classes."""
    return NeuralNetwork(**{"hidden_size": 7, "input_size": 5, "output_size": 3, "seed": 0, "n_threads": 2} | changes)


def samples(n, inputs=5, classes=3, density=1.0, seed=0):
    """Random rows of which the given fraction is not zero, and labels that can be learned."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(0.1, 1, (n, inputs)) * (rng.random((n, inputs)) < density)
    y = (X @ rng.normal(size=(inputs, classes))).argmax(1)
    return X.astype(np.float32), y


def weights(net: NeuralNetwork) -> dict[str, np.ndarray]:
    """Copies of the weights."""
    return {name: np.array(getattr(net, name)) for name in WEIGHTS}


def assert_same_bits(one, other):
    """The two nets (or copies of weights) are the same bit for bit."""
    one, other = (w if isinstance(w, dict) else weights(w) for w in (one, other))
    for name in WEIGHTS:
        assert one[name].tobytes() == other[name].tobytes(), f"{name} differs"


def assert_close(net: NeuralNetwork, expected: oracle.Net, rtol: float = 1e-5):
    """Each array of weights is the oracle's to rtol of its largest number."""
    for name, exact in zip(WEIGHTS, expected, strict=True):
        allowed = rtol * max(float(np.abs(exact).max()), 1e-3)
        np.testing.assert_allclose(getattr(net, name), exact, rtol=0, atol=allowed, err_msg=name)


@contextmanager
def refused(about: str, net: NeuralNetwork | None = None):
    """Bad input raises one sentence that names what is wrong, and changes nothing."""
    before = weights(net) if net is not None else None
    with pytest.raises((ValueError, TypeError), match=about) as caught:
        yield
    message = str(caught.value)
    assert "\n" not in message
    assert message.endswith(".") or len(message.split()) >= 4, f"no sentence: {message!r}"
    if net is not None and before is not None:
        assert_same_bits(net, before)


# ---------------------------------------------------------------------- construction


def test_defaults_are_those_of_mnist():
    net = NeuralNetwork()
    assert [getattr(net, name).shape for name in WEIGHTS] == [(784, 30), (30,), (30, 10), (10,)]
    assert all(getattr(net, name).dtype == np.float32 for name in WEIGHTS)
    assert (net.hidden_size, net.input_size, net.output_size, net.lr) == (30, 784, 10, 0.1)


@pytest.mark.parametrize("name", ["hidden_size", "input_size", "output_size", "n_threads"])
@pytest.mark.parametrize("value", [0, -1, 2.5, True, "3", math.nan, [3]], ids=repr)
def test_sizes_are_whole_numbers_of_at_least_one(name, value):
    with refused(name):
        small_net(**{name: value})


@pytest.mark.parametrize("name", ["hidden_size", "input_size", "output_size"])
def test_sizes_are_needed(name):
    with refused(name):
        small_net(**{name: None})


@pytest.mark.parametrize("lr", [0, 0.0, -0.1, math.nan, math.inf, 1e-50, 1e39, "0.1", 1j], ids=repr)
def test_learning_rate_is_a_positive_number_of_float32(lr):
    with refused("lr|learning rate"):
        small_net(lr=lr)
    net = small_net()
    with refused("lr|learning rate"):
        net.lr = lr
    assert net.lr == 0.1


def test_a_learning_rate_that_is_not_given_is_the_optimizers():
    assert [small_net(lr=None, optimizer=name).lr for name in ("sgd", "momentum", "adam")] == [0.1, 0.01, 0.001]
    net = small_net(lr=None)
    with refused("lr"):
        net.lr = None


@pytest.mark.parametrize("name", ["hidden_size", "input_size", "output_size"])
def test_sizes_cannot_be_changed(name):
    net = small_net()
    with pytest.raises(AttributeError, match=name):
        setattr(net, name, 4)


@pytest.mark.parametrize("init", ["zeros", "", None, 3], ids=repr)
def test_unknown_init(init):
    with refused("glorot_uniform.*glorot_normal"):
        small_net(init=init)


@pytest.mark.parametrize("seed", [-1, 1.5, "one", math.nan], ids=repr)
def test_bad_seed(seed):
    with refused("seed"):
        small_net(seed=seed)


def test_numpy_integers_are_integers():
    net = small_net(hidden_size=np.int64(4), input_size=np.uint8(3), seed=np.int32(1), n_threads=np.int16(1))
    assert net.W1.shape == (3, 4)


def test_glorot_uniform_keeps_its_limits():
    net = NeuralNetwork(hidden_size=300, seed=1, init="glorot_uniform")
    for array, units in ((net.W1, 784 + 300), (net.W2, 300 + 10)):
        limit = math.sqrt(6 / units)
        assert 0.99 * limit < np.abs(array).max() <= np.float32(limit)
        assert abs(array.mean()) < 0.04 * limit
        assert array.std() == pytest.approx(limit / math.sqrt(3), rel=0.03)
    assert not net.b1.any()
    assert not net.b2.any()


def test_glorot_normal_is_a_whole_normal():
    net = NeuralNetwork(hidden_size=300, seed=1, init="glorot_normal")
    for array, units in ((net.W1, 784 + 300), (net.W2, 300 + 10)):
        scaled = np.asarray(array, dtype=np.float64) / math.sqrt(2 / units)
        assert scaled.var() == pytest.approx(1, rel=0.06)
        assert abs(scaled.mean()) < 0.04
        # Cut at two standard deviations, as Keras draws it, it would have none of these.
        assert (np.abs(scaled) > 2).mean() == pytest.approx(0.0455, rel=0.3)
    assert not net.b1.any()
    assert not net.b2.any()


def test_seed_fixes_the_weights():
    assert_same_bits(small_net(seed=3), small_net(seed=3))
    for other in (small_net(seed=4), small_net(seed=None)):
        assert not np.array_equal(small_net(seed=3).W1, other.W1)
    assert not np.array_equal(small_net(seed=None).W1, small_net(seed=None).W1)


# ---------------------------------------------------------------------- weights


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_are_copied_when_set(name):
    net = small_net()
    values = np.random.default_rng(0).normal(size=getattr(net, name).shape)
    expected = values.astype(np.float32)
    setattr(net, name, values)
    values[:] = 99
    assert getattr(net, name).dtype == np.float32
    np.testing.assert_array_equal(getattr(net, name), expected)
    setattr(net, name, np.asfortranarray(expected))
    np.testing.assert_array_equal(getattr(net, name), expected)
    setattr(net, name, expected.tolist())
    np.testing.assert_array_equal(getattr(net, name), expected)


@pytest.mark.parametrize("name", WEIGHTS)
def test_bad_weights_are_refused(name):
    net = small_net()
    good = np.array(getattr(net, name))
    bad = [
        good[:-1],
        good[None],
        good.T[None],
        np.float32(1),
        good.astype(complex),
        "weights",
        None,
    ]
    for value in (math.nan, math.inf, -math.inf, 1e39):
        broken = good.astype(np.float64)
        broken.flat[-1] = value
        bad.append(broken)
    for values in bad:
        with refused(name, net):
            setattr(net, name, values)


def test_weights_that_are_set_are_those_that_are_used():
    X, y = samples(20)
    net, model = small_net(), oracle.random_net(np.random.default_rng(5), 5, 7, 3)
    net.forward(X)
    for name, values in zip(WEIGHTS, model, strict=True):
        setattr(net, name, values)
    np.testing.assert_allclose(net.forward(X), oracle.forward(model, X).probs, rtol=1e-5)
    net.fit(X, y, batch_size=8, number_epochs=1, shuffle=False)
    assert_close(net, oracle.epoch(model, X, y, 0.1, 8).net)


def test_a_weight_that_is_read_is_no_trap():
    """Writing into what was read either counts or is refused; it is never lost without a word."""
    X, _ = samples(3)
    net = small_net()
    net.forward(X)
    try:
        net.b2[:] = [50, 0, 0]
    except ValueError:
        return
    np.testing.assert_allclose(net.forward(X)[:, 0], 1, rtol=1e-6)


# ---------------------------------------------------------------------- training


@pytest.mark.parametrize("density", [0.15, 1.0])
@pytest.mark.parametrize(
    ("n", "D", "H", "C", "batch"),
    [
        (70, 12, 7, 3, 32),  # a partial last batch
        (33, 5, 30, 10, 1),  # one sample at a time
        (1, 3, 7, 2, 1),
        (40, 1, 7, 3, 7),  # one input
        (40, 9, 1, 3, 16),  # one hidden unit
        (40, 9, 7, 1, 16),  # one class: nothing to learn
        (20, 1, 1, 1, 20),
        (129, 17, 30, 2, 128),  # a last batch of one
        (50, 6, 7, 3000, 25),
        (48, 70_000, 7, 3, 16),  # columns beyond 16 bits
    ],
)
def test_an_epoch_is_the_oracles(n, D, H, C, batch, density):
    rng = np.random.default_rng(n)
    if D > 1000:
        density *= 1e-3
    X, _ = samples(n, D, density=density)
    X[:, -1] = rng.uniform(0.1, 1, n) * (rng.random(n) < 0.5)  # so that the last column matters
    y = rng.integers(0, C, n)
    net = NeuralNetwork(H, 0.1, input_size=D, output_size=C, seed=0, n_threads=2)
    expected = oracle.epoch(oracle.weights_of(net), X, y, 0.1, batch)
    history = net.fit(X, y, batch, 1, shuffle=False)
    assert_close(net, expected.net)
    assert history.loss == [pytest.approx(expected.loss, rel=1e-5, abs=1e-7)]
    assert history.accuracy == [pytest.approx(expected.accuracy, abs=1e-12)]


def test_negative_and_large_inputs():
    rng = np.random.default_rng(2)
    X = (10 * rng.normal(size=(60, 5))).astype(np.float32)
    y = rng.integers(0, 3, 60)
    net = small_net(lr=0.01)
    expected = oracle.epoch(oracle.weights_of(net), X, y, 0.01, 20)
    history = net.fit(X, y, 20, 1, shuffle=False)
    assert_close(net, expected.net)
    assert history.loss == [pytest.approx(expected.loss, rel=1e-5)]


def test_derivative_at_exactly_zero_is_zero():
    net = small_net(input_size=1, hidden_size=2, output_size=2)
    net.W1, net.b1 = [[1.0, 2.0]], [-3.0, 0.0]
    net.W2, net.b2 = [[1.0, -1.0], [0.5, 2.0]], [0.0, 0.0]
    net.fit([[3.0]], [0], batch_size=1, number_epochs=1)
    assert (net.W1[0, 0], net.b1[0]) == (1.0, -3.0)
    assert net.W1[0, 1] != 2.0
    assert net.b1[1] != 0.0


def test_shuffle_visits_each_sample_once_and_orders_differ():
    """With one sample per class and no hidden weights, b2's path shows who came and when."""
    n = 12
    X, y = np.ones((n, 1), np.float32), np.arange(n)
    orders = []
    for seed in (0, 1):
        net = small_net(input_size=1, output_size=n, seed=seed)
        net.W2 = np.zeros((7, n))
        net.W1 = -np.ones((1, 7))  # the hidden units stay at 0: b2 alone learns
        net.fit(X, y, batch_size=1, number_epochs=1)
        # Each step adds lr (1 - p) to the label's bias and takes from all others: the later a class
        # came, the less was taken back from it.
        orders.append(tuple(np.argsort(net.b2)))
        assert len(np.unique(np.round(net.b2.astype(float), 6))) == n
    assert orders[0] != orders[1] != tuple(range(n))


def test_without_shuffle_the_order_is_the_given_one():
    X, y = samples(50)
    order = np.random.default_rng(1).permutation(50)
    replayed, expected = small_net(), small_net()
    replayed.fit(X[order], y[order], 16, 2, shuffle=False)
    model = oracle.weights_of(expected)
    for _ in range(2):
        model = oracle.epoch(model, X, y, 0.1, 16, order).net
    assert_close(replayed, model)


@pytest.mark.parametrize("shuffle", [False, True])
def test_a_second_fit_continues(shuffle):
    X, y = samples(50, density=0.5)
    once, twice = small_net(), small_net()
    whole = once.fit(X, y, 16, 20, shuffle=shuffle)
    first = twice.fit(X, y, 16, 10, shuffle=shuffle)
    second = twice.fit(X, y, 16, 10, shuffle=shuffle)
    assert_same_bits(once, twice)
    assert first.loss + second.loss == whole.loss
    assert first.accuracy + second.accuracy == whole.accuracy


def test_it_learns():
    X, y = samples(400, 8, 3)
    net = small_net(input_size=8)
    history = net.fit(X, y, batch_size=16, number_epochs=30)
    assert history.loss[-1] < 0.5 * history.loss[0]
    assert net.predict(X, y).accuracy > 0.9


def test_batch_size_beyond_the_data_is_clipped_with_a_warning():
    X, y = samples(20)
    clipped, whole = small_net(), small_net()
    with pytest.warns(UserWarning, match=r"batch_size.*20") as seen:
        clipped.fit(X, y, batch_size=21, number_epochs=2)
    assert len(seen) == 1
    whole.fit(X, y, batch_size=20, number_epochs=2)
    assert_same_bits(clipped, whole)


# ---------------------------------------------------------------------- history, callback


def test_history_has_a_number_per_epoch():
    X, y = samples(50)
    history = small_net().fit(X, y, batch_size=16, number_epochs=3)
    assert isinstance(history, History)
    for values in (history.loss, history.accuracy, history.seconds):
        assert isinstance(values, list)
        assert len(values) == 3
        assert all(type(value) is float for value in values)
    assert not history.val_loss
    assert not history.val_accuracy
    assert all(0 < seconds < 5 for seconds in history.seconds)
    assert history.compile_seconds >= 0


@pytest.mark.alone
def test_compilation_is_no_part_of_an_epoch():
    X, y = samples(50)
    small_net().fit(X, y, batch_size=16, number_epochs=1)
    again = small_net().fit(X, y, batch_size=16, number_epochs=1)
    assert again.compile_seconds < 0.2
    assert again.seconds[0] < 0.2


def test_validation_is_predict_after_each_epoch():
    X, y = samples(60)
    net, alone = small_net(), small_net()
    seen = []
    history = net.fit(
        X[:40],
        y[:40],
        16,
        3,
        validation=(X[40:], y[40:]),
        callback=lambda epoch, history: seen.append(net.predict(X[40:], y[40:])),
    )
    assert list(zip(history.val_loss, history.val_accuracy, strict=True)) == seen
    assert len(seen) == 3
    alone.fit(X[:40], y[:40], 16, 3)
    assert_same_bits(net, alone)


def test_callback_sees_the_net_after_each_epoch():
    X, y = samples(50)
    net, stepped = small_net(), small_net()
    calls = []

    def callback(epoch, history):
        calls.append((epoch, len(history.loss), len(history.val_loss), weights(net)))

    history = net.fit(X, y, 16, 3, validation=(X, y), callback=callback)
    assert [call[:3] for call in calls] == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]
    for call in calls:
        stepped.fit(X, y, 16, 1)
        assert_same_bits(call[3], stepped)
    calls.clear()
    net.fit(X, y, 16, 1, callback=callback)
    assert calls[0][:3] == (1, 1, 0)
    assert len(history.loss) == 3


def test_an_error_in_the_callback_goes_on_to_the_caller():
    X, y = samples(50)
    net, stepped = small_net(), small_net()

    def callback(epoch, history):
        if epoch == 2:
            raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        net.fit(X, y, 16, 5, callback=callback)
    stepped.fit(X, y, 16, 2)
    assert_same_bits(net, stepped)
    net.fit(X, y, 16, 1)
    stepped.fit(X, y, 16, 1)
    assert_same_bits(net, stepped)


@pytest.mark.parametrize("validation", [(), ([[1.0] * 5],), 3, "ab"], ids=repr)
def test_bad_validation_is_refused_before_training(validation):
    X, y = samples(10)
    net = small_net()
    with refused("validation", net):
        net.fit(X, y, 4, 1, validation=validation)


def test_bad_validation_arrays_are_refused_before_training():
    X, y = samples(10)
    net = small_net()
    for bad in ((X[:, :4], y), (X, y[:-1]), (X * np.nan, y), (X, y + 3), (X[:0], y[:0])):
        with refused("validation", net):
            net.fit(X, y, 4, 1, validation=bad)


@pytest.mark.parametrize(("answer", "epochs"), [(True, 2), (np.True_, 2), (None, 5), (False, 5), (1, 5), ("yes", 5)])
def test_a_callback_that_returns_true_ends_the_training(answer, epochs):
    net, (X, y) = small_net(), samples(50)
    history = net.fit(X, y, 16, 5, callback=lambda epoch, _: answer if epoch == 2 else None)
    assert len(history.loss) == epochs


def test_a_setting_that_fit_does_not_have_is_refused_before_any_work():
    X, y = samples(50)
    net = small_net()
    before = weights(net)
    with pytest.raises(TypeError, match=r"^fit\(\) got an unexpected keyword argument 'epochs'$"):
        net.fit(X, y, 16, epochs=3)
    assert_same_bits(before, net)


def test_callback_must_be_callable():
    X, y = samples(10)
    net = small_net()
    with refused("callback", net):
        net.fit(X, y, 4, 1, callback=3)


# ---------------------------------------------------------------------- divergence, interruption


def test_divergence_names_the_learning_rate():
    X, y = samples(100)
    net = small_net(lr=1e6)
    with pytest.raises(DivergenceError, match=r"1e\+?0?6|1,?000,?000") as caught:
        net.fit(X, y, batch_size=16, number_epochs=5)
    assert isinstance(caught.value, ArithmeticError)
    assert "\n" not in str(caught.value)
    assert all(np.isfinite(getattr(net, name)).all() for name in WEIGHTS)
    np.testing.assert_allclose(net.forward(X).sum(1), 1, rtol=1e-5)
    net.lr = 0.1
    assert net.fit(X, y, batch_size=16, number_epochs=1).loss[0] < 100 * math.log(3)


INTERRUPTED = """
import json, sys, time
import numpy as np
from fastmlp import NeuralNetwork

n_threads, epochs_before = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X = rng.random((20_000, 784), dtype=np.float32)
y = rng.integers(0, 10, 20_000)
net = NeuralNetwork(hidden_size=1024, lr=0.001, seed=0, n_threads=n_threads)
seconds = net.fit(X[:1000], y[:1000], number_epochs=2).seconds[1]
names = ("W1", "b1", "W2", "b2")
last = {name: np.array(getattr(net, name)) for name in names}

def callback(epoch, history):
    last.update({name: np.array(getattr(net, name)) for name in names})
    if epoch == epochs_before:
        print(history.seconds[-1], flush=True)

if epochs_before == 0:
    print(20 * seconds, flush=True)
try:
    net.fit(X, y, number_epochs=10_000, callback=callback)
except KeyboardInterrupt:
    stopped = time.monotonic()
    time.sleep(0.3)  # a thread that were still at work would now spoil the weights
    kept = all(np.array_equal(getattr(net, name), last[name]) for name in names)
    again = net.fit(X[:256], y[:256], number_epochs=1)
    print(json.dumps({"stopped": stopped, "kept": kept, "loss": again.loss[0]}))
"""


@pytest.mark.alone
@pytest.mark.skipif(os.name != "posix", reason="SIGINT is sent as POSIX does")
@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("epochs_before", [0, 1])
def test_ctrl_c_stops_within_half_a_second(n_threads, epochs_before):
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, str(n_threads), str(epochs_before)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(fastmlp.__file__).parents[1],
    )
    with process:
        assert process.stdout is not None
        epoch_seconds = float(process.stdout.readline())
        time.sleep(0.4 * epoch_seconds)  # into the middle of the next epoch
        sent = time.monotonic()
        process.send_signal(signal.SIGINT)
        outcome = json.loads(process.communicate(timeout=60)[0])
    assert process.returncode == 0
    assert outcome["kept"], "the weights are not those after the last full epoch"
    assert math.isfinite(outcome["loss"])
    assert outcome["stopped"] - sent < 0.5


# ---------------------------------------------------------------------- forward and predict


def test_forward_is_the_oracles():
    X, _ = samples(30, density=0.5)
    net = small_net(seed=2)
    probs = net.forward(X)
    assert probs.dtype == np.float32
    assert probs.shape == (30, 3)
    np.testing.assert_allclose(probs, oracle.forward(oracle.weights_of(net), X).probs, rtol=1e-5)
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("hidden_size", [7, 30])
def test_a_rows_result_has_the_same_bits_everywhere(hidden_size):
    rng = np.random.default_rng(0)
    dense, _ = samples(300, 40)
    sparse, _ = samples(300, 40, density=0.1)
    mixed = np.concatenate([dense[:3], np.zeros((1, 40), np.float32), sparse[:3]])
    model = oracle.random_net(rng, 40, hidden_size, 10)
    results = []
    for n_threads in (1, 2, 3, 5):
        net = NeuralNetwork(hidden_size, input_size=40, n_threads=n_threads)
        for name, values in zip(WEIGHTS, model, strict=True):
            setattr(net, name, values)
        results += [
            np.concatenate([net.forward(mixed[i : i + 1]) for i in range(len(mixed))]),
            net.forward(mixed),
            net.forward(np.asfortranarray(mixed)),
            net.forward(np.concatenate([dense, mixed]))[300:],
            net.forward(np.concatenate([mixed, dense]))[:7],
            net.forward(np.concatenate([mixed, sparse]))[:7],
            net.forward(np.concatenate([sparse[:5], mixed, dense[:1]]))[5:12],
            net.forward(np.concatenate([dense, sparse, mixed, dense]))[600:607],
            net.forward(mixed[::-1])[::-1],
        ]
    for number, result in enumerate(results):
        assert result.tobytes() == results[0].tobytes(), f"result {number} differs"


def test_predict_is_loss_and_accuracy():
    X, y = samples(50, density=0.5)
    net = small_net(seed=2)
    model = oracle.weights_of(net)
    score = net.predict(X, y)
    assert isinstance(score, Score)
    loss, accuracy = score
    assert (loss, accuracy) == (score.loss, score.accuracy)
    assert type(loss) is float
    assert type(accuracy) is float
    assert loss == pytest.approx(oracle.loss(model, X.astype(float), y), rel=1e-6)
    assert accuracy == pytest.approx(oracle.accuracy(model, X.astype(float), y), abs=1e-12)
    assert accuracy == pytest.approx((net.forward(X).argmax(1) == y).mean(), abs=1e-12)


def test_extreme_logits_neither_overflow_nor_clip():
    X, y = np.ones((4, 5), np.float32), np.array([0, 1, 2, 0])
    net = small_net()
    net.W2, net.b2 = np.zeros((7, 3)), [1e4, 0, -1e4]
    probs = net.forward(X)
    np.testing.assert_array_equal(probs, [[1, 0, 0]] * 4)
    assert net.predict(X, y).loss == pytest.approx((0 + 1e4 + 2e4 + 0) / 4, rel=1e-6)
    assert net.predict(X, y).accuracy == 0.5


def test_predict_leaves_the_net_and_the_data_alone():
    X, y = samples(30)
    net, before = small_net(), weights(small_net())
    kept = X.tobytes(), y.tobytes()
    net.predict(X, y)
    net.forward(X)
    assert_same_bits(net, before)
    net.fit(X, y, 8, 2)
    assert (X.tobytes(), y.tobytes()) == kept


# ---------------------------------------------------------------------- input, taken in


def strided(X):
    wide = np.full((2 * X.shape[0], 3 * X.shape[1]), np.nan, np.float32)
    wide[::2, ::3] = X
    return wide[::2, ::3]


def read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


def memory_mapped(X):
    with tempfile.TemporaryFile() as file:
        file.write(X.tobytes())
        file.flush()
        return np.memmap(file, np.float32, "r", shape=X.shape)


def unaligned(X):
    raw = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(np.float32).reshape(X.shape)
    assert not raw.flags.aligned
    return raw


FORMS = {
    "float64": lambda X: X.astype(np.float64),
    "float16": lambda X: X.astype(np.float16),
    "longdouble": lambda X: X.astype(np.longdouble),
    "big-endian": lambda X: X.astype(">f4"),
    "int64": lambda X: X.astype(np.int64),
    "int8": lambda X: X.astype(np.int8),
    "uint8": lambda X: X.astype(np.uint8),
    "uint64": lambda X: X.astype(np.uint64),
    "bool": lambda X: X > 1,
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "read-only": read_only,
    "memory-mapped": memory_mapped,
    "list": lambda X: X.tolist(),
    "tuple of rows": lambda X: tuple(X),
    "unaligned": unaligned,
    "objects": lambda X: X.astype(object),
    "images": lambda X: X[:, None],
}


@pytest.mark.parametrize("density", [0.2, 1.0])
@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_input_gives_the_same_bits(form, density):
    rng = np.random.default_rng(0)
    X = rng.integers(1, 4, (40, 5)) * (rng.random((40, 5)) < density)
    given = FORMS[form](X.astype(np.float32))
    plain = np.array(given, dtype=np.float32, order="C")
    y = rng.integers(0, 3, 40)
    net, expected = small_net(), small_net()
    history = net.fit(given, y, 16, 2)
    assert history.loss == expected.fit(plain, y, 16, 2).loss
    assert_same_bits(net, expected)
    assert net.forward(given).tobytes() == expected.forward(plain).tobytes()
    assert net.predict(given, y) == expected.predict(plain, y)


LABEL_FORMS = {
    "int8": lambda y: y.astype(np.int8),
    "uint8": lambda y: y.astype(np.uint8),
    "uint64": lambda y: y.astype(np.uint64),
    "big-endian": lambda y: y.astype(">i4"),
    "whole float64": lambda y: y.astype(np.float64),
    "list": lambda y: y.tolist(),
    "strided": lambda y: np.repeat(y, 2)[::2],
    "read-only": read_only,
    "one-hot float32": lambda y: np.eye(3, dtype=np.float32)[y],
    "one-hot float64, Fortran order": lambda y: np.asfortranarray(np.eye(3)[y]),
    "one-hot int": lambda y: np.eye(3, dtype=int)[y],
    "one-hot bool": lambda y: np.eye(3, dtype=bool)[y],
    "one-hot list": lambda y: np.eye(3)[y].tolist(),
    "a column": lambda y: y[:, None],
    "objects": lambda y: y.astype(object),
}


@pytest.mark.parametrize("form", LABEL_FORMS)
def test_every_form_of_labels_gives_the_same_bits(form):
    X, y = samples(40)
    given = LABEL_FORMS[form](y)
    net, expected = small_net(), small_net()
    assert net.fit(X, given, 16, 2).loss == expected.fit(X, y, 16, 2).loss
    assert_same_bits(net, expected)
    assert net.predict(X, given) == expected.predict(X, y)


# ---------------------------------------------------------------------- input, refused

ROWS = np.ones((6, 5), np.float32)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def with_value(array, value, dtype=np.float64):
    array = np.array(array, dtype)
    array.flat[-1] = value
    return array


BAD_X = {
    "None": None,
    "a number": 3.0,
    "1-d": ROWS[0],
    "3-d": ROWS[None],
    "too few columns": ROWS[:, :4],
    "too many columns": np.ones((6, 6)),
    "no rows": ROWS[:0],
    "no columns": ROWS[:, :0],
    "empty list": [],
    "ragged list": [[1.0] * 5] * 5 + [[1.0]],
    "str": ROWS.astype(str),
    "bytes": ROWS.astype("S4"),
    "objects": np.array([[object()] * 5] * 6),
    "complex": ROWS.astype(complex),
    "datetime": np.zeros((6, 5), "datetime64[s]"),
    "timedelta": np.zeros((6, 5), "timedelta64[s]"),
    "structured": np.zeros((6, 5), [("pixel", "f4")]),
    "NaN": with_value(ROWS, math.nan, np.float32),
    "infinity": with_value(ROWS, math.inf, np.float32),
    "minus infinity": with_value(ROWS, -math.inf),
    "float16 infinity": with_value(ROWS, math.inf, np.float16),
    "beyond float32": with_value(ROWS, 1e39),
}
BAD_Y = {
    "None": None,
    "a number": 3,
    "too short": LABELS[:5],
    "too long": np.append(LABELS, 0),
    "empty": LABELS[:0],
    "negative": with_value(LABELS, -1, int),
    "too large": with_value(LABELS, 3, int),
    "far too large": with_value(LABELS, 2**63, np.uint64),
    "fractional": with_value(LABELS, 1.5),
    "missing": with_value(LABELS, math.nan),
    "missing in a list": [0, 1, 2, 0, 1, None],
    "infinite": with_value(LABELS, math.inf),
    "str": LABELS.astype(str),
    "objects": np.array([object()] * 6),
    "complex": LABELS.astype(complex),
    "datetime": LABELS.astype("datetime64[s]"),
    "a row": LABELS[None],
    "one-hot of other classes": np.eye(4)[LABELS],
    "one-hot too short": np.eye(3)[LABELS[:5]],
    "one-hot of nothing": with_value(np.eye(3)[LABELS], 0),
    "one-hot of two": np.minimum(np.eye(3)[LABELS] + np.eye(3)[[0] * 6], 1),
    "one-hot of halves": np.full((6, 3), 1 / 3),
    "one-hot with NaN": with_value(np.eye(3)[LABELS], math.nan),
    "one-hot of 2": 2 * np.eye(3)[LABELS],
    "one-hot of -1": 1 - 2 * np.eye(3)[LABELS],
}


@pytest.mark.parametrize("case", BAD_X)
def test_bad_rows_are_refused(case):
    net = small_net()
    with refused(r"\bX\b", net):
        net.fit(BAD_X[case], LABELS, 2, 1)
    with refused(r"\bX\b", net):
        net.predict(BAD_X[case], LABELS)
    with refused(r"\bX\b", net):
        net.forward(BAD_X[case])


@pytest.mark.parametrize("case", BAD_Y)
def test_bad_labels_are_refused(case):
    net = small_net()
    with refused(r"\bY\b", net):
        net.fit(ROWS, BAD_Y[case], 2, 1)
    with refused(r"\bY\b", net):
        net.predict(ROWS, BAD_Y[case])


@pytest.mark.parametrize("name", ["batch_size", "number_epochs"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, None, "2", math.nan], ids=repr)
def test_bad_fit_sizes_are_refused(name, value):
    net = small_net()
    with refused(name, net):
        net.fit(ROWS, LABELS, **{"batch_size": 2, "number_epochs": 1, name: value})


# ---------------------------------------------------------------------- copies, surroundings


@pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda n: pickle.loads(pickle.dumps(n))])
def test_a_copy_is_the_same_net_and_goes_its_own_way(copied):
    X, y = samples(50)
    net = small_net()
    net.fit(X, y, 16, 2)
    before = weights(net)
    twin = copied(net)
    assert_same_bits(net, twin)
    assert net.forward(X).tobytes() == twin.forward(X).tobytes()
    twin.fit(X, y, 16, 2)
    assert_same_bits(net, before)
    net.fit(X, y, 16, 2)
    assert_same_bits(net, twin)


def surroundings() -> dict[str, object]:
    """The global state that a library has no business with."""
    return {
        "numpy's generator": pickle.dumps(np.random.get_state()),  # noqa: NPY002
        "random's generator": random.getstate(),
        "environment": dict(os.environ),
        "numba's configuration": {
            name: repr(getattr(numba.config, name)) for name in dir(numba.config) if name.isupper()
        },
        "numpy's errors": np.geterr(),
        "signal handlers": [signal.getsignal(number) for number in sorted(signal.valid_signals())],
        "warning filters": list(warnings.filters),
        "switch interval": sys.getswitchinterval(),
        "print options": np.get_printoptions(),
    }


def test_a_fit_changes_no_global_state_and_prints_nothing(capfd):
    X, y = samples(50)
    before = surroundings()
    net = small_net(hidden_size=9)
    net.fit(X, y, 16, 2, validation=(X, y))
    net.predict(X, y)
    after = surroundings()
    for name, value in before.items():
        assert after[name] == value, f"{name} changed"
    assert capfd.readouterr() == ("", "")


def test_importing_the_package_loads_no_numba(run_python):
    run_python("import sys, fastmlp; assert 'numba' not in sys.modules and 'numpy' not in sys.modules")


def test_more_threads_than_cores():
    X, y = samples(50)
    one, many = small_net(n_threads=1), small_net(n_threads=(os.cpu_count() or 1) + 6)
    one.fit(X, y, 16, 2)
    many.fit(X, y, 16, 2)
    assert_same_bits(one, many)
