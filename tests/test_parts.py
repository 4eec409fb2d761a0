"""Data in parts: the bits of `fit` on one, of a stated rule on several, and what a part may do wrong."""

import threading
import time
from typing import ClassVar

import numpy as np
import pytest
from interrupts import Lines

from fastmlp import (
    SGD,
    Adam,
    DataError,
    DivergenceError,
    Momentum,
    NeuralNetwork,
    Parts,
    ProgressBar,
    Scaling,
    TrainingSession,
)
from fastmlp.engine import part_reader
from fastmlp.engine.part_reader import Reading
from fastmlp.engine.parts import ArrayPart
from fastmlp.errors import FastmlpError, InvalidTypeError, InvalidValueError
from fastmlp.files.spill import Spill

PARAMETERS = ("W1", "b1", "W2", "b2")
OPTIMIZERS = [SGD(), SGD(l2=0.01), Momentum(), Momentum(nesterov=True, l2=0.01), Adam(), Adam(lazy=True)]


def samples(n=70, D=7, C=3, seed=0, zeros=0.0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, D), np.float32)
    X[rng.random((n, D)) < zeros] = 0
    return X, rng.integers(0, C, n)


def net_of(D=7, C=3, **settings):
    return NeuralNetwork(5, input_size=D, output_size=C, seed=1, **settings)


def assert_same(a, b):
    for name in PARAMETERS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert a._rng.bit_generator.state == b._rng.bit_generator.state
    assert a._optimizer_state.steps == b._optimizer_state.steps
    for name, moment in a._optimizer_state.arrays().items():
        np.testing.assert_array_equal(moment, b._optimizer_state.arrays()[name])


class Faulty:
    """A part that gives other samples from its k-th reading on, or raises."""

    name = "part-b.npz"

    def __init__(self, X, Y, fault, after=1):
        self.X, self.Y, self.fault, self.left = X, Y, fault, after

    def labels(self):
        return self.Y

    def read(self):
        self.left -= 1
        return self.fault(self.X, self.Y) if self.left < 0 else (self.X, self.Y)


@pytest.mark.parametrize("zeros", [0, 0.95])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_one_part_is_fit(optimizer, zeros):
    X, Y = samples(D=40, zeros=zeros)
    whole, parted = net_of(40, optimizer=optimizer), net_of(40, optimizer=optimizer)
    options = {"batch_size": 16, "number_epochs": 3, "class_weight": "balanced", "schedule": "cosine"}
    expected = whole.fit(X, Y, validation=(X[:20], Y[:20]), **options)
    history = parted.fit(Parts.of_arrays(X, Y, rows=70), validation=(X[:20], Y[:20]), **options)
    assert_same(whole, parted)
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "lr"):
        assert getattr(history, name) == getattr(expected, name)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("rows", [1, 17, 30])
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=str)
def test_several_parts_are_a_fit_on_each_in_the_order_drawn(optimizer, rows, shuffle):
    X, Y = samples(n=20 if rows == 1 else 70)
    parted, simulated = net_of(optimizer=optimizer, n_threads=2), net_of(optimizer=optimizer, n_threads=1)
    history = parted.fit(Parts.of_arrays(X, Y, rows), batch_size=min(rows, 8), number_epochs=2, shuffle=shuffle)
    n_parts = -(-len(X) // rows)
    for epoch in range(2):
        order = simulated._rng.permutation(n_parts) if shuffle else range(n_parts)
        losses = []
        for k in order:
            part = slice(rows * k, rows * (k + 1))
            n = len(X[part])
            fitted = simulated.fit(X[part], Y[part], min(rows, 8, n), 1, shuffle=shuffle)
            losses.append((fitted.loss[0], n))
        assert history.loss[epoch] == pytest.approx(np.average([a for a, _ in losses], weights=[n for _, n in losses]))
    assert_same(parted, simulated)


def test_few_values_which_a_fit_would_code_have_the_same_bits_in_parts():
    X, Y = samples(n=600, D=64, zeros=0.5)
    X = np.round(4 * X) / np.float32(4)
    parted, simulated = (NeuralNetwork(128, input_size=64, output_size=3, seed=1) for _ in range(2))
    parted.fit(Parts.of_arrays(X, Y, 300), batch_size=32, number_epochs=1)
    for k in simulated._rng.permutation(2):
        simulated.fit(X[300 * k : 300 * k + 300], Y[300 * k : 300 * k + 300], 32, 1)
    assert_same(parted, simulated)


def test_a_batch_beyond_the_largest_part_warns_once_and_a_smaller_part_does_not():
    X, Y = samples()
    with pytest.warns(UserWarning, match="30 samples make one batch") as told:
        net_of().fit(Parts.of_arrays(X, Y, 30), batch_size=100, number_epochs=2)
    assert len(told) == 1


def test_balanced_weights_count_the_classes_of_all_parts():
    X, Y = samples()
    Y = np.sort(Y)  # each part has classes of its own
    parts, weights = Parts.of_arrays(X, Y, 25), len(Y) / (3 * np.bincount(Y))
    balanced, mapped = net_of(), net_of()
    a = balanced.fit(parts, batch_size=8, number_epochs=2, class_weight="balanced")
    b = mapped.fit(parts, batch_size=8, number_epochs=2, class_weight=dict(enumerate(weights)))
    assert_same(balanced, mapped)
    assert a.loss == b.loss
    c = net_of().fit(parts, batch_size=8, number_epochs=2, class_weight={0: 0})  # all of the first part
    assert np.isfinite(c.loss).all()
    with pytest.raises(DataError, match="at least one must count"):
        net_of().fit(parts, class_weight={0: 0, 1: 0, 2: 0})


def test_score_validation_and_early_stopping_take_parts():
    X, Y = samples()
    parts = Parts.of_arrays(X, Y, 25)
    net, same = net_of(), net_of()
    assert net.score(parts) == pytest.approx(net.score(X, Y))
    assert net.score(Parts.of_arrays(X, Y, 70)) == net.score(X, Y)
    history = net.fit(parts, batch_size=8, number_epochs=30, validation=parts, early_stopping=True)
    expected = same.fit(parts, batch_size=8, number_epochs=30, validation=(X, Y), early_stopping=True)
    assert history.val_loss == pytest.approx(expected.val_loss)
    assert history.best_epoch is not None
    assert_same(net, same)


class Counting(ArrayPart):
    """A part that counts how often it is read."""

    reads: ClassVar[list[str]] = []

    def read(self):
        self.reads.append(self.name)
        return super().read()


@pytest.mark.parametrize("callback", [None, ProgressBar(), lambda *_: None], ids=["none", "bar", "other"])
@pytest.mark.parametrize("in_session", [False, True])
def test_labels_are_read_once_to_be_counted_and_once_with_their_rows(in_session, callback):
    """To read them of large files is most of the work before the first epoch."""
    X, Y = samples()
    reads = []

    class Counted(ArrayPart):
        def labels(self):
            reads.append(self.name)
            return super().labels()

    parts = Parts([Counted(str(k), X, Y, k, k + 35) for k in (0, 35)])
    if in_session:
        session = TrainingSession(net_of(), parts, batch_size=8)
        reads.clear()  # what the session looks at before is not meant
        session.train(2, callback=callback)
    else:
        net_of().fit(parts, batch_size=8, number_epochs=2, callback=callback)
    assert sorted(reads) == ["0", "0", "35", "35"]


FORMS = {
    "dense": ({"zeros": 0.0}, 4),
    "sparse": ({"zeros": 0.95, "D": 60}, 2),
    "coded": ({"zeros": 0.95, "D": 60}, 4),
    "wide": ({"zeros": 0.99, "D": 6000}, 3),
}


@pytest.mark.parametrize("csr", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_parts_are_read_once_where_there_is_room_and_the_bits_are_those_without(form, csr, monkeypatch):
    (shape, epochs), scipy = FORMS[form], pytest.importorskip("scipy.sparse")
    X, Y = samples(n=75, **shape)
    X = scipy.csr_array(np.round(4 * X)) if csr else np.round(4 * X)
    parts = Parts.of_arrays(X, Y, 25) if not csr else Parts([ArrayPart(str(k), X, Y, k, k + 25) for k in (0, 25, 50)])
    parts.parts = tuple(Counting(*each) for each in parts.parts)
    kept, anew = (net_of(X.shape[1], optimizer="momentum") for _ in range(2))
    settings = {"batch_size": 8, "number_epochs": epochs, "class_weight": {0: 2}}
    Counting.reads.clear()
    history = kept.fit(parts, **settings)
    assert len(Counting.reads) == 3
    monkeypatch.setattr("fastmlp.files.spill._SHARE", 0)
    Counting.reads.clear()
    assert anew.fit(parts, **settings).loss == history.loss
    assert len(Counting.reads) == 3 * epochs
    assert_same(kept, anew)


@pytest.mark.parametrize("csr", [False, True])
def test_validation_parts_are_read_once_and_measured_alike(csr, monkeypatch):
    scipy = pytest.importorskip("scipy.sparse")
    X, Y = samples(n=75, D=40, zeros=0.8)
    rows = [slice(25 * k, 25 * k + 25) for k in range(3)]
    parts = [
        Counting(f"{k}", scipy.csr_array(X[part]) if csr else X[part], Y[part], 0, 25) for k, part in enumerate(rows)
    ]
    Counting.reads.clear()
    history = net_of(40).fit(X, Y, 8, 4, validation=Parts(parts))
    assert len(Counting.reads) == 3
    monkeypatch.setattr("fastmlp.files.spill._SHARE", 0)
    assert net_of(40).fit(X, Y, 8, 4, validation=Parts(parts)).val_loss == history.val_loss
    assert len(Counting.reads) == 3 + 3 * 4
    expected = net_of(40).fit(X, Y, 8, 4, validation=(X, Y))
    assert history.val_loss == pytest.approx(expected.val_loss)
    with pytest.raises(InvalidValueError, match="2: X holds 1000 values that are NaN"):
        net_of(40).fit(X, Y, 8, 4, validation=Parts([*parts[:2], ArrayPart("2", X[50:] * np.nan, Y[50:], 0, 25)]))


def test_a_training_goes_on_where_the_disk_fills_up(monkeypatch):
    X, Y = samples(n=75)
    parts, kept, full = Parts.of_arrays(X, Y, 25), net_of(), net_of()
    kept.fit(parts, batch_size=8, number_epochs=3)
    keep, calls = Spill.keep, []
    monkeypatch.setattr(Spill, "keep", lambda *args: calls.append(0) or (len(calls) == 1 and keep(*args)))
    full.fit(parts, batch_size=8, number_epochs=3)
    assert len(calls) == 1 + 3 * 2
    assert_same(kept, full)


def test_two_parts_at_most_are_in_memory(monkeypatch):
    X, Y = samples(n=80)
    alive, most, lock = set(), [0], threading.Lock()

    class Rows(np.ndarray):
        def __array_finalize__(self, other):
            pass

        def __del__(self):
            with lock:
                alive.discard(id(self))

    class Counted:
        def __init__(self, k):
            self.name, self.k = f"part {k}", k

        def labels(self):
            return Y[10 * self.k : 10 * self.k + 10]

        def read(self):
            rows = X[10 * self.k : 10 * self.k + 10].copy()
            token = rows.view(Rows)
            with lock:
                alive.add(id(token))
                most[0] = max(most[0], len(alive))
            return token, self.labels()

    monkeypatch.setattr("fastmlp.engine.meaning.as_rows", lambda _name, rows, *_: rows)
    net_of().fit(Parts([Counted(k) for k in range(8)]), batch_size=4, number_epochs=2)
    assert most[0] == 2


def test_a_scaling_and_a_copy_go_with_parts():
    X, Y = samples()
    net, same = net_of(), net_of()
    net.scaling = same.scaling = Scaling.of(X)
    net.fit(Parts.of_arrays(X, Y, 70), batch_size=8, number_epochs=2)
    same.fit(X, Y, 8, 2)
    assert_same(net, same)


def raising(error):
    def fault(_X, _Y):
        raise error

    return fault


def with_nan(X, Y):
    X = X.copy()
    X[3, 2] = np.nan
    return X, Y


FAULTS = {
    "vanishes": (raising(FileNotFoundError(2, "No such file or directory")), "part-b.npz cannot be read: No such file"),
    "damaged": (raising(DataError("part-b.npz is damaged")), "part-b.npz is damaged"),
    "too large": (raising(MemoryError()), "part-b.npz is too large for the memory"),
    "wider": (lambda X, Y: (np.c_[X, X], Y), "part-b.npz: X has 14 columns; this net has input_size=7"),
    "NaN": (with_nan, r"part-b.npz: X holds 1 values that are NaN or infinite, the first in row 3, column 2"),
    "shorter": (lambda X, Y: (X[:-1], Y[:-1]), "part-b.npz has other labels than when the training began"),
    "mismatch": (lambda X, Y: (X[:-1], Y), "part-b.npz: Y has 25 labels for 24 samples"),
    "other labels": (lambda X, Y: (X, Y * 0), "part-b.npz has other labels than when the training began"),
    "text": (lambda X, Y: (X, Y.astype(str)), "part-b.npz: Y holds text"),
}


@pytest.fixture
def no_room(monkeypatch):
    """No room on the disk to keep what is packed: each epoch reads each part."""
    monkeypatch.setattr("fastmlp.files.spill._SHARE", 0)


@pytest.mark.usefixtures("no_room")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_part_that_fails_in_the_middle_of_an_epoch_leaves_the_last_full_one(fault):
    X, Y = samples(n=75)
    work, message = FAULTS[fault]
    net, good = net_of(optimizer="momentum"), net_of(optimizer="momentum")
    whole = Parts.of_arrays(X, Y, 25)
    good.fit(whole, batch_size=8, number_epochs=2)
    faulty = Parts([whole.parts[0], Faulty(X[25:50], Y[25:50], work, after=2), whole.parts[2]])
    told = []
    with pytest.raises(FastmlpError, match=message):
        net.fit(faulty, batch_size=8, number_epochs=5, callback=lambda epoch, _: told.append(epoch))
    assert told == [1, 2]
    assert_same(net, good)
    net.fit(whole, batch_size=8, number_epochs=1)  # goes on
    good.fit(whole, batch_size=8, number_epochs=1)
    assert_same(net, good)


def test_a_fault_that_the_labels_show_is_told_before_any_work():
    X, Y = samples(n=75)
    whole, net, untouched = Parts.of_arrays(X, Y, 25), net_of(), net_of()
    for labels, message in ((Y[:25] + 9, "part-b.npz: Y has the label"), (Y[:0], "part-b.npz has no samples")):
        parts = Parts([whole.parts[0], Faulty(X[:25], labels, raising(AssertionError()), after=0)])
        with pytest.raises(FastmlpError, match=message):
            net.fit(parts)
    assert_same(net, untouched)


def test_divergence_is_told_with_the_epoch():
    X, Y = samples()
    net, untouched = net_of(lr=1e30), net_of(lr=1e30)
    with pytest.raises(DivergenceError, match="in epoch 1"):
        net.fit(Parts.of_arrays(X * 1e6, Y, 25), batch_size=8)
    assert_same(net, untouched)


def test_ctrl_c_anywhere_leaves_the_last_full_epoch():
    X, Y = samples(n=60)
    parts = Parts.of_arrays(X, Y, 20)
    after = [net_of()]
    for n in (1, 2):
        after.append(net_of())
        after[n].fit(parts, batch_size=8, number_epochs=n)
    lines = Lines()
    lines.run(lambda: net_of().fit(parts, batch_size=8, number_epochs=2))
    for at in range(1, lines.count, max(1, lines.count // 25)):
        net, done = net_of(), []
        ended = Lines([at]).run(
            lambda net=net, done=done: net.fit(
                parts, batch_size=8, number_epochs=2, callback=lambda epoch, _: done.append(epoch)
            )
        )
        assert ended or len(done) == 2  # how often it looks whether a part is read is a matter of time
        states = [k for k in range(3) if all((getattr(net, p) == getattr(after[k], p)).all() for p in PARAMETERS)]
        assert states, at
        assert_same(net, after[states[0]])
        assert states[0] in (len(done), len(done) + 1)


def test_ctrl_c_ends_the_wait_for_a_slow_part():
    import _thread

    class Slow:
        name = "slow"

        def labels(self):
            return [0, 1]

        def read(self):
            _thread.interrupt_main()
            time.sleep(2)
            return np.zeros((2, 7)), [0, 1]

    start = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        net_of(C=2).fit(Parts([Slow(), Slow()]), batch_size=2)
    assert time.perf_counter() - start < 1.5


def test_a_reading_is_given_once_and_kept_by_nobody():
    reading = Reading(lambda: part_reader.Samples(np.zeros((1, 1), np.float32), np.zeros(1, np.int64)))
    assert len(reading.take().y) == 1
    assert reading._result is None


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (lambda net, X, Y: net.fit(Parts.of_arrays(X, Y, 9), Y), InvalidValueError, "Y is given beside parts"),
        (
            lambda net, X, Y: net.fit(Parts.of_arrays(X, Y, 9), sample_weight=Y),
            InvalidValueError,
            "sample_weight is given beside parts",
        ),
        (lambda net, X, _Y: net.fit(X), InvalidTypeError, "Y is None; it must be an array of numbers"),
        (lambda net, X, _Y: net.score(X), InvalidTypeError, "Y is None; it must be an array of numbers"),
        (lambda *_: Parts([]), InvalidValueError, "there are no parts"),
        (lambda *_: Parts([3]), InvalidTypeError, r"a part is 3; it must have a name and the methods"),
        (lambda _net, X, Y: Parts.of_arrays(X, Y[:-1], 9), InvalidValueError, "X has 70 rows and Y 69"),
        (lambda _net, X, Y: Parts.of_arrays(X, Y, 0), InvalidValueError, "rows is 0"),
    ],
)
def test_what_is_refused(call, kind, message):
    with pytest.raises(kind, match=message):
        call(net_of(), *samples())
