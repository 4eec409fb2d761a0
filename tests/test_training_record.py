"""Sessions with schedules, early stopping, class weights: what a file keeps of them, and that it is enough."""

import json
import math

import numpy as np
import pytest

from fastmlp import (
    CosineDecay,
    Dataset,
    EarlyStopping,
    NeuralNetwork,
    ReduceOnPlateau,
    StepDecay,
    TrainingSession,
    contenders,
)
from fastmlp.errors import InvalidTypeError, InvalidValueError, ModelFileError
from fastmlp.files.model import read_model, write_model
from fastmlp.training_record import Recipe, TrainingRecord

RNG = np.random.default_rng(5)
Y = np.arange(150) % 3
X = (RNG.normal(size=(150, 6)) + 0.6 * np.eye(6)[Y]).astype(np.float32)
DATA = Dataset(X[:120], Y[:120], X[120:], Y[120:], "trees", ("ash", "elm", "oak"))

SCHEDULES = [None, StepDecay(3, 0.5), CosineDecay(2), ReduceOnPlateau(0.5, 2, 0.0)]
STOPPING = [False, EarlyStopping("loss", 3), EarlyStopping("accuracy", 4)]


def new_session(optimizer="sgd", data=DATA, **settings):
    net = NeuralNetwork(12, 0.03, input_size=6, output_size=3, seed=0, optimizer=optimizer)
    return TrainingSession(net, data, **({"batch_size": 8, "validation_fraction": 0.2} | settings))


def state_of(session):
    """All that a session goes on from and ends with, but for the seconds, to be compared with ==."""
    net, spare = session.net, session._spare
    arrays = net._weights.arrays() | net._optimizer_state.arrays() | ({} if spare is None else spare.arrays())
    history = {name: value for name, value in vars(session.history).items() if "seconds" not in name}
    return (
        {name: array.tobytes() for name, array in arrays.items()},
        net._optimizer_state.steps,
        spare and spare.record(),
        repr(net._rng.bit_generator.state),
        repr(history),  # in which NaN equals NaN
    )


class Killed(Exception):
    pass


def kill_after(epochs):
    def callback(epoch, _history):
        if epoch == epochs:
            raise Killed

    return callback


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("early_stopping", STOPPING, ids=str)
def test_resumed_it_reaches_the_bits_of_an_unbroken_training(tmp_path, optimizer, schedule, early_stopping):
    path = tmp_path / "net.npz"
    settings = {"schedule": schedule, "early_stopping": early_stopping, "class_weight": {1: 2.0}}
    unbroken = new_session(optimizer, **settings)
    unbroken.train(12)
    broken = new_session(optimizer, **settings, output=path, checkpoint_every=1)
    with pytest.raises(Killed):
        broken.train(12, callback=kill_after(3))  # before the checkpoint after epoch 3
    again = TrainingSession.resume(path, DATA)
    assert again.epochs == 2
    with pytest.raises(Killed):
        again.train(12, callback=kill_after(4))
    last = TrainingSession.resume(path, DATA)
    last.train(12)
    assert state_of(last) == state_of(unbroken)
    assert state_of(TrainingSession.resume(path, DATA)) == state_of(unbroken)


@pytest.mark.parametrize("early_stopping", STOPPING, ids=str)
@pytest.mark.parametrize("schedule", [None, StepDecay(3, 0.5), ReduceOnPlateau(0.5, 2, 0.0)], ids=str)
def test_piece_by_piece_it_reaches_the_bits_of_an_unbroken_training(tmp_path, schedule, early_stopping):
    """Also where each piece ends with the best epoch in the net, and the next goes on from the last."""
    path = tmp_path / "net.npz"
    unbroken = new_session("adam", schedule=schedule, early_stopping=early_stopping)
    unbroken.train(12)
    in_one = new_session("adam", schedule=schedule, early_stopping=early_stopping, output=path)
    for epochs in (1, 4, 12):
        in_one.train(epochs)
        resumed = TrainingSession.resume(path, DATA, output=tmp_path / "other.npz")
        resumed.train(12)
        assert state_of(resumed) == state_of(unbroken)
    assert state_of(in_one) == state_of(unbroken)


def test_a_session_with_early_stopping_is_fit_on_the_rest_of_the_training_set(tmp_path):
    path = tmp_path / "net.npz"
    session = new_session("momentum", early_stopping=EarlyStopping(patience=2), class_weight="balanced", output=path)
    added = session.train(50)
    (x_held, y_held), data = session.validation, session.data
    assert np.bincount(y_held).tolist() == [8, 8, 8]
    assert len(data.x_train) == 96
    assert {row.tobytes() for row in np.r_[data.x_train, x_held]} == {row.tobytes() for row in DATA.x_train}
    np.testing.assert_array_equal(data.x_test, DATA.x_test)
    net = NeuralNetwork(12, 0.03, input_size=6, output_size=3, seed=0, optimizer="momentum")
    history = net.fit(
        data.x_train, data.y_train, 8, 50, validation=(x_held, y_held), early_stopping=EarlyStopping(patience=2),
        class_weight="balanced",
    )  # fmt: skip
    np.testing.assert_array_equal(net.W1, session.net.W1)
    for name in ("loss", "val_loss", "val_accuracy", "lr", "best_epoch", "stopped_early"):
        assert getattr(history, name) == getattr(session.history, name) == getattr(added, name)
    assert history.stopped_early
    loaded = NeuralNetwork.load(path)
    np.testing.assert_array_equal(loaded.W1, net.W1)
    assert loaded.score(x_held, y_held).loss == min(history.val_loss)


def test_a_stopped_training_goes_on_with_more_patience(tmp_path):
    path = tmp_path / "net.npz"
    session = new_session(early_stopping=EarlyStopping(patience=2), output=path)
    session.train(60)
    epochs, before = session.epochs, path.read_bytes()
    assert session.history.stopped_early
    assert session.train(60).loss == TrainingSession.resume(path, DATA).train(60).loss == []
    assert path.read_bytes() == before
    patient = TrainingSession.resume(path, DATA, patience=7)
    assert not patient.history.stopped_early
    patient.train(60)
    unbroken = new_session(early_stopping=EarlyStopping(patience=7))
    unbroken.train(60)
    assert patient.epochs > epochs
    assert state_of(patient) == state_of(unbroken)
    assert TrainingSession.resume(path, DATA).recipe == unbroken.recipe


def test_a_checkpoint_has_the_last_epoch_and_the_file_in_the_end_the_best(tmp_path):
    path, losses = tmp_path / "net.npz", []

    def look(epoch, history):
        if epoch > 1:
            losses.append((NeuralNetwork.load(path).score(*session.validation).loss, history.val_loss[-2]))

    session = new_session(early_stopping=EarlyStopping(patience=3), output=path, checkpoint_every=1)
    session.train(60, callback=look)
    assert all(found == expected for found, expected in losses)
    model = read_model(path)
    assert {"last_W1", "last_b2"} <= model.arrays.keys()
    assert model.metadata["format"] == 2
    assert NeuralNetwork.load(path).score(*session.validation).loss == min(session.history.val_loss)
    copy = tmp_path / "copy.npz"
    NeuralNetwork.load(path).save(copy)  # which no session goes on with
    assert set(read_model(copy).arrays) == {"W1", "b1", "W2", "b2"}


def test_ctrl_c_leaves_the_best_epoch_and_a_session_that_goes_on(tmp_path):
    path = tmp_path / "net.npz"
    whole = new_session("adam", early_stopping=EarlyStopping(patience=4))
    whole.train(30)

    def interrupt(epoch, history):
        if history.best_epoch == epoch - 2:
            raise KeyboardInterrupt

    session = new_session("adam", early_stopping=EarlyStopping(patience=4), output=path)
    with pytest.raises(KeyboardInterrupt):
        session.train(30, callback=interrupt)
    assert not session.is_saved
    assert session.net.score(*session.validation).loss == min(session.history.val_loss)
    session.save()
    assert session.is_saved
    for again in (session, TrainingSession.resume(path, DATA)):
        again.train(30)
        assert state_of(again) == state_of(whole)


def test_without_a_validation_fraction_the_test_set_is_measured_as_before():
    session, other = new_session(validation_fraction=None), new_session(validation_fraction=None, validate=False)
    session.train(2)
    other.train(2)
    assert session.validation is None
    assert session.history.val_loss[-1] == session.net.score(DATA.x_test, DATA.y_test).loss
    np.testing.assert_array_equal(session.net.W1, other.net.W1)
    assert math.isnan(other.history.val_loss[0])


def test_another_net_is_measured_on_the_validation_part():
    net = contenders.load("numpy")(hidden_size=5, input_size=6, output_size=3, seed=0)
    session = TrainingSession(net, DATA, batch_size=8, validation_fraction=0.2)
    session.train(2)
    assert session.history.val_loss[-1] == net.score(*session.validation).loss
    assert session.history.lr == []


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"early_stopping": True, "validation_fraction": None}, InvalidValueError, "early_stopping needs a validation"),
        ({"schedule": "plateau", "validation_fraction": None}, InvalidValueError, "the schedule ReduceOnPlateau"),
        ({"validation_fraction": 0}, InvalidValueError, "validation_fraction is 0.0; it must be a number above 0"),
        ({"validation_fraction": 1.0}, InvalidValueError, "validation_fraction is 1.0; it must lie between 0 and 1"),
        ({"validation_fraction": "0.1"}, InvalidTypeError, "validation_fraction is '0.1'"),
        ({"schedule": "linear"}, InvalidValueError, "schedule is 'linear'"),
        ({"class_weight": {3: 1}}, InvalidValueError, "class_weight has the label 3"),
        ({"early_stopping": 3}, InvalidTypeError, "early_stopping is 3"),
        ({"data": DATA._replace(x_train=X[:3], y_train=Y[:3])}, InvalidValueError, "no class of trees has a second"),
    ],
    ids=str,
)  # fmt: skip
def test_bad_settings_are_refused_before_any_work(settings, error, says):
    with pytest.raises(error, match=says):
        new_session(**settings)


@pytest.mark.parametrize(
    "setting", [{"schedule": "step"}, {"class_weight": "balanced"}, {"early_stopping": True}], ids=str
)
def test_another_net_has_no_such_thing(setting):
    net = contenders.load("numpy")(hidden_size=5, input_size=6, output_size=3, seed=0)
    with pytest.raises(InvalidValueError, match="only a NeuralNetwork can be trained with"):
        TrainingSession(net, DATA, validation_fraction=0.2, **setting)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"schedule": StepDecay(3, 0.25)},
        {"schedule": "cosine", "class_weight": "balanced"},
        {"schedule": ReduceOnPlateau(lowest=0.1), "validation_fraction": 0.25},
        {"class_weight": {0: 2, 2: 0}, "early_stopping": EarlyStopping("accuracy", 3), "validation_fraction": 0.1},
    ],
    ids=str,
)  # fmt: skip
def test_a_recipe_survives_json(settings):
    recipe = Recipe.checked(8, 3, **settings)
    assert Recipe.from_metadata(json.loads(json.dumps(recipe.as_metadata())), 3) == recipe


def test_a_file_of_an_older_version_is_resumed(tmp_path):
    path = tmp_path / "net.npz"
    session = new_session(validation_fraction=None, output=path)
    session.train(2)
    model = read_model(path)
    training = model.metadata["training"]
    for name in ("schedule", "class_weight", "validation_fraction", "early_stopping", "spare"):
        del training[name]
    for name in ("lr", "best_epoch", "stopped_early"):
        del training["history"][name]
    write_model(path, model.arrays, model.metadata)
    resumed = TrainingSession.resume(path, DATA)
    assert resumed.recipe == session.recipe
    for each in (session, resumed):
        each.train(4)
    assert resumed.history.loss == session.history.loss
    np.testing.assert_equal(resumed.history.lr, [math.nan, math.nan, 0.03, 0.03])
    TrainingSession.resume(path, DATA).train(5)


@pytest.mark.parametrize(
    "changes",
    [
        {"schedule": {"name": "linear"}},
        {"schedule": {"name": "constant"}},
        {"schedule": {"name": "step", "every": 0}},
        {"schedule": "step"},
        {"class_weight": {"ash": 1}},
        {"class_weight": {"9": 1}},
        {"validation_fraction": 2},
        {"validation_fraction": None},
        {"early_stopping": None},
        {"early_stopping": {"patience": 0}},
        {"early_stopping": {"start": 3}},
        {"spare": None},
        {"spare": {}},
        {"spare": {"holds": "first", "steps": 3}},
        {"spare": {"holds": "best", "steps": 3}},  # the file has last_W1
        {"spare": {"holds": "last", "steps": -3}},
        {"best_epoch": 3},
        {"best_epoch": "1"},
        {"lr": [0.1]},
    ],
    ids=str,
)
def test_a_record_that_makes_no_sense_is_refused(tmp_path, changes):
    path = tmp_path / "net.npz"
    new_session(early_stopping=True, output=path).train(2)
    model = read_model(path)
    training = model.metadata["training"]
    for name, value in changes.items():
        (training["history"] if name in training["history"] else training)[name] = value
    write_model(path, model.arrays, model.metadata)
    with pytest.raises(ModelFileError, match=r"net\.npz does not (say how it was trained|hold the best epoch)"):
        TrainingSession.resume(path, DATA)


def test_patience_is_for_early_stopping_only(tmp_path):
    path = tmp_path / "net.npz"
    new_session(output=path).train(1)
    with pytest.raises(InvalidValueError, match=r"net\.npz was trained without early stopping: leave patience out"):
        TrainingSession.resume(path, DATA, patience=3)
    assert TrainingRecord.from_file(path, read_model(path)).spare is None
