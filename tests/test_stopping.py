"""Early stopping: when a training ends, and that the net is what it was after its best epoch."""

import math
import pickle

import numpy as np
import pytest

from fastmlp import EarlyStopping, NeuralNetwork
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score
from fastmlp.errors import DivergenceError, InvalidTypeError, InvalidValueError

RNG = np.random.default_rng(2)
Y = np.arange(90) % 3
X = (RNG.normal(size=(90, 7)) + 0.7 * np.eye(7)[Y]).astype(np.float32)
TRAIN, HELD = (X[:60], Y[:60]), (X[60:], Y[60:])
OPTIMIZERS = ["sgd", "momentum", "adam"]


def new_net(optimizer="sgd", **settings):
    return NeuralNetwork(20, 0.05, input_size=7, output_size=3, seed=0, optimizer=optimizer, **settings)


def state_of(net):
    """All of a net but its random numbers, to be compared with ==."""
    state = net._optimizer_state
    arrays = net._weights.arrays() | state.arrays()
    return {name: array.tobytes() for name, array in arrays.items()} | {"steps": state.steps}


def fit(net, epochs=40, **options):
    return net.fit(*TRAIN, 8, epochs, **({"validation": HELD, "early_stopping": EarlyStopping(patience=3)} | options))


def scripted(monkeypatch, values):
    """Let the validation give these losses, and 1 - loss for the accuracy."""
    given = iter(values)
    monkeypatch.setattr(
        "fastmlp.network.measure_on", lambda *_: lambda: Score(*(lambda value: (value, 1 - value))(next(given)))
    )


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_net_is_as_it_was_after_its_best_epoch(optimizer):
    net, states = new_net(optimizer), []
    history = fit(net, callback=lambda _epoch, _history: states.append(state_of(net)))
    assert history.stopped_early
    assert history.best_epoch == np.argmin(history.val_loss) + 1 == len(history.loss) - 3
    assert state_of(net) == states[history.best_epoch - 1] != states[-1]
    shorter = new_net(optimizer)
    fit(shorter, history.best_epoch, early_stopping=False)
    assert state_of(shorter) == state_of(net)
    assert net.score(*HELD).loss == min(history.val_loss)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_training_that_reaches_its_last_epoch_has_the_best_one_too(optimizer):
    net, states = new_net(optimizer), []
    history = fit(net, 40, early_stopping=EarlyStopping(patience=100), callback=lambda *_: states.append(state_of(net)))
    assert not history.stopped_early
    assert len(history.loss) == 40 > history.best_epoch
    assert state_of(net) == states[history.best_epoch - 1]


@pytest.mark.parametrize("how", ["callback", "Ctrl-C", "divergence"])
def test_however_it_ends_the_net_has_its_best_epoch(how):
    net, states = new_net(), []

    def after(epoch, history):
        states.append(state_of(net))
        assert len(states) == epoch
        if epoch == history.best_epoch + 2:
            if how == "Ctrl-C":
                raise KeyboardInterrupt
            if how == "divergence":
                net.lr = 1e30
            return how == "callback"
        return False

    seen = []
    try:
        fit(net, callback=lambda epoch, history: seen.append(history) or after(epoch, history))
    except (KeyboardInterrupt, DivergenceError):
        assert how != "callback"
    assert state_of(net) == states[seen[-1].best_epoch - 1]


def test_a_second_fit_goes_on_from_the_best_epoch_with_other_random_numbers():
    net = new_net("adam")
    first = fit(net)
    loaded = pickle.loads(pickle.dumps(net))
    second = fit(net)
    assert fit(loaded).loss == second.loss
    assert second.loss[0] == pytest.approx(first.loss[first.best_epoch], rel=0.02)
    assert second.loss[0] != first.loss[first.best_epoch]


@pytest.mark.parametrize(
    ("settings", "values", "best", "epochs"),
    [
        ({"patience": 2}, [1, 0.9, 0.95, 0.91, 0.1], 2, 4),
        ({"patience": 2}, [1, 0.9, 0.95, 0.85, 0.86, 0.85, 0.1], 4, 6),  # equal is not better
        ({"patience": 1}, [0.3, 0.3], 1, 2),
        ({"patience": 3, "min_gain": 0.1}, [1, 0.95, 0.91, 0.89, 0.85, 0.8, 0.81, 0.1], 4, 7),
        ({"patience": 2}, [math.nan, 1, math.nan, 0.9, math.nan, math.nan, 0], 4, 6),
        ({"patience": 3}, [math.nan, math.nan, math.inf, 0.1], None, 3),
        ({"patience": 2, "monitor": "accuracy"}, [0.5, 0.4, 0.4, 0.45, 0.1], 2, 4),
    ],
)
def test_when_it_ends(monkeypatch, settings, values, best, epochs):
    scripted(monkeypatch, values)
    net, states = new_net(), []
    history = fit(
        net, len(values), early_stopping=EarlyStopping(**settings), callback=lambda *_: states.append(state_of(net))
    )
    assert (history.best_epoch, len(history.loss), history.stopped_early) == (best, epochs, True)
    assert state_of(net) == states[(best or epochs) - 1]


def test_true_is_the_default_patience():
    history = fit(new_net(), 200, early_stopping=True)
    assert len(history.loss) - history.best_epoch == EarlyStopping().patience == 10


def test_without_it_the_history_knows_no_best_epoch():
    history = fit(new_net(), 3, early_stopping=False)
    assert (history.best_epoch, history.stopped_early) == (None, False)
    assert History().best_epoch is None


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"validation": None}, InvalidValueError, "early_stopping needs samples that the net does not train on"),
        ({"early_stopping": 5}, InvalidTypeError, r"early_stopping is 5; it must be True, False, or an EarlyStopping"),
        ({"early_stopping": "loss"}, InvalidTypeError, "early_stopping is 'loss'"),
    ],
)
def test_what_cannot_be_used(options, error, says):
    with pytest.raises(error, match=says):
        fit(new_net(), **options)


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"monitor": "val_loss"}, InvalidValueError, "monitor is 'val_loss'; it must be 'loss' or 'accuracy'"),
        ({"patience": 0}, InvalidValueError, "patience is 0; it must be at least 1"),
        ({"patience": 2.5}, InvalidTypeError, "patience is 2.5"),
        ({"min_gain": -0.1}, InvalidValueError, "min_gain is -0.1"),
    ],
)
def test_settings_that_cannot_be_used(settings, error, says):
    with pytest.raises(error, match=says):
        EarlyStopping(**settings)
