"""What is measured of a trained net, and the pictures of it."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, load_files
from fastmlp.cli import main
from fastmlp.evaluation import evaluate
from fastmlp.network import History


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def picks_largest(size=3):
    """A net that answers with the largest input."""
    net = NeuralNetwork(hidden_size=size, input_size=size, output_size=size, seed=0)
    net.W1, net.W2 = np.eye(size), 5 * np.eye(size)
    return net


def test_figures_of_a_case_done_by_hand():
    #           said:  0 0 1 2 2 2 for these
    X = np.eye(3)[[0, 0, 1, 2, 2, 2]]
    seen = evaluate(picks_largest(), X, [0, 1, 1, 2, 2, 0])
    assert seen.confusion.tolist() == [[1, 0, 1], [1, 1, 0], [0, 0, 2]]
    assert (seen.n_samples, seen.n_mistakes) == (6, 2)
    assert seen.accuracy == pytest.approx(4 / 6)
    assert seen.recall.tolist() == pytest.approx([1 / 2, 1 / 2, 1])
    assert seen.precision.tolist() == pytest.approx([1 / 2, 1, 2 / 3])
    assert seen.support.tolist() == [2, 2, 2]
    assert [mistake.row for mistake in seen.worst] == [1, 5]
    assert seen.worst[0].p_predicted == pytest.approx(np.exp(5) / (np.exp(5) + 2), rel=1e-5)


def test_classes_that_are_never_seen_or_never_said():
    seen = evaluate(picks_largest(), np.eye(3)[[0, 0]], [0, 1])
    assert np.isnan(seen.recall[2])
    assert np.isnan(seen.precision[1])
    assert seen.accuracy == evaluate(picks_largest(), np.eye(3)[[0, 0]], np.eye(3)[[0, 1]]).accuracy == 0.5


def test_the_loss_is_that_of_score_and_exact_where_a_probability_vanishes():
    X, y = np.random.default_rng(0).random((300, 3)), np.arange(300) % 3
    net = NeuralNetwork(hidden_size=5, input_size=3, output_size=3, seed=0)
    assert evaluate(net, X, y).loss == net.predict(X, y).loss
    assert evaluate(picks_largest(), [[100, 0, 0]], [1]).loss == 500  # -log(exp(-500)), which is 0 in float32


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ([0, 1], "Y has 2 labels for 3 samples"),
        ([0, 1, 3], "Y has the label 3; labels run from 0 to 2"),
        ([0, 1, 0.5], "fractional labels"),
        (np.ones((3, 3)), "Y is not one-hot"),
    ],
)
def test_labels_are_those_that_fit_takes(y, words):
    with pytest.raises(ValueError, match=words):
        picks_largest().fit(np.eye(3), y)
    with pytest.raises(ValueError, match=words):
        evaluate(picks_largest(), np.eye(3), y)


@pytest.fixture
def trained(tmp_path):
    """A model file, and the CSV that it was trained on."""
    path, model = tmp_path / "trees.csv", tmp_path / "model.npz"
    rows = [f"{k == 0:d},{k == 1:d},{k == 2:d},{('ash', 'elm', 'oak')[k]}" for k in np.arange(60) % 3]
    path.write_text("\n".join(rows), encoding="utf-8")
    result = run("train", "--dataset", path, "--hidden-size", 5, "--epochs", 60, "--batch-size", 5, "-o", model)
    assert result.exit_code == 0, result.stderr
    return model, path


def test_the_command_takes_the_data_of_the_training(trained):
    model, path = trained
    result = run("evaluate", model)
    assert result.exit_code == 0, result.stderr
    assert "model.npz on the test set of trees.csv" in result.stdout
    assert "accuracy 1.0000: 0 of 9 samples" in result.stdout
    assert "100.00 %" in result.stdout
    report = json.loads(run("evaluate", model, "--dataset", path, "--test-fraction", 0.5, "--json").stdout)
    assert report["results"]["samples"] == 30
    assert report["results"]["classes"][1] == {"class": "elm", "precision": 1.0, "recall": 1.0, "samples": 10}
    assert np.trace(report["results"]["confusion"]) == 30


@pytest.mark.parametrize("training", [{"dataset": "mine"}, {"dataset": {"name": "mine"}}, {"note": 1}, None])
def test_a_model_that_does_not_say_its_data_is_measured_on_auto(trained, training, monkeypatch):
    model, path = trained
    NeuralNetwork.load(model).save(model, training=training)
    asked = []
    monkeypatch.setattr(
        "fastmlp.datasets.choice.load_dataset", lambda name, *_, **__: asked.append(name) or load_files(path)
    )
    assert run("evaluate", model).exit_code == 0
    assert asked == ["auto"]


def test_a_dataset_of_another_width_gets_one_sentence(trained, tmp_path):
    wide = tmp_path / "wide.csv"
    wide.write_text("1,2,3,4,ash\n2,3,4,5,elm\n" * 9, encoding="utf-8")
    result = run("evaluate", trained[0], "--dataset", wide)
    assert result.exit_code == 1
    assert "wide.csv has 4 inputs per sample and the model takes 3" in result.stderr
    assert result.stdout == ""


def test_bad_files_are_refused_before_any_work(trained, tmp_path):
    model, _ = trained
    assert run("evaluate", model, "--plot", tmp_path / "picture.gif").exit_code == 2
    assert run("evaluate", model, "--plot-units", model).exit_code == 2
    assert run("evaluate", model, "--plot", tmp_path).exit_code == 2
    twice = run("evaluate", model, "--plot", tmp_path / "a.png", "--plot-units", tmp_path / "." / "a.png")
    assert twice.exit_code == 2
    assert "a.png is named for two outputs" in twice.stderr
    model.write_bytes(model.read_bytes()[:500])
    result = run("evaluate", model)
    assert result.exit_code == 3
    assert "cut off or damaged" in result.stderr


def test_all_rows_of_a_file_that_is_named_are_measured(trained, tmp_path):
    model, path = trained
    few = tmp_path / "few.csv"
    few.write_text("1,0,0,ash\n1,0,0,ash\n", encoding="utf-8")
    result = run("evaluate", model, "--dataset", few)
    assert result.exit_code == 0, result.stderr
    assert "model.npz on all rows of few.csv" in result.stdout
    assert "0 of 2 samples" in result.stdout
    again = run("evaluate", model, "--dataset", path)
    assert "of 60 samples" in again.stdout
    assert "the model was trained on rows of" in again.stderr
    assert "of 9 samples" in run("evaluate", model).stdout


def test_the_test_file_of_the_training_is_measured(trained, tmp_path):
    _, path = trained
    test, model = tmp_path / "test.csv", tmp_path / "net.npz"
    test.write_text("1,0,0,ash\n" * 4, encoding="utf-8")
    args = ("train", "--dataset", path, "--test", test, "--hidden-size", 3, "--epochs", 1, "--output", model)
    assert run(*args).exit_code == 0
    assert json.loads(run("evaluate", model, "--json").stdout)["results"]["samples"] == 4
    twice = run(*args[:-1], tmp_path / "other.npz", "--test-fraction", 0.5)
    assert twice.exit_code == 2
    assert "leave out the file" in twice.stderr
    alone = run("evaluate", model, "--test", test)
    assert "--test, --test-fraction, --label-column and --header belong to --dataset PATH" in " ".join(
        alone.stderr.split()
    )


def test_the_labels_stand_where_they_stood_in_training(tmp_path):
    path, model = tmp_path / "own.csv", tmp_path / "net.npz"
    path.write_text("a,tree,b\n" + "1,0,5\n2,1,6\n" * 20, encoding="utf-8")
    args = ("--dataset", path, "--label-column", "tree")
    assert run("train", *args, "--hidden-size", 3, "--epochs", 1, "--output", model).exit_code == 0
    assert "of 40 samples" in run("evaluate", model, "--dataset", path).stdout


def test_standard_input_is_gone(trained, tmp_path):
    model = tmp_path / "net.npz"
    text = trained[1].read_bytes()
    args = ["train", "--dataset", "-", "--hidden-size", "3", "--epochs", "1", "--output", str(model)]
    result = CliRunner().invoke(main, args, input=text)
    assert result.exit_code == 0, result.stderr
    gone = run("evaluate", model)
    assert gone.exit_code == 2
    assert "was trained on standard input, which is gone: name the data with --dataset" in " ".join(gone.stderr.split())
    assert "name the data with --dataset" in run("train", "--resume", model, "--epochs", 2).stderr
    assert CliRunner().invoke(main, ["evaluate", str(model), "--dataset", "-"], input=text).exit_code == 0


# Pictures


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_command_draws(trained, tmp_path, suffix):
    pytest.importorskip("matplotlib")
    plot, units = tmp_path / f"confusion.{suffix}", tmp_path / f"units.{suffix}"
    result = run("evaluate", trained[0], "--plot", plot, "--plot-units", units)
    assert result.exit_code == 0, result.stderr
    assert plot.stat().st_size > 2000
    assert units.stat().st_size > 2000


@pytest.mark.parametrize(
    ("width", "hidden_size"), [(64, 1), pytest.param(64, 130, marks=pytest.mark.long), (5, 7), (5, 130)]
)
def test_pictures_of_images_and_of_features(tmp_path, width, hidden_size):
    plots = pytest.importorskip("fastmlp.plots")
    pytest.importorskip("matplotlib")
    rng = np.random.default_rng(0)
    net = NeuralNetwork(hidden_size=hidden_size, input_size=width, output_size=30, seed=0)
    X, y = rng.random((50, width), np.float32), rng.integers(0, 30, 50)
    plots.plot_units(net, tmp_path / "units.png")
    plots.plot_confusion(evaluate(net, X, y), X, tmp_path / "confusion.png")


def test_long_names_push_nothing_off_the_picture(tmp_path, monkeypatch):
    plots = pytest.importorskip("fastmlp.plots")
    pytest.importorskip("matplotlib")
    names = tuple(f"a-species-{k}" for k in range(25))
    net = NeuralNetwork(hidden_size=9, input_size=25, output_size=25, seed=0)
    net.class_names = names
    rng, figures = np.random.default_rng(0), []
    monkeypatch.setattr(plots, "save_figure", lambda figure, _: figures.append(figure))
    X = rng.random((50, 25), np.float32)
    plots.plot_confusion(evaluate(net, X, rng.integers(0, 25, 50)), X, tmp_path / "picture.png", "title " * 30)
    figures[0].draw_without_rendering()
    box, (width, height) = figures[0].get_tightbbox(), figures[0].get_size_inches()
    assert box.x0 >= 0
    assert box.y0 >= 0
    assert box.x1 <= width
    assert box.y1 <= height


def test_a_history_with_and_without_the_test_part(tmp_path):
    plots = pytest.importorskip("fastmlp.plots")
    pytest.importorskip("matplotlib")
    history = History([0.5, 0.4], [0.8, 0.9], [1.0, 1.0])
    plots.plot_history(history, tmp_path / "one.png")
    history.val_loss, history.val_accuracy = [0.6, 0.5], [0.7, 0.8]
    plots.plot_history(history, tmp_path / "two.svg", "$a title_with {signs}")
    text = Path(tmp_path / "two.svg").read_text(encoding="utf-8")
    assert "<svg" in text


def test_without_matplotlib_a_sentence_says_what_to_install(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("evaluate", trained[0], "--plot", tmp_path / "picture.png")
    assert result.exit_code == 1
    assert "pip install 'fastmlp[plot]'" in result.stderr


def test_samples_without_an_answer_are_of_no_class():
    net = picks_largest()
    net.W1 = 1e30 * np.eye(3)
    net.W2 = 1e10 * np.eye(3)
    X = np.array([[1, 0, 0], [0, 1e-35, 0], [1, 0, 0], [0, 0, 1e-35], [0, 0, 1]])
    with pytest.warns(RuntimeWarning, match="3 of 5 rows overflow"):
        seen = evaluate(net, X, [0, 1, 0, 0, 2])
    assert seen.confusion.tolist() == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert seen.unanswered.tolist() == [2, 0, 1]
    assert (seen.n_samples, seen.n_unanswered, seen.n_mistakes) == (5, 3, 1)
    assert seen.accuracy == 1 / 5
    assert seen.support.tolist() == [3, 1, 1]
    assert seen.recall.tolist() == [0, 1, 0]
    assert [mistake.row for mistake in seen.worst] == [3]
    assert np.isnan(seen.loss)


def test_the_command_counts_samples_without_an_answer(trained):
    model, _ = trained
    net = NeuralNetwork.load(model)
    net.W1, net.W2 = np.full((3, 5), 1e30), np.full((5, 3), 1e30)
    net.save(model, training={"dataset": None})
    result = run("evaluate", model, "--dataset", trained[1])
    assert result.exit_code == 0, result.output
    assert "accuracy 0.0000: 0 of 60 samples were taken for another class" in result.stdout
    assert "60 got no answer, as the net's outputs overflow float32, and count as wrong" in result.stdout
    assert result.stderr.startswith("warning: the outputs of 60 of 60 rows overflow float32")
    report = json.loads(run("evaluate", model, "--dataset", trained[1], "--json").stdout)["results"]
    assert (report["accuracy"], report["loss"], report["unanswered"], report["worst"]) == (0, None, 60, [])
