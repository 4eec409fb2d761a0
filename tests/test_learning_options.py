"""`train --optimizer`, `--schedule`, `--class-weight`, `--early-stopping` and the like, and `--resume` with them."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import (
    Adam,
    CosineDecay,
    EarlyStopping,
    Momentum,
    NeuralNetwork,
    ReduceOnPlateau,
    StepDecay,
    TrainingSession,
    load_files,
)
from fastmlp.cli import main
from fastmlp.files.model import read_model
from fastmlp.training_record import TrainingRecord


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A CSV of 120 rows of 4 values with three named classes, one of them rare."""
    rng = np.random.default_rng(4)
    labels = np.array([0, 0, 1, 1, 1, 2] * 20)
    X = rng.normal(size=(120, 4)) + np.eye(4)[labels]
    lines = [f"{','.join(map(str, row))},{('ash', 'elm', 'oak')[k]}" for row, k in zip(X, labels, strict=True)]
    path = tmp_path_factory.mktemp("data") / "trees.csv"
    path.write_text("\n".join(["a,b,c,d,label", *lines]), encoding="utf-8")
    return path


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def train(data, *args):
    result = run("train", "--dataset", data, "--hidden-size", 9, "--batch-size", 8, *args)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize(
    ("args", "optimizer", "lr", "settings"),
    [
        ([], None, 0.1, {}),
        (["--optimizer", "momentum"], Momentum(), 0.01, {}),
        (["--optimizer", "momentum", "--momentum", 0.5, "--nesterov", "--l2", 0.1], Momentum(0.5, True, 0.1), 0.01, {}),
        (["--optimizer", "adam", "--lr", 0.02], Adam(), 0.02, {}),
        (["--schedule", "step"], None, 0.1, {"schedule": StepDecay()}),
        (["--schedule", "cosine", "--warmup", 2], None, 0.1, {"schedule": CosineDecay(2)}),
        (["--schedule", "plateau"], None, 0.1, {"schedule": ReduceOnPlateau(), "validation_fraction": 0.1}),
        (["--class-weight", "balanced"], None, 0.1, {"class_weight": "balanced"}),
        (["--validation-fraction", 0.25], None, 0.1, {"validation_fraction": 0.25}),
        (["--early-stopping"], None, 0.1, {"early_stopping": True, "validation_fraction": 0.1}),
        (
            ["--early-stopping", "--patience", 2, "--validation-fraction", 0.3], None, 0.1,
            {"early_stopping": EarlyStopping(patience=2), "validation_fraction": 0.3},
        ),
    ],
    ids=str,
)  # fmt: skip
def test_the_options_are_those_of_a_session(data, tmp_path, args, optimizer, lr, settings):
    path = tmp_path / "net.npz"
    report = json.loads(train(data, "--epochs", 4, "--output", path, "--json", *args).stdout)
    net = NeuralNetwork(9, lr, input_size=4, output_size=3, seed=0, optimizer=optimizer or "sgd")
    session = TrainingSession(net, load_files(data), batch_size=8, standardise=True, **settings)
    session.train(4)
    loaded = NeuralNetwork.load(path)
    np.testing.assert_array_equal(loaded.W1, net.W1)
    assert (loaded.optimizer, loaded.lr) == (net.optimizer, lr)
    assert TrainingRecord.from_file(path, read_model(path)).recipe == session.recipe
    parameters, history = report["parameters"], report["results"]["history"]
    assert (parameters["optimizer"], parameters["lr"]) == (net._optimizer_state.record()["name"], lr)
    assert parameters["l2"] == net.optimizer.l2
    for name, value in session.recipe.as_metadata().items():
        assert parameters[name] == value
    assert history["loss"] == session.history.loss
    assert history["lr"] == session.history.lr
    assert history.get("val_loss") == (session.history.val_loss if "validation_fraction" in settings else None)
    assert history.get("best_epoch") == session.history.best_epoch


def test_early_stopping_is_told_and_resumed_with_more_patience(data, tmp_path):
    path, plot = tmp_path / "net.npz", tmp_path / "history.svg"
    args = ["--epochs", 300, "--early-stopping", "--patience", 3, "--validation-fraction", 0.3, "--optimizer", "adam"]
    result = train(data, *args, "--lr", 0.05, "--output", path)
    record = TrainingRecord.from_file(path, read_model(path))
    epochs, best = len(record.history.loss), record.history.best_epoch
    assert epochs == best + 3 < 300
    assert f"stopped early after epoch {epochs}; the net is that of epoch {best}, the best" in result.stderr
    assert " samples and 31 for validation, epochs 1 to 300" in result.stderr
    again = run("train", "--resume", path, "--epochs", 300)
    assert again.exit_code == 2
    assert "has stopped early, after" in again.stderr
    assert "give a larger --patience" in " ".join(again.stderr.split())
    patient = run("train", "--resume", path, "--epochs", 300, "--patience", 8, "--plot", plot)
    assert patient.exit_code == 0, patient.stderr
    whole = tmp_path / "whole.npz"
    train(data, *[8 if arg == 3 else arg for arg in args], "--lr", 0.05, "--output", whole)
    ours, theirs = read_model(path), read_model(whole)
    assert {name: array.tobytes() for name, array in ours.arrays.items()} == {
        name: array.tobytes() for name, array in theirs.arrays.items()
    }
    for model in (ours, theirs):
        del model.metadata["training"]["history"]["seconds"]
    assert ours.metadata == theirs.metadata
    best = ours.metadata["training"]["history"]["best_epoch"]
    assert f"best epoch: {best}, stopped after {best + 8}" in plot.read_text(encoding="utf-8")


def test_the_best_epoch_comes_back_to_a_training_that_died_at_its_end(data, tmp_path, monkeypatch):
    """Between the checkpoint after the last epoch and the end."""
    path, save = tmp_path / "net.npz", TrainingSession.save

    def save_and_die(session):
        save(session)
        if session.epochs == 8:
            raise MemoryError

    args = ["--epochs", 8, "--early-stopping", "--lr", 0.5, "--validation-fraction", 0.3, "--checkpoint-every", 1]
    with monkeypatch.context() as patch:
        patch.setattr(TrainingSession, "save", save_and_die)
        assert run("train", "--dataset", data, "-b", 8, *args, "--output", path).exit_code == 1
    assert "best_W1" in read_model(path).arrays
    result = run("train", "--resume", path, "--epochs", 8)
    assert result.exit_code == 0, result.stderr
    model = read_model(path)
    assert "last_W1" in model.arrays
    assert f"ended after epoch 8; the net is that of epoch {model.metadata['training']['history']['best_epoch']}" in (
        result.stderr
    )
    assert "has already been trained for 8" in run("train", "--resume", path, "--epochs", 8).stderr.replace("\n", " ")


@pytest.mark.parametrize(
    "args", [["--schedule", "cosine", "--warmup", 1], ["--early-stopping"], ["--schedule", "plateau"]]
)
def test_resumed_from_a_checkpoint_the_file_has_the_bits_of_an_unbroken_training(data, tmp_path, args):
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    args = [*args, "--optimizer", "momentum", "--class-weight", "balanced", "--epochs", 9]
    train(data, *args, "--output", whole)

    class StopHere(Exception):
        pass

    def stop(session, *_):
        if session.epochs == 5:
            raise StopHere
        save(session)

    save = TrainingSession.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingSession, "save", stop)
        result = run("train", "--dataset", data, "-H", 9, "-b", 8, *args, "--output", parts, "--checkpoint-every", 1)
    assert result.exit_code == 1
    assert read_model(parts).metadata["training"]["epochs"] == 4
    result = run("train", "--resume", parts, "--epochs", 9, *args[:-2])  # what is said again does no harm
    assert result.exit_code == 0, result.stderr
    ours, theirs = read_model(whole), read_model(parts)
    assert {name: array.tobytes() for name, array in ours.arrays.items()} == {
        name: array.tobytes() for name, array in theirs.arrays.items()
    }


def test_a_change_of_the_rate_is_shown(data):
    lines = [line for line in train(data, "--epochs", 12, "--schedule", "step").stderr.splitlines() if "lr now" in line]
    assert len(lines) == 1
    assert lines[0].startswith("epoch 11/12")
    assert lines[0].endswith("lr now 0.01")


def test_another_net_takes_the_optimiser_and_a_validation_part(data):
    result = train(data, "--net", "numpy", "--optimizer", "adam", "--validation-fraction", 0.2, "--json")
    report = json.loads(result.stdout)
    assert (report["parameters"]["optimizer"], report["parameters"]["lr"]) == ("adam", 0.001)
    assert len(report["results"]["history"]["val_loss"]) == 20


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--optimizer", "rmsprop"], "'rmsprop' is not one of 'sgd', 'momentum', 'adam'"),
        (["--momentum", "0.5"], "--momentum belongs to --optimizer momentum: name that too, or leave it out"),
        (["--optimizer", "adam", "--nesterov"], "--nesterov belongs to --optimizer momentum"),
        (["--warmup", "3"], "--warmup belongs to --schedule cosine"),
        (["--schedule", "step", "--warmup", "3"], "--warmup belongs to --schedule cosine"),
        (["--patience", "3"], "--patience belongs to --early-stopping"),
        (["--l2", "-1"], "-1.0 is not in the range x>=0"),
        (["--l2", "nan"], "--l2 is nan; it must be a number"),
        (["--l2", "inf"], "--l2 is inf"),
        (["--l2", "1e-50"], "l2 is 1e-50; it must be a number above 0 that float32 can hold"),
        (["--optimizer", "momentum", "--momentum", "1"], "1.0 is not in the range 0<=x<1"),
        (["--validation-fraction", "1"], "1.0 is not in the range 0<x<1"),
        (["--validation-fraction", "nan"], "--validation-fraction is nan"),
        (["--class-weight", "even"], "'even' is not 'balanced'"),
        (["--net", "numpy", "--schedule", "step"], "own net takes --schedule: leave it out, or --net numpy"),
        (["--net", "numpy", "--early-stopping"], "only fastmlp's own net takes --early-stopping"),
        (["--net", "numpy", "--l2", "0.1"], "only fastmlp's own net takes --l2"),
        (["--net", "numpy", "--class-weight", "balanced"], "only fastmlp's own net takes --class-weight"),
        (["--compare-nets", "--early-stopping"], "--compare-nets does not go with --early-stopping"),
    ],
    ids=str,
)  # fmt: skip
def test_what_has_no_meaning_is_wrong_usage(data, args, says):
    result = run("train", "--dataset", data, *args)
    assert result.exit_code == 2, result.stderr
    assert says in " ".join(result.stderr.split())
    assert "epoch 1" not in result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--optimizer", "adam"], "--optimizer adam is asked for, but the model in {path} has momentum: leave"),
        (["--momentum", "0.5"], "--momentum 0.5 is asked for, but the model in {path} has 0.9"),
        (["--nesterov"], "--nesterov is asked for, but the model in {path} has False"),
        (["--schedule", "step"], "--schedule step is asked for, but the model in {path} has cosine"),
        (["--warmup", "2"], "--warmup 2 is asked for, but the model in {path} has 1"),
        (["--class-weight", "balanced"], "balanced is asked for, but the model in {path} is not trained so"),
        (["--validation-fraction", "0.2"], "--validation-fraction 0.2 is asked for, but the model in {path} has 0.25"),
        (["--early-stopping"], "--early-stopping is asked for, but the model in {path} is not trained so"),
        (["--patience", "3"], "--patience 3 is asked for, but the model in {path} is not trained so"),
    ],
    ids=str,
)  # fmt: skip
def test_what_contradicts_the_model_is_wrong_usage(data, tmp_path, args, says):
    path = tmp_path / "net.npz"
    kept = ["--optimizer", "momentum", "--schedule", "cosine", "--warmup", 1, "--validation-fraction", 0.25]
    train(data, "--epochs", 2, *kept, "--output", path)
    result = run("train", "--resume", path, "--epochs", 4, *args)
    assert result.exit_code == 2, result.stderr
    assert says.format(path=path) in " ".join(result.stderr.split())
    assert run("train", "--resume", path, "--epochs", 3, *kept).exit_code == 0
