"""Ctrl-C at every line, once and again and again: what changes together has changed together, or not at all."""

import copy
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from interrupts import TEAM, Lines, number_of_lines

from fastmlp import Dataset, EarlyStopping, NeuralNetwork, TrainingSession
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.kernels.team import run_team, told_to_stop

EPOCHS = 2
RNG = np.random.default_rng(1)
Y = np.arange(40) % 3
X = (RNG.normal(size=(40, 4)) + 3 * np.eye(4)[Y]).astype(np.float32)
DATA = Dataset(X[:30], Y[:30], X[30:], Y[30:], "trees")

pytestmark = [
    pytest.mark.skipif(
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler, reason="Ctrl-C has another handler here"
    ),
    # Between `open` and `with` an interrupted file is closed only when it is forgotten.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def new_net():
    return NeuralNetwork(hidden_size=5, input_size=4, output_size=3, seed=0, n_threads=2)


def state_of(net):
    """The weights and the generator, to be compared with ==."""
    arrays = [getattr(net, name).tobytes() for name in ("W1", "b1", "W2", "b2")]
    return arrays, pickle.dumps(net._rng.bit_generator.state)


def fit(net, epochs=EPOCHS, callback=None):
    return net.fit(DATA.x_train, DATA.y_train, 8, epochs, validation=(DATA.x_test, DATA.y_test), callback=callback)


@pytest.fixture(scope="module")
def states():
    """The state of the net before the first epoch and after each."""
    net = new_net()
    found = [state_of(net)]
    fit(net, callback=lambda _epoch, _history: found.append(state_of(net)))
    return found


# --- Held back --------------------------------------------------------------------------------------------------------


def press():
    signal.raise_signal(signal.SIGINT)


def test_however_often_it_is_pressed_the_block_is_whole_and_the_handler_is_back():
    done, stops = [], []

    def block():
        with HeldBack(lambda: stops.append("stop")):
            for k in range(5):
                press()
                done.append(k)

    with pytest.raises(KeyboardInterrupt):
        block()
    assert done == [0, 1, 2, 3, 4]
    assert len(stops) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_inner_block_raises_at_its_end_within_the_outer_one():
    seen = []

    def blocks():
        with HeldBack():
            try:
                with HeldBack():
                    press()
                    seen.append("inner")
            except KeyboardInterrupt:
                press()
                seen.append("handled")
            seen.append("outer")

    with pytest.raises(KeyboardInterrupt):
        blocks()
    assert seen == ["inner", "handled", "outer"]


def test_a_handler_that_raises_nothing_is_called_at_once(monkeypatch):
    calls = []
    before = signal.signal(signal.SIGINT, lambda number, frame: calls.append(number))
    try:
        with HeldBack(lambda: calls.append("stop")):
            press()
            assert calls == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_ctrl_c_is_ignored_where_it_was():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with HeldBack():
            press()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing_back():
    seen = []

    def work():
        with HeldBack():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]


# --- A team -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
def test_interrupted_at_any_line_a_team_leaves_no_thread(again):
    counts = np.zeros(3, np.int64)

    def count(member):
        for _ in range(200):
            counts[member.rank] += 1
            if told_to_stop(member):
                return
            time.sleep(1e-5)

    def work():
        run_team(3, count)

    interrupted = 0
    for k in range(1, number_of_lines(work, TEAM) + 1):
        before = set(threading.enumerate())
        interrupted += Lines(range(k, 10**6) if again else [k], TEAM).run(work)
        after = counts.copy()
        assert {thread for thread in threading.enumerate() if thread.is_alive()} <= before
        np.testing.assert_array_equal(counts, after)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert interrupted > 0.8 * k  # how many lines there are depends on how the threads run


# --- A fit ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 10])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
def test_interrupted_at_any_line_a_fit_goes_on_to_the_same_bits(states, again, step):
    fit(new_net())  # whatever is compiled or loaded once
    n = number_of_lines(lambda: fit(new_net()))
    assert n > 200
    reached = set()
    for k in range(1, n + 1, step):
        net = new_net()
        interrupted = Lines(range(k, 10**6) if again else [k]).run(lambda net=net: fit(net))
        state = state_of(net)
        assert state in states, f"line {k}: no state between two epochs"
        done = states.index(state)
        reached.add((interrupted, done))
        if done < EPOCHS:
            fit(net, EPOCHS - done)
        assert state_of(net) == states[-1], f"line {k}"
    assert reached >= {(True, done) for done in range(EPOCHS)}


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.long), 50])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
def test_interrupted_at_any_line_a_session_is_whole_and_so_is_its_file(states, tmp_path, again, step):
    path = tmp_path / "net.npz"
    start = new_net()

    def session():
        path.unlink(missing_ok=True)
        return TrainingSession(copy.deepcopy(start), DATA, batch_size=8, output=path, checkpoint_every=1)

    whole = session()
    whole.train(EPOCHS)
    n = number_of_lines(lambda: session().train(EPOCHS)) - number_of_lines(session)
    for k in range(1, n + 1, step):
        ours = session()
        Lines(range(k, 10**6) if again else [k]).run(lambda ours=ours: ours.train(EPOCHS))
        assert state_of(ours.net) == states[ours.epochs], f"line {k}"
        assert ours.history.val_loss == whole.history.val_loss[: ours.epochs]
        assert len({len(getattr(ours.history, name)) for name in ("loss", "accuracy", "seconds", "val_loss")}) == 1
        going_on = [ours]
        if path.exists():
            resumed = TrainingSession.resume(path, DATA)
            assert state_of(resumed.net) == states[resumed.epochs]
            assert resumed.epochs == ours.epochs_saved or resumed.epochs == ours.epochs
            going_on.append(resumed)
        for each in going_on:
            each.train(EPOCHS)
            assert state_of(each.net) == states[-1], f"line {k}"
            assert each.history.val_loss == whole.history.val_loss


# --- Early stopping ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [pytest.param(11, marks=pytest.mark.long), 100])
@pytest.mark.parametrize("again", [False, True], ids=["once", "again and again"])
def test_interrupted_at_any_line_the_best_and_the_last_epoch_are_whole(tmp_path, again, step):
    """Of the net and its spare one has the best epoch and one the last, and the history knows which these are."""
    path, epochs = tmp_path / "net.npz", EPOCHS
    start = NeuralNetwork(5, 0.2, input_size=4, output_size=3, seed=0, n_threads=2, optimizer="momentum")

    def session():
        path.unlink(missing_ok=True)
        settings = {"validation_fraction": 0.2, "early_stopping": EarlyStopping("accuracy", 9), "checkpoint_every": 1}
        return TrainingSession(copy.deepcopy(start), DATA, batch_size=8, output=path, **settings)

    def state(net):
        arrays = net._weights.arrays() | net._optimizer_state.arrays()
        return {name: array.tobytes() for name, array in arrays.items()}, net._optimizer_state.steps

    def spare_of(ours):
        arrays, record = ours._spare.arrays(), ours._spare.record()
        return {name.split("_", 1)[1]: array.tobytes() for name, array in arrays.items()}, record["steps"]

    whole = session()
    states, randoms = [state(whole.net)], [whole.net._rng.bit_generator.state]

    def note(_epoch, _history):
        states.append(state(whole.net))
        randoms.append(whole.net._rng.bit_generator.state)

    whole.train(epochs, callback=note)
    assert whole.history.best_epoch < epochs
    assert state(whole.net) == states[whole.history.best_epoch]
    n = number_of_lines(lambda: session().train(epochs)) - number_of_lines(session)
    seen = set()
    for k in range(1, n + 1, step):
        ours = session()
        Lines(range(k, 10**6) if again else [k]).run(lambda ours=ours: ours.train(epochs))
        going_on = [ours] + ([TrainingSession.resume(path, DATA)] if path.exists() else [])
        for each in going_on:
            history, holds = each.history, each._spare.holds
            seen.add((each.epochs, holds))
            assert (holds is None) == (history.best_epoch is None) == (each.epochs == 0), f"line {k}"
            last, best = states[each.epochs], states[history.best_epoch or 0]
            assert state(each.net) == (best if holds == "last" else last), f"line {k}"
            assert holds is None or spare_of(each) == (last if holds == "last" else best), f"line {k}"
            assert each.net._rng.bit_generator.state == randoms[each.epochs], f"line {k}"
            each.train(epochs)
            assert state(each.net) == state(whole.net), f"line {k}"
            assert each.history.val_accuracy == whole.history.val_accuracy
    assert {(0, None), (1, "last"), (epochs, "last")} <= seen
