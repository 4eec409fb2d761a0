"""`train --output`, `--checkpoint-every`, `--resume`: what is kept is whole, and goes on exactly."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, TrainingSession, load_files
from fastmlp.cli import main
from fastmlp.files.model import read_model


@pytest.fixture
def data(tmp_path):
    """A CSV of 90 rows of 4 values with three named classes."""
    rng = np.random.default_rng(4)
    labels = np.arange(90) % 3
    X = rng.normal(size=(90, 4)) + 3 * np.eye(4)[labels]
    lines = [f"{','.join(map(str, row))},{('ash', 'elm', 'oak')[k]}" for row, k in zip(X, labels, strict=True)]
    path = tmp_path / "trees.csv"
    path.write_text("\n".join(["a,b,c,d,label", *lines]), encoding="utf-8")
    return path


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def train(data, *args):
    result = run("train", "--dataset", data, "--hidden-size", 5, "--batch-size", 8, *args)
    assert result.exit_code == 0, result.stderr
    return result


def test_ten_and_ten_epochs_give_the_bits_of_twenty(data, tmp_path):
    whole, parts = tmp_path / "whole.npz", tmp_path / "parts.npz"
    train(data, "--epochs", 20, "--output", whole)
    train(data, "--epochs", 10, "--output", parts)
    result = run("train", "--resume", parts, "--epochs", 20)
    assert result.exit_code == 0, result.stderr
    assert "epochs 11 to 20" in result.stderr
    assert "epoch 20/20" in result.stderr
    ours, theirs = read_model(whole), read_model(parts)
    for name, array in ours.arrays.items():
        np.testing.assert_array_equal(theirs.arrays[name], array)
    for model in (ours, theirs):
        del model.metadata["training"]["history"]["seconds"]
    assert theirs.metadata == ours.metadata
    assert ours.metadata["class_names"] == ["ash", "elm", "oak"]
    assert len(ours.metadata["training"]["history"]["val_loss"]) == 20


def test_resume_into_another_file_leaves_the_first(data, tmp_path):
    first, second = tmp_path / "first.npz", tmp_path / "second.npz"
    train(data, "--epochs", 2, "--output", first)
    before = first.read_bytes()
    assert run("train", "--resume", first, "--epochs", 3, "--output", second).exit_code == 0
    assert first.read_bytes() == before
    assert read_model(second).metadata["training"]["epochs"] == 3


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["--output", "{there}"], 2, "exists; name another file, or use --force"),
        (["--output", "{folder}"], 2, "is a directory"),
        (["--output", "{folder}/no/net.npz"], 2, "does not exist"),
        (["--plot", "{folder}/history.gif"], 2, "must end in .png, .svg or .pdf"),
        (["--output", "{folder}/a.png", "--plot", "{folder}/a.png"], 2, "is named for two outputs"),
        (["--output", "/dev/null", "--force"], 2, "is a device, a pipe or a socket"),
        (["--output", "{folder}/{long}"], 2, "its name is too long"),
        (["--output", "{circle}", "--force"], 2, "Too many levels of symbolic links"),
        (["--output", "{there}/net.npz"], 2, "Not a directory"),
        (["--output", "{closed}", "--force"], 2, "is read-only; make it writable, or name another file"),
        (["--resume", "{closed}", "--epochs", "3"], 2, "is read-only; make it writable, or name another file"),
        (["--checkpoint-every", "2"], 2, "saves to --output"),
        (["--net", "numpy", "--output", "{folder}/new.npz"], 2, "only fastmlp's own net can be saved and resumed"),
        (["--resume", "{there}", "--epochs", "1"], 2, "has already been trained for 1: give a larger total"),
        (["--resume", "{there}", "--epochs", "3", "--hidden-size", "9"], 2, "--hidden-size is 9, but the model"),
        (["--resume", "{there}", "--epochs", "3", "--dataset", "{wide}"], 1, "has 2 inputs per sample"),
        (["--resume", "{damaged}"], 3, "cut off or damaged"),
        (["--resume", "{folder}/none.npz"], 2, "does not exist"),
    ],
)
def test_bad_files_get_one_sentence_before_any_work(data, tmp_path, args, code, says):
    folder = tmp_path / "files"
    folder.mkdir()
    there, damaged, wide = folder / "there.npz", folder / "damaged.npz", folder / "wide.csv"
    train(data, "--epochs", 1, "--output", there)
    damaged.write_bytes(there.read_bytes()[:999])
    wide.write_text("a,b,label\n" + "1,2,ash\n3,4,elm\n" * 9, encoding="utf-8")
    closed, circle = folder / "closed.npz", tmp_path / "circle"
    closed.write_bytes(there.read_bytes())
    closed.chmod(0o400)
    circle.symlink_to(circle)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    names = {"there": there, "folder": folder, "damaged": damaged, "wide": wide, "closed": closed, "circle": circle}
    names["long"] = "n" * 245 + ".npz"  # which has no room for a temporary name beside it
    given = [arg.format(**names) for arg in args]
    result = run("train", *([] if "--dataset" in given or "--resume" in given else ["--dataset", data]), *given)
    assert result.exit_code == code, result.stderr
    assert says in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert "epoch 1" not in result.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_full_disk_while_saving_is_told_and_leaves_the_old_file(data, tmp_path):
    path = tmp_path / "net.npz"
    train(data, "--epochs", 1, "--output", path)
    before = path.read_bytes()
    resource = pytest.importorskip("resource")  # which Windows lacks
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        result = run("train", "--resume", path, "--epochs", 3, "--checkpoint-every", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.exit_code == 1
    assert result.stderr.endswith(f"Error: {path}: File too large\n")
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.glob("net*")] == ["net.npz"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="nobody can be refused")
def test_a_folder_without_permission_is_told_before_any_work(data, tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    result = run("train", "--dataset", data, "--output", folder / "net.npz")
    assert result.exit_code == 2
    assert "cannot be written" in result.stderr


@pytest.mark.parametrize(
    "changes",
    [
        None,
        {"epochs": "2"},
        {"epochs": 3},
        {"batch_size": 0},
        {"history": []},
        {"history": {"loss": [1, 2]}},
        {"dataset": "mine"},
        {"dataset": {"name": "mine"}},
    ],
    ids=str,
)
def test_a_net_that_was_saved_from_python_does_not_say_how_to_go_on(data, tmp_path, changes):
    path = tmp_path / "net.npz"
    train(data, "--epochs", 2, "--output", path)
    training = read_model(path).metadata["training"] | changes if changes else {"note": "mine"}
    NeuralNetwork(hidden_size=3, input_size=4, output_size=3).save(path, training=training)
    result = run("train", "--resume", path, "--dataset", data)
    assert result.exit_code == 3
    assert "does not say how it was trained" in result.stderr


def test_a_session_from_python_is_resumed_once_its_data_is_named(data, tmp_path):
    path = tmp_path / "net.npz"
    TrainingSession(NeuralNetwork(5, input_size=4, output_size=3), load_files(data), batch_size=8, output=path).train(1)
    result = run("train", "--resume", path)
    assert result.exit_code == 2
    assert "does not say what data the model was trained on: name the data with --dataset" in result.stderr
    assert run("train", "--resume", path, "--dataset", data, "--epochs", 2).exit_code == 0
    assert run("train", "--resume", path, "--epochs", 3).exit_code == 0
    assert read_model(path).metadata["training"]["epochs"] == 3


def test_checkpoints_go_on_after_a_resume(data, tmp_path):
    path = tmp_path / "net.npz"
    train(data, "--epochs", 1, "--output", path, "--checkpoint-every", 2)
    assert run("train", "--resume", path, "--epochs", 3).exit_code == 0
    assert read_model(path).metadata["training"]["checkpoint_every"] == 2


def test_a_test_loss_that_float32_cannot_hold_does_not_cost_the_net(tmp_path):
    path, model = tmp_path / "far.npz", tmp_path / "net.npz"
    rng, y = np.random.default_rng(0), np.arange(60) % 3
    np.savez(path, x_train=rng.normal(size=(60, 4)), y_train=y, x_test=np.full((6, 4), 3e38), y_test=y[:6])
    for args in (["--dataset", path, "--preprocess", "none", "--output", model], ["--resume", model, "--epochs", 30]):
        result = run("train", *args, "--json")
        assert result.exit_code == 0, result.stderr
        assert json.loads(result.stdout, parse_constant=pytest.fail)["results"]["test_loss"] is None
    assert read_model(model).metadata["training"]["history"]["val_loss"] == [None] * 30
    report = json.loads(run("evaluate", model, "--json").stdout, parse_constant=pytest.fail)
    assert report["results"]["loss"] is None


def test_the_picture_is_drawn(data, tmp_path):
    pytest.importorskip("matplotlib")
    train(data, "--epochs", 3, "--plot", tmp_path / "history.png")
    assert (tmp_path / "history.png").read_bytes()[:4] == b"\x89PNG"
    result = run("train", "--dataset", data, "--plot", tmp_path / "history.png")
    assert result.exit_code == 2


def start(args):
    program = "import sys; from fastmlp.cli import main; sys.argv[0] = 'fastmlp'; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def test_ctrl_c_keeps_the_finished_epochs(data, tmp_path):
    path = tmp_path / "net.npz"
    args = ["train", "--dataset", data, "--hidden-size", 5, "--epochs", 10**6, "--output", path]
    with start(args) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 30/"):
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()
    assert process.returncode == 130, rest
    assert f"epochs, which are saved; continue with --resume {path}" in rest
    training = read_model(path).metadata["training"]
    assert training["epochs"] == len(training["history"]["loss"]) >= 30


@pytest.mark.alone
@pytest.mark.long
def test_killed_while_it_saves_the_newest_checkpoint_loads_and_goes_on(data, tmp_path):
    """Killed at random moments, some within a write; `python tests/test_train_files.py` does it fifty times."""
    kills_while_checkpointing(data, tmp_path / "net.npz", kills=6)


def kills_while_checkpointing(data, path, kills):
    """Kill a training that saves after every epoch; return how many kills left a temporary file, and the epochs."""
    rng = random.Random(0)
    within, done = 0, 0
    for _ in range(kills):
        resume = ["--resume", path] if path.exists() else ["--dataset", data, "--hidden-size", 2000, "--output", path]
        args = ["train", *resume, "--epochs", 10**6, "--checkpoint-every", 1]
        with start(args) as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(f"epoch {done + 2}/"):
                    break
            else:
                raise AssertionError(f"ended by itself: {process.wait()}")
            time.sleep(rng.uniform(0, 0.05))
            process.kill()
            process.stderr.read()
        leftovers = list(path.parent.glob("net.npz.*"))
        assert len(leftovers) <= 1  # what the kill before left is cleaned
        within += len(leftovers)
        epochs = read_model(path).metadata["training"]["epochs"]
        NeuralNetwork.load(path)
        assert epochs > done
        done = epochs
    final = run("train", "--resume", path, "--epochs", done + 1)
    assert final.exit_code == 0, final.stderr
    assert [entry.name for entry in path.parent.glob("net.npz*")] == ["net.npz"]
    return within, done


if __name__ == "__main__":
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "data.csv")
        rows = np.random.default_rng(0).normal(size=(200, 200))
        source.write_text(
            "\n".join(f"{','.join(f'{v:.4f}' for v in row)},{i % 3}" for i, row in enumerate(rows)), encoding="utf-8"
        )
        within, epochs = kills_while_checkpointing(source, Path(folder, "net.npz"), kills=50)
        print(f"50 kills, {within} of them within a write; {epochs} epochs trained, every checkpoint loaded")  # noqa: T201
    if within < 10:
        sys.exit("fewer than ten kills came within a write: that shows too little")
