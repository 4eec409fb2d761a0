"""The nets of a comparison follow one protocol and compute the same."""

import sys

import numpy as np
import oracle
import pytest
from test_steps import oracle_epoch

from fastmlp import Adam, Momentum, contenders
from fastmlp.datasets import Dataset
from fastmlp.machine import CPU_VARIABLES

WEIGHTS = ("W1", "b1", "W2", "b2")
# Whose seed fixes the order of the samples too; fastmlp and NumPy draw alike.
SEEDED = ("fastmlp", "numpy", "torch", "jax", "sklearn")


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 90)
    x = rng.random((90, 12)).astype(np.float32)
    x[np.arange(90), y] += 2
    return Dataset(x[:70], y[:70], x[70:], y[70:], name="small")


def make(name, seed=1, **settings):
    if not contenders.available(name):
        pytest.skip(f"the libraries of {name} are not installed")
    return contenders.load(name)(8, 0.1, input_size=12, output_size=3, seed=seed, **settings)


@pytest.fixture(params=contenders.MODULES)
def name(request):
    return request.param


@pytest.fixture
def net(name):
    return make(name)


def set_weights(net, weights):
    for name in WEIGHTS:
        setattr(net, name, getattr(weights, name).astype(np.float32))


def assert_weights(net, expected):
    for name in WEIGHTS:
        weight = getattr(net, name)
        assert weight.dtype == np.float32
        np.testing.assert_allclose(weight, getattr(expected, name), atol=1e-5)


# 70 samples: in batches of 16 the last one is smaller, 35 divides them, and 100 is more than there are.
@pytest.mark.filterwarnings("ignore:batch_size 100 is larger than the data")  # as ours says
@pytest.mark.parametrize("batch_size", [16, 35, 100])
def test_same_weights_and_order_give_the_oracles_losses(net, name, data, batch_size):
    start = oracle.random_net(np.random.default_rng(4), 12, 8, 3)
    set_weights(net, start)
    history = net.fit(data.x_train, data.y_train, batch_size, 1, shuffle=False)
    expected = oracle.epoch(start, data.x_train, data.y_train, 0.1, batch_size)
    assert history.loss == [pytest.approx(expected.loss, rel=1e-5)]
    # scikit-learn gives no accuracy while it trains: that of the net after the epoch stands there.
    after = oracle.accuracy(expected.net, data.x_train, data.y_train)
    assert history.accuracy == [pytest.approx(after if name == "sklearn" else expected.accuracy)]
    assert_weights(net, expected.net)


@pytest.mark.parametrize("optimizer", [Momentum(), Adam()], ids=["momentum", "adam"])
def test_the_librarys_optimizer_is_ours(name, data, optimizer):
    """Over several epochs, also where the library is called once before to have it compile."""
    net, lr = make(name, optimizer=type(optimizer).__name__.lower()), 0.1
    start = oracle.random_net(np.random.default_rng(4), 12, 8, 3)
    set_weights(net, start)
    history = net.fit(data.x_train, data.y_train, 16, 3, shuffle=False)
    _, losses = oracle_epoch(net, data.x_train, data.y_train, optimizer, lr, 16, 3, start=start)
    sizes = [16, 16, 16, 16, 6] * 3
    means = np.array(losses) * sizes
    assert history.loss == pytest.approx(means.reshape(3, -1).sum(1) / 70, rel=1e-4)


def test_weights_can_be_set_after_a_fit_and_a_second_fit_goes_on(net, data):
    net.fit(data.x_train, data.y_train, 16, 2)
    expected = start = oracle.random_net(np.random.default_rng(4), 12, 8, 3)
    set_weights(net, start)
    assert_weights(net, start)
    losses = []
    for epochs in (1, 2):
        losses += net.fit(data.x_train, data.y_train, 16, epochs, shuffle=False).loss
    for loss in losses:
        epoch = oracle.epoch(expected, data.x_train, data.y_train, 0.1, 16)
        assert loss == pytest.approx(epoch.loss, rel=1e-5)
        expected = epoch.net
    assert_weights(net, expected)


def test_weights_that_were_read_and_set_are_copies(net, data):
    start = {name: getattr(net, name) for name in WEIGHTS}
    for name in WEIGHTS:
        setattr(net, name, start[name])
    kept = {name: array.copy() for name, array in start.items()}
    net.fit(data.x_train, data.y_train, 16, 1)
    for name in WEIGHTS:
        np.testing.assert_array_equal(start[name], kept[name])


def test_score_is_the_oracles(net, data):
    weights = oracle.random_net(np.random.default_rng(4), 12, 8, 3)
    for factor in (1, 300):  # the larger ones make probabilities that float32 cannot hold
        scaled = oracle.Net(weights.W1, weights.b1, weights.W2 * factor, weights.b2)
        set_weights(net, scaled)
        loss, accuracy = net.score(data.x_test, data.y_test)
        assert loss == pytest.approx(oracle.loss(scaled, data.x_test, data.y_test), rel=1e-5)
        assert accuracy == pytest.approx(oracle.accuracy(scaled, data.x_test, data.y_test))


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_fixes_the_training(name, data):
    losses = [make(name, seed).fit(data.x_train, data.y_train, 16, 3).loss for seed in (3, 3, 4)]
    assert losses[0] == losses[1] != losses[2]


def test_each_epoch_has_an_order_of_its_own(net, data):
    start = oracle.random_net(np.random.default_rng(4), 12, 8, 3)
    losses = []
    for shuffle in (True, True, False):
        set_weights(net, start)
        losses += net.fit(data.x_train, data.y_train, 16, 1, shuffle=shuffle).loss
    assert len(set(losses)) == 3


XLA_THREADS = "[(task / 'comm').read_text() for task in Path('/proc/self/task').iterdir()].count('tf_XLAEigen\\n')"
TENSORFLOW_THREADS = "__import__('tensorflow').config.threading.get_intra_op_parallelism_threads()"


@pytest.mark.skipif(sys.platform != "linux", reason="counts the threads that Linux shows in /proc")
@pytest.mark.parametrize(
    ("name", "threads"),
    [
        ("keras", TENSORFLOW_THREADS),
        ("keras-tuned", TENSORFLOW_THREADS),
        ("torch", "__import__('torch').get_num_threads()"),
        ("jax", XLA_THREADS),
    ],
)
def test_one_thread_is_one(name, threads, run_python):
    make(name)
    code = f"""
from pathlib import Path
import numpy as np
from fastmlp import Adam, Momentum, contenders
net = contenders.load({name!r})(8, 0.1, input_size=12, output_size=3, seed=1, n_threads=1)
X, Y = np.random.default_rng(0).random((70, 12), np.float32), np.arange(70) % 3
history = net.fit(X, Y, 16, 2)
assert history.loss[1] < history.loss[0]
threads = {threads}
assert threads == 1, threads
"""
    run_python(code, env=CPU_VARIABLES)


def test_sklearn_holds_the_blas_to_its_threads_while_it_trains(data, monkeypatch):
    net = make("sklearn", n_threads=1)
    from threadpoolctl import threadpool_info

    seen = []
    monkeypatch.setattr(net, "_epoch", lambda X, Y: seen.extend(threadpool_info()))
    net.fit(data.x_train, data.y_train, 16, 1)
    assert {pool["num_threads"] for pool in seen if pool["user_api"] == "blas"} == {1}


def test_xla_keeps_the_threads_that_it_began_with():
    make("jax")
    from fastmlp.contenders.jax_net import _threads_at_start

    make("jax", n_threads=_threads_at_start[0])
    with pytest.raises(ValueError, match=r"XLA has started with \d+ threads and cannot change to 99"):
        make("jax", n_threads=99)


def test_sklearn_refuses_two_classes_which_it_learns_otherwise():
    make("sklearn")
    with pytest.raises(ValueError, match="one output for two classes"):
        contenders.load("sklearn")(8, 0.1, input_size=12, output_size=2)


def test_sklearn_is_stopped_by_ctrl_c(data, monkeypatch):
    net = make("sklearn")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn.neural_network._stochastic_optimizers.BaseOptimizer.update_params", interrupt)
    with pytest.raises(KeyboardInterrupt):
        net.fit(data.x_train, data.y_train, 16, 2)


def test_fit_and_test_measures_both_parts(net, data):
    epochs = []
    result = contenders.fit_and_test(net, data, 16, 60, callback=lambda epoch, history: epochs.append(epoch))
    assert epochs == list(range(1, 61))
    assert result.train_accuracy > 0.9
    assert result.test_accuracy > 0.8
    assert len(result.history.loss) == len(result.history.seconds) == 60
    assert result.train_seconds == pytest.approx(sum(result.history.seconds))
    assert result.train_loss == pytest.approx(net.score(data.x_train, data.y_train).loss)


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


@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")  # NumPy's own
@pytest.mark.filterwarnings("ignore:the outputs of .* overflow float32:RuntimeWarning")  # ours
def test_nan_is_never_right(net, data):
    ones = [np.ones(getattr(net, name).shape, np.float32) for name in WEIGHTS]
    net.W1, net.b1, net.W2, net.b2 = (np.float32(1e30) * array for array in ones)
    score = net.score(data.x_test, np.zeros(20, np.int64))  # the class that argmax takes NaN for
    assert np.isnan(score.loss)
    assert score.accuracy == 0
