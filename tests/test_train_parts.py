"""`fastmlp train` on data in parts."""

import json
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, load_parts
from fastmlp.cli import main
from fastmlp.datasets import Dataset
from fastmlp.errors import InvalidValueError
from fastmlp.evaluation import evaluate
from fastmlp.files.model import read_model
from fastmlp.session import TrainingSession

TREES = np.array(["ash", "elm", "oak"])


@pytest.fixture
def folder(tmp_path):
    """Four parts of 30 rows of 4 values, with three named classes."""
    rng = np.random.default_rng(4)
    (tmp_path / "parts").mkdir()
    for k in range(4):
        y = rng.integers(0, 3, 30)
        X = rng.normal(size=(30, 4)) + 3 * np.eye(4)[y]
        np.savez(tmp_path / "parts" / f"{k}.npz", X=X.astype(np.float32), y=TREES[y])
    return tmp_path / "parts"


def train(data, *args):
    options = ["train", "--dataset", data, "-H", 5, "--batch-size", 8, "--epochs", 3, *args]
    return CliRunner().invoke(main, [str(each) for each in options])


@pytest.mark.parametrize("pattern", ["", "*.npz"])
def test_parts_are_trained_on_and_the_last_is_the_test(folder, tmp_path, pattern):
    output = tmp_path / "net.npz"
    result = train(folder / pattern, "--output", output, "--json", "--class-weight", "balanced", "--schedule", "cosine")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["parameters"]["parts"] == 4
    assert len(report["results"]["history"]["loss"]) == 3
    assert f"tested on the last 1 of 4 parts, from {folder / '3.npz'} on" in result.stderr
    assert "90 samples in 3 parts" in result.stderr
    assert "are standardised by the first part" in result.stderr
    net, parts = NeuralNetwork.load(output), load_parts(folder)
    assert net.class_names == tuple(TREES)
    assert net.score(parts[3:]).loss == report["results"]["test_loss"]
    assert net.score(parts[:3]).accuracy == report["results"]["train_accuracy"]


def test_a_file_may_be_the_test(folder, tmp_path):
    rng = np.random.default_rng(5)
    np.savez(
        tmp_path / "test.npz", X=np.float32(3 * np.eye(4)[[1, 2] * 10] + rng.normal(size=(20, 4))), y=TREES[[1, 2] * 10]
    )
    result = train(folder, "--test", tmp_path / "test.npz", "--json", "--preprocess", "none", "--epochs", 20)
    assert result.exit_code == 0, result.stderr
    assert "120 samples in 4 parts" in result.stderr
    assert "standardised" not in result.stderr
    assert json.loads(result.stdout)["results"]["test_accuracy"] > 0.8


def test_without_json_there_is_a_table(folder):
    result = train(folder)
    assert "Test accuracy" in result.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--net", "numpy"], "only fastmlp's own net trains on parts"),
        (["--validation-fraction", "0.1"], "--validation-fraction does not go with data in parts"),
        (["--early-stopping"], "--early-stopping does not go with data in parts"),
        (["--schedule", "plateau"], "needs validation"),
        (["--preprocess", "auto"], "--preprocess auto does not go with data in parts"),
        (["--test", "a", "--test-fraction", "0.5"], "leave out one of them"),
        (["--plot", "net.png"], "--plot does not go with data in parts"),
    ],
)
def test_what_is_wrong_usage(folder, options, message):
    result = train(folder, *options)
    assert result.exit_code == 2
    assert message in result.stderr


def test_one_part_needs_a_test_file(folder):
    result = train(folder / "[3].npz")
    assert result.exit_code == 2
    assert "is one part, which is not divided: name a file to test on, with --test" in result.stderr


def test_data_that_cannot_be_read(folder):
    result = train(folder / "*.gone")
    assert result.exit_code == 3
    assert "matches no file or folder" in result.stderr
    (folder / "1.npz").write_bytes(b"PK")
    result = train(folder)
    assert result.exit_code == 3
    assert "1.npz is not an .npz file" in result.stderr


def test_a_part_that_is_damaged_in_training_costs_nothing_that_was_done(folder, tmp_path, monkeypatch):
    from fastmlp.progress import ProgressBar

    output, good = tmp_path / "net.npz", tmp_path / "good.npz"
    assert train(folder, "--output", good, "--epochs", 1).exit_code == 0
    monkeypatch.setattr("fastmlp.files.spill._SHARE", 0)  # no room to keep what was read once
    monkeypatch.setattr(ProgressBar, "__call__", lambda *_: (folder / "1.npz").write_bytes(b"PK"))
    result = train(folder, "--output", output)
    assert result.exit_code == 3
    assert "1.npz is not an .npz file" in result.stderr
    assert "ended after 1 of 3 epochs" in result.stderr
    np.testing.assert_array_equal(NeuralNetwork.load(output).W1, NeuralNetwork.load(good).W1)


def test_ctrl_c_saves_the_full_epochs(folder, tmp_path, monkeypatch):
    from fastmlp.progress import ProgressBar

    def press(_self, epoch, _history):
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressBar, "__call__", press)
    result = train(folder, "--output", tmp_path / "net.npz")
    assert result.exit_code == 130
    assert "interrupted after 2 of 3 epochs, which are saved; continue with --resume" in result.stderr
    assert NeuralNetwork.load(tmp_path / "net.npz")._optimizer_state.steps == 2 * 3 * 4


def assert_same_file(a, b):
    one, other = (read_model(path) for path in (a, b))
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name])
    assert one.metadata["random_state"] == other.metadata["random_state"]
    histories = [model.metadata["training"]["history"] for model in (one, other)]
    for name in ("loss", "accuracy", "lr"):
        assert histories[0][name] == histories[1][name]


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_resumed_training_has_the_bits_of_an_unbroken_one(folder, tmp_path, optimizer):
    whole, broken = tmp_path / "whole.npz", tmp_path / "broken.npz"
    options = ["--optimizer", optimizer, "--class-weight", "balanced", "--epochs"]
    assert train(folder, "--output", broken, *options, 2).exit_code == 0
    result = CliRunner().invoke(main, ["train", "--resume", str(broken), "--epochs", "4", "--json"])
    assert result.exit_code == 0, result.stderr
    assert "epochs 3 to 4" in result.stderr
    assert "tested on the last 1 of 4 parts" in result.stderr
    assert json.loads(result.stdout)["parameters"]["seed"] == 0
    assert train(folder, "--output", whole, *options, 4).exit_code == 0
    assert_same_file(whole, broken)


KILLED = """
import os, sys
from fastmlp import NeuralNetwork, load_parts
from fastmlp.session import TrainingSession
folder, output = sys.argv[1:]
net = NeuralNetwork(5, input_size=4, output_size=3, seed=0)
session = TrainingSession(net, load_parts(folder), batch_size=8, output=output, checkpoint_every=2)
session.train(9, callback=lambda epoch, _: epoch == 5 and os.kill(os.getpid(), 9))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal")
def test_after_a_kill_the_last_checkpoint_is_resumed_to_the_same_bits(folder, tmp_path):
    whole, killed = tmp_path / "whole.npz", tmp_path / "killed.npz"
    ended = subprocess.run([sys.executable, "-c", KILLED, folder, killed], check=False)
    assert ended.returncode == -9
    parts = load_parts(folder)
    session = TrainingSession.resume(killed, parts)
    assert session.epochs == 4
    session.train(6)
    net = NeuralNetwork(5, input_size=4, output_size=3, seed=0)
    TrainingSession(net, load_parts(folder), batch_size=8, output=whole, checkpoint_every=2).train(6)
    assert_same_file(whole, killed)


def test_a_session_on_one_part_is_that_on_its_rows(folder, tmp_path):
    X, y = load_parts(folder).parts[0].read()
    nets = [NeuralNetwork(5, input_size=4, output_size=3, seed=0) for _ in range(2)]
    TrainingSession(nets[0], load_parts(folder / "0.npz"), batch_size=8).train(3)
    TrainingSession(nets[1], Dataset(X, y, X, y, "rows", tuple(TREES)), batch_size=8).train(3)
    np.testing.assert_array_equal(nets[0].W1, nets[1].W1)
    assert nets[0].class_names == nets[1].class_names == tuple(TREES)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"validation_fraction": 0.1}, "a validation_fraction is not held back of parts"),
        ({"standardise": True}, "parts are not standardised"),
        ({"early_stopping": True}, "early_stopping needs a validation_fraction"),
    ],
)
def test_what_a_session_on_parts_refuses(folder, settings, message):
    net = NeuralNetwork(5, input_size=4, output_size=3, seed=0)
    with pytest.raises(InvalidValueError, match=message):
        TrainingSession(net, load_parts(folder), **settings)


def evaluated(*args):
    result = CliRunner().invoke(main, ["evaluate", "--json", *map(str, args)])
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)["results"], result.stderr


def test_a_model_is_evaluated_on_the_parts_that_were_held_back(folder, tmp_path):
    model = tmp_path / "net.npz"
    trained = json.loads(train(folder, "--test-fraction", 0.5, "--output", model, "--json").stdout)["results"]
    seen, told = evaluated(model)
    assert seen["samples"] == 60
    assert (seen["loss"], seen["accuracy"]) == (trained["test_loss"], trained["test_accuracy"])
    assert told == ""
    net, parts = NeuralNetwork.load(model), load_parts(folder)
    both = [each.read() for each in parts[2:].parts]
    whole = evaluate(net, np.concatenate([X for X, _ in both]), np.concatenate([y for _, y in both]))
    assert seen["confusion"] == whole.confusion.tolist()
    assert [each["row"] for each in seen["worst"]] == [each.row for each in whole.worst]

    seen, told = evaluated(model, "--dataset", folder)
    assert seen["samples"] == 120
    assert "the model was trained on rows of" in told
    shown = CliRunner().invoke(main, ["evaluate", str(model)]).stdout
    assert f"net.npz on the last 2 of 4 parts of {folder}" in shown
    result = CliRunner().invoke(main, ["evaluate", str(model), "--plot", str(tmp_path / "a.png")])
    assert (result.exit_code, "--plot does not go with data in parts" in result.stderr) == (2, True)


def test_a_model_with_a_test_file_is_evaluated_on_that(folder, tmp_path):
    model, test = tmp_path / "net.npz", tmp_path / "test.npz"
    (folder / "3.npz").rename(test)
    trained = json.loads(train(folder, "--test", test, "--output", model, "--json").stdout)["results"]
    seen, _ = evaluated(model)
    assert (seen["samples"], seen["loss"]) == (30, trained["test_loss"])


def test_other_parts_are_numbered_as_the_model_numbers_its_classes(folder, tmp_path):
    model, other = tmp_path / "net.npz", tmp_path / "other"
    assert train(folder, "--output", model, "--epochs", 9).exit_code == 0
    other.mkdir()
    X, y = load_parts(folder).parts[0].read()
    for k, rows in enumerate(np.array_split(np.flatnonzero(y != 0), 2)):
        np.savez(other / f"{k}.npz", X=X[rows], y=TREES[y[rows]])
    seen, _ = evaluated(model, "--dataset", other)
    assert seen["accuracy"] > 0.8
    assert seen["classes"][0]["samples"] == 0
    np.savez(other / "2.npz", X=X, y=np.full(len(X), "yew"))
    result = CliRunner().invoke(main, ["evaluate", str(model), "--dataset", str(other)])
    assert result.exit_code == 3
    assert "has the classes yew, which the model does not know (ash, elm, oak)" in result.stderr
    for k in range(3):
        np.savez(other / f"{k}.npz", X=(255 * abs(X) / abs(X).max()).astype("u1"), y=TREES[y])
    result = CliRunner().invoke(main, ["evaluate", str(model), "--dataset", str(other)])
    assert "holds pixels from 0 to 255, and the model was trained on no pixels" in result.stderr


@pytest.mark.parametrize("test", [None, "test.svm"])
def test_svmlight_parts_are_trained_on_resumed_and_evaluated(tmp_path, test):
    datasets = pytest.importorskip("sklearn.datasets")
    rng = np.random.default_rng(0)
    for name, n_columns in {"0.svm": 9, "1.svm": 12, "2.svm": 7, "test.svm": 8}.items():
        y = rng.integers(0, 2, 40)
        X = (rng.random((40, n_columns)) < 0.3) * 1.0
        X[np.arange(40), y] = 3
        datasets.dump_svmlight_file(X, y, str(tmp_path / name), zero_based=False)
    model = tmp_path / "net.npz"
    options = [] if test is None else ["--test", tmp_path / test]
    result = train(tmp_path / "[0-9].svm", "--output", model, "--json", *options)
    assert result.exit_code == 0, result.stderr
    assert "standardised" not in result.stderr
    assert NeuralNetwork.load(model).input_size == 12
    assert CliRunner().invoke(main, ["train", "--resume", str(model), "--epochs", "9"]).exit_code == 0
    seen, _ = evaluated(model)
    assert seen["samples"] == 40
    assert seen["accuracy"] > 0.8


@pytest.mark.parametrize("name", ["0.svm", "[0-9].svm"])
def test_preprocessing_of_sparse_data_is_refused(tmp_path, name):
    pytest.importorskip("sklearn.datasets")
    for k in range(3):
        (tmp_path / f"{k}.svm").write_text("1 1:2 3:4\n0 2:1\n" * 9, encoding="utf-8")
    result = train(tmp_path / name, "--preprocess", "scale")
    assert result.exit_code == 2
    assert "--preprocess scale is for tables, and" in result.stderr
    assert train(tmp_path / name, "--preprocess", "none").exit_code == 0


@pytest.mark.parametrize("command", [["sweep", "-H", 3, "--lr", "0.1"], ["compare", "-H", 3], ["data"]])
def test_other_commands_say_that_they_take_no_parts(folder, command):
    if command[0] == "sweep":
        pytest.importorskip("joblib")
    result = CliRunner().invoke(main, [*map(str, command), "--dataset", str(folder / "*.npz")])
    assert result.exit_code == 3
    assert "names data in parts, which `fastmlp train` and `evaluate` take" in result.stderr


def write_idx(folder, X, y):
    from fastmlp.datasets.idx import to_idx

    for k in range(4):
        rows, place = slice(30 * k, 30 * k + 30), folder / f"set{k}"
        place.mkdir()
        (place / "train-images-idx3-ubyte").write_bytes(to_idx(X[rows].astype(np.uint8).reshape(-1, 2, 2)))
        (place / "train-labels-idx1-ubyte").write_bytes(to_idx(y[rows].astype(np.uint8)))
    return folder / "set*"


def write_npy(folder, X, y):
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)
    return folder


def write_parquet(folder, X, y):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table({**{f"f{j}": X[:, j] for j in range(4)}, "kind": TREES[y]})
    parquet.write_table(table, folder / "trees.parquet", row_group_size=30)
    return folder / "*.parquet"


def write_scipy(folder, X, y):
    scipy = pytest.importorskip("scipy.sparse")
    for k in range(4):
        rows = slice(30 * k, 30 * k + 30)
        scipy.save_npz(folder / f"X{k}.npz", scipy.csr_array(X[rows] / 255))  # values stay as they are
        np.save(folder / f"y{k}.npy", y[rows])
    return folder / "X*.npz"


@pytest.mark.parametrize("write", [write_idx, write_npy, write_parquet, write_scipy])
def test_each_kind_of_parts_on_the_command_line(tmp_path, write, monkeypatch):
    monkeypatch.setattr("fastmlp.datasets.parts._BYTES", 30 * 4 * 4)  # four parts of 30 rows
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 120)
    X = np.float32(200 * (np.arange(4) == y[:, None]) + rng.integers(0, 55, (120, 4)))
    (tmp_path / "parts").mkdir()
    data, model = write(tmp_path / "parts", X, y), tmp_path / "net.npz"
    result = train(data, "--output", model, "--json", "--epochs", 2)
    assert result.exit_code == 0, result.stderr
    assert "tested on the last 1 of 4 parts" in result.stderr
    assert CliRunner().invoke(main, ["train", "--resume", str(model), "--epochs", "20"]).exit_code == 0
    seen, _ = evaluated(model)
    assert seen["samples"] == 30
    assert seen["accuracy"] > 0.8
