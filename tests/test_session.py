"""A session in Python: what it records, what it saves, and that it resumes to the same bits."""

import errno
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fastmlp import Dataset, NeuralNetwork, TrainingSession, contenders
from fastmlp.engine import training
from fastmlp.errors import DivergenceError, InvalidTypeError, InvalidValueError, ModelFileError
from fastmlp.files.model import read_model
from fastmlp.session import TrainingRecord

ROOT = Path(__file__).parents[1]
NAMES = ("ash", "elm", "oak")
SERIES = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy")
WEIGHTS = ("W1", "b1", "W2", "b2")


def trees(names=NAMES):
    """75 + 15 samples of 4 values in three classes, numbered as in `names`, or without names."""
    rng = np.random.default_rng(4)
    y = np.arange(90) % 3
    X = (rng.normal(size=(90, 4)) + 3 * np.eye(4)[y]).astype(np.float32)
    numbers = np.array([(names or NAMES).index(name) for name in NAMES])[y]
    return Dataset(X[:75], numbers[:75], X[75:], numbers[75:], "trees", names)


def new_net(**settings):
    return NeuralNetwork(**({"hidden_size": 5, "input_size": 4, "output_size": 3, "seed": 0} | settings))


def new_session(**settings):
    return TrainingSession(new_net(), trees(), **({"batch_size": 8} | settings))


def assert_same_bits(net, other):
    for name in WEIGHTS:
        np.testing.assert_array_equal(getattr(net, name), getattr(other, name))


KILLED = """
import os, signal, sys
from fastmlp import NeuralNetwork, TrainingSession, load_files

def kill(epoch, history):
    if epoch == 7:
        os.kill(os.getpid(), signal.SIGKILL)

source, output = sys.argv[1:]
net = NeuralNetwork(hidden_size=5, input_size=4, output_size=3, seed=0)
session = TrainingSession(net, load_files(source), batch_size=8, output=output, checkpoint_every=5)
session.train(20, callback=kill)
"""

RESUMED = """
import sys
from fastmlp import TrainingSession, load_files

source, output = sys.argv[1:]
session = TrainingSession.resume(output, load_files(source))
assert session.epochs == 5
session.train(20)
assert len(session.history.loss) == 20
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_killed_and_resumed_it_reaches_the_bits_of_an_unbroken_training(tmp_path):
    data, source, output = trees(names=None), tmp_path / "trees.npz", tmp_path / "net.npz"
    np.savez(source, **{part: getattr(data, part) for part in ("x_train", "y_train", "x_test", "y_test")})
    for program, code in ((KILLED, -signal.SIGKILL), (RESUMED, 0)):
        command = [sys.executable, "-W", "error", "-c", program, source, output]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
    unbroken = TrainingSession(new_net(), data, batch_size=8)
    unbroken.train(20)
    assert_same_bits(NeuralNetwork.load(output), unbroken.net)
    recorded = TrainingRecord.from_file(output, read_model(output)).history
    for name in SERIES:
        if name != "seconds":
            assert getattr(recorded, name) == getattr(unbroken.history, name)


def test_training_in_a_session_is_fit(tmp_path):
    session, net, data = new_session(), new_net(), trees()
    added = session.train(3)
    history = net.fit(data.x_train, data.y_train, batch_size=8, number_epochs=3, validation=(data.x_test, data.y_test))
    assert_same_bits(session.net, net)
    for name in SERIES:
        assert getattr(added, name) == getattr(session.history, name)
        if name != "seconds":
            assert getattr(added, name) == getattr(history, name)
    assert added.compile_seconds == session.history.compile_seconds > 0


def test_train_counts_all_epochs_and_returns_its_own():
    session = new_session()
    calls = []
    session.train(2)
    added = session.train(5, callback=lambda epoch, history: calls.append((epoch, len(history.loss))))
    assert calls == [(3, 3), (4, 4), (5, 5)]
    assert session.epochs == 5
    assert {name: getattr(added, name) for name in SERIES} == {
        name: getattr(session.history, name)[2:] for name in SERIES
    }
    before = session.net.W1
    assert session.train(5).loss == []  # nothing is left to do
    np.testing.assert_array_equal(session.net.W1, before)


def test_the_model_file_is_written_at_checkpoints_and_at_the_end(tmp_path):
    path, epochs = tmp_path / "net.npz", []

    def look(epoch, _history):
        epochs.append(read_model(path).metadata["training"]["epochs"] if path.exists() else 0)

    new_session(output=path, checkpoint_every=2).train(5, callback=look)
    assert epochs == [0, 0, 2, 2, 4]
    assert read_model(path).metadata["training"]["epochs"] == 5
    TrainingSession.resume(path, trees()).train(9, callback=look)  # which goes on with the checkpoints
    assert epochs[5:] == [5, 6, 6, 8]
    assert read_model(path).metadata["training"]["epochs"] == 9


def test_settings_named_on_resume_replace_those_of_the_file(tmp_path):
    first, second = tmp_path / "first.npz", str(tmp_path / "second.npz")
    new_session(output=first, dataset={"source": "trees.csv"}).train(1)
    before = first.read_bytes()
    session = TrainingSession.resume(
        first, trees(), batch_size=16, output=second, checkpoint_every=3, dataset={"source": "more.csv"}, n_threads=1
    )
    assert session.net.n_threads == 1
    session.train(2)
    assert first.read_bytes() == before
    record = TrainingRecord.from_file(second, read_model(second))
    assert (record.batch_size, record.checkpoint_every, record.dataset) == (16, 3, {"source": "more.csv"})
    kept = TrainingSession.resume(first, trees())
    assert (kept.batch_size, kept.checkpoint_every, kept.dataset) == (8, None, {"source": "trees.csv"})


def test_ctrl_c_leaves_the_last_full_epoch_which_can_be_saved(tmp_path):
    def interrupt(epoch, _history):
        if epoch == 3:
            raise KeyboardInterrupt

    path = tmp_path / "net.npz"
    session, whole = new_session(output=path), new_session()
    with pytest.raises(KeyboardInterrupt):
        session.train(20, callback=interrupt)
    assert session.epochs == 3
    assert not path.exists()
    session.save()
    whole.train(6)
    for again in (session, TrainingSession.resume(path, trees())):
        again.train(6)
        assert_same_bits(again.net, whole.net)
        assert again.history.val_loss == whole.history.val_loss


def test_ctrl_c_while_the_test_data_is_measured_takes_the_epoch_back(monkeypatch):
    measure, calls = training.score, []

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 3:  # the first is on a few rows, before training
            raise KeyboardInterrupt
        return measure(*args)

    session, whole = new_session(), new_session()
    whole.train(1)
    monkeypatch.setattr(training, "score", interrupted)
    with pytest.raises(KeyboardInterrupt):
        session.train(20)
    assert session.epochs == 1
    assert_same_bits(session.net, whole.net)
    assert session.history.val_loss == whole.history.val_loss
    assert len(session.history.loss) == len(session.history.seconds) == 1
    session.train(3)
    whole.train(3)
    assert_same_bits(session.net, whole.net)


def test_a_checkpoint_that_cannot_be_written_is_told_and_tried_again(tmp_path, monkeypatch):
    path, room = tmp_path / "net.npz", []
    save = NeuralNetwork.save

    def full(net, *args, **options):
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        save(net, *args, **options)

    def free(epoch, _history):
        if epoch == 4:
            room.append(True)
        assert path.exists() == (epoch > 4)

    monkeypatch.setattr(NeuralNetwork, "save", full)
    session = new_session(output=path, checkpoint_every=2)
    says = "checkpoint after epoch 2 could not be written .*No space left on device.; training goes on"
    with pytest.warns(UserWarning, match=says) as warned:
        session.train(5, callback=free)
    assert len(warned) == 1
    assert (session.epochs_saved, read_model(path).metadata["training"]["epochs"]) == (5, 5)
    room.clear()
    with pytest.raises(OSError, match="No space left"), pytest.warns(UserWarning, match="epoch 6"):
        session.train(7)
    assert (session.epochs, session.epochs_saved) == (7, 5)


def test_divergence_leaves_the_last_full_epoch(tmp_path):
    session = new_session(output=tmp_path / "net.npz")
    session.train(2)
    before = session.net.W1
    session.net.lr = 1e30
    with pytest.raises(DivergenceError):
        session.train(4)
    assert session.epochs == 2
    np.testing.assert_array_equal(session.net.W1, before)


def test_a_new_net_learns_the_names_and_the_scale_of_the_data(tmp_path):
    data = trees()._replace(input_scale=1 / 255)
    session = TrainingSession(new_net(), data, batch_size=8, output=tmp_path / "net.npz")
    assert session.net.class_names == NAMES
    session.train(1)
    assert NeuralNetwork.load(tmp_path / "net.npz").input_scale == 1 / 255


def test_classes_in_another_order_are_matched_by_name(tmp_path):
    path = tmp_path / "net.npz"
    whole = new_session(output=path)
    whole.train(1)
    resumed = TrainingSession.resume(path, trees(("oak", "ash", "elm")))
    again = TrainingSession(NeuralNetwork.load(path), trees(("oak", "ash", "elm")), batch_size=8)
    whole.train(3)
    resumed.train(3)
    again.train(2)
    for session in (resumed, again):
        assert_same_bits(session.net, whole.net)
    with pytest.raises(InvalidValueError, match="has the class '0', which the model does not know"):
        TrainingSession.resume(path, trees(names=None))


def test_without_validation_nothing_is_measured(monkeypatch):
    session = new_session(validate=False)
    monkeypatch.delattr(NeuralNetwork, "score")
    session.train(2)
    assert len(session.history.loss) == 2
    assert all(math.isnan(value) for value in session.history.val_loss + session.history.val_accuracy)


def test_another_net_trains_in_a_session_without_a_file(tmp_path):
    settings = {"hidden_size": 5, "input_size": 4, "output_size": 3, "seed": 0}
    session = TrainingSession(contenders.load("numpy")(**settings), trees(), batch_size=8)
    session.train(2)
    assert session.history.val_loss[-1] == session.net.score(session.data.x_test, session.data.y_test).loss
    with pytest.raises(InvalidValueError, match="has no output"):
        session.save()
    with pytest.raises(InvalidValueError, match="only a NeuralNetwork can be saved"):
        TrainingSession(session.net, trees(), output=tmp_path / "net.npz")


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"batch_size": 0}, InvalidValueError, "batch_size is 0; it must be at least 1"),
        ({"batch_size": "8"}, InvalidTypeError, "batch_size is '8'; it must be a whole number"),
        ({"checkpoint_every": 5}, InvalidValueError, "checkpoint_every needs an output"),
        ({"checkpoint_every": 0, "output": "net.npz"}, InvalidValueError, "checkpoint_every is 0"),
        ({"output": "no/folder/net.npz"}, FileNotFoundError, "the folder no/folder does not exist"),
        ({"dataset": {"name": "mine"}}, InvalidValueError, "a mapping whose 'source' is a string"),
        ({"dataset": "mine"}, InvalidValueError, "dataset is 'mine'"),
    ],
    ids=str,
)
def test_bad_settings_are_refused_before_any_work(settings, error, says):
    with pytest.raises(error, match=says):
        new_session(**settings)


def test_bad_use_is_refused():
    session = new_session()
    with pytest.raises(InvalidValueError, match="epochs is 0; it must be at least 1"):
        session.train(0)
    with pytest.raises(InvalidValueError, match="has no output; name the file"):
        session.save()
    with pytest.raises(InvalidValueError, match="trees has 4 inputs per sample and the model takes 784"):
        TrainingSession(NeuralNetwork(output_size=3), trees())
    with pytest.raises(InvalidValueError, match="trees has 3 classes and the net has 10 outputs"):
        TrainingSession(NeuralNetwork(input_size=4), trees())


def test_a_model_saved_before_checkpoints_were_recorded_resumes(tmp_path):
    path = tmp_path / "net.npz"
    net = new_net()
    net.class_names = NAMES
    history = {name: [0.5] for name in SERIES} | {"val_loss": [None]}
    dataset = {"name": "trees", "source": "trees.csv", "test_fraction": None, "label_column": None}
    net.save(path, training={"epochs": 1, "batch_size": 8, "dataset": dataset, "history": history})
    session = TrainingSession.resume(path, trees())
    assert (session.epochs, session.batch_size, session.checkpoint_every) == (1, 8, None)
    assert math.isnan(session.history.val_loss[0])
    session.train(2)
    assert read_model(path).metadata["training"]["dataset"] == dataset


@pytest.mark.parametrize(
    "training", [None, {"note": "mine"}, [1], {"epochs": 1, "batch_size": 8, "history": {"loss": [1]}}], ids=str
)
def test_a_model_that_no_session_wrote_is_refused(tmp_path, training):
    path = tmp_path / "net.npz"
    new_net().save(path, training=training)
    with pytest.raises(ModelFileError, match=r"net\.npz does not say how it was trained, so its training cannot"):
        TrainingSession.resume(path, trees())
