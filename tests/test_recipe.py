"""What `fastmlp info MODEL` says of a model file."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import Adam, NeuralNetwork
from fastmlp.cli import main
from fastmlp.engine.scaling import Scaling


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture
def model(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a:.6f},{b:.6f},{'rose' if a > 30 else 'lily'}" for a, b in rng.normal([30, 1e4], [5, 1e3], (40, 2))]
    (tmp_path / "own.csv").write_text("\n".join(["length,\u2028mass,kind", *rows]), encoding="utf-8")
    result = run(
        "train", "--dataset", tmp_path / "own.csv", "--epochs", 3, "--seed", 4, "--output", tmp_path / "net.npz"
    )
    assert result.exit_code == 0, result.stderr
    assert "the 2 inputs are standardised by the training part" in result.stderr
    return tmp_path / "net.npz"


def test_info_of_a_model_says_how_it_was_made(model):
    result = run("info", model)
    assert result.exit_code == 0, result.stderr
    net = NeuralNetwork.load(model)
    said = {line[:16].strip(): line[16:].strip() for line in result.stdout.splitlines()}
    assert said["sizes"] == "2 inputs, 30 hidden units, 2 classes"
    assert said["classes"] == "lily, rose"
    assert said["initial weights"] == "glorot_uniform, seed 4"
    assert said["optimizer"].startswith("sgd, lr 0.1")
    assert said["training"].startswith("3 epochs, batches of 128 on own.csv (/")
    assert said["last epoch"].startswith("loss 0.")
    assert said["1"] == f"length: centre {net.scaling.centre[0]:.6g}, spread {net.scaling.spread[0]:.6g}"
    assert "\u2028" not in result.stdout


def test_info_tells_how_it_was_to_stop(tmp_path):
    rows = [f"{k}.5,{k % 7},{'ab'[k % 2]}" for k in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(["length,width,kind", *rows]), encoding="utf-8")
    options = ("--validation-fraction", 0.25, "--early-stopping", "--schedule", "cosine", "--epochs", 3)
    assert run("train", "--dataset", tmp_path / "own.csv", *options, "--output", tmp_path / "net.npz").exit_code == 0
    told = run("info", tmp_path / "net.npz").stdout
    assert "validation       0.25" in told and "early stopping   monitor loss, patience 10" in told and "cosine" in told


def test_info_of_a_model_as_json(model):
    report = json.loads(run("info", model, "--json").stdout)
    recipe, net = report["results"], NeuralNetwork.load(model)
    assert report["parameters"] == {"model": str(model)}
    assert [each["centre"] for each in recipe["inputs"]] == net.scaling.centre.tolist()
    assert recipe["training"]["epochs"] == 3 and isinstance(recipe["training"]["history"]["val_accuracy"], float)
    assert recipe["input_limit"] == 3 and recipe["format"] == 3


@pytest.mark.parametrize("training", [None, 7, {}, {"history": 3}, {"history": {"loss": []}, "dataset": "x"}])
def test_info_of_models_from_python_whatever_they_keep(tmp_path, training):
    net = NeuralNetwork(3, input_size=700, output_size=30, optimizer=Adam(l2=0.5), seed=0)
    net.save(tmp_path / "net.npz", training=training)
    result = run("info", tmp_path / "net.npz")
    assert result.exit_code == 0, result.stderr
    assert "adam, lr 0.001" in result.stdout and "l2 0.5" in result.stdout
    assert json.loads(run("info", tmp_path / "net.npz", "--json").stdout)["results"]["hidden_size"] == 3
    net.scaling = Scaling.of(np.arange(1400.0).reshape(2, 700))
    net.save(tmp_path / "net.npz", training=training)
    assert "column 1: centre 350" in run("info", tmp_path / "net.npz").stdout


def test_info_of_what_is_no_model_is_one_sentence(tmp_path):
    (tmp_path / "net.npz").write_bytes(b"no")
    result = run("info", tmp_path / "net.npz")
    assert result.exit_code == 3 and result.stderr.count("\n") == 1 and "not a model" in result.stderr
    assert run("info", tmp_path / "none.npz").exit_code == 2


def test_data_says_what_training_would_do(tmp_path):
    rows = [f"{k}.5,{k % 7},{'ab'[k % 2]}" for k in range(40)]
    (tmp_path / "own.csv").write_text("\n".join(["length,width,kind", *rows]), encoding="utf-8")
    told = run("data", tmp_path / "own.csv").stdout
    assert "train standardises" in told and "width: 3, " in told
    assert "standardises" not in run("data", tmp_path / "own.csv", "--preprocess", "none").stdout
