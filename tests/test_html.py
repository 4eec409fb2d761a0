"""What notebooks show of nets, histories and evaluations: valid, short, escaped, and said in words too."""

import math
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from fastmlp import Adam, History, NeuralNetwork, Scaling, html
from fastmlp.engine.table_columns import TableColumn
from fastmlp.evaluation import evaluate

SVG = "{http://www.w3.org/2000/svg}"


def parsed(shown):
    """The HTML as a tree: it is valid XML too, and what loads or runs something is not in it."""
    code = shown._repr_html_()
    for word in ("<script", "<style", "<link", "<img", "href", "src=", "onload", "url("):
        assert word not in code
    return ElementTree.fromstring(f"<div>{code}</div>")


def facts(shown):
    return {row[0].text: row[1].text for row in parsed(shown).iter("tr")}


def pictures(shown):
    return list(parsed(shown).iter(f"{SVG}svg"))


def points(picture):
    """The points (x, y) of each line of a picture, without its axes and the key."""
    paths = [path.get("d") for path in picture.iter(f"{SVG}path") if "h16" not in path.get("d")]
    return [
        [tuple(map(float, point.split())) for point in part.split("L")]
        for path in paths
        if "H" not in path
        for part in path.split("M")[1:]
    ]


def history(n, **changes):
    values = {
        "loss": [1 / (k + 1) for k in range(n)],
        "accuracy": [1 - 0.5 / (k + 1) for k in range(n)],
        "seconds": [0.25] * n,
        "lr": [0.1] * n,
    }
    return History(**(values | changes))


# --- Histories --------------------------------------------------------------------------------------------------------


def test_history_has_its_curves_and_its_last_values():
    shown = history(20, val_loss=[0.5] * 20, val_accuracy=[0.75] * 20, compile_seconds=1.5)
    assert facts(shown) == {
        "Epochs": "20",
        "Last epoch": "loss 0.0500, accuracy 97.50 %",
        "Validation": "loss 0.5000, accuracy 75.00 %",
        "Learning rate": "0.1",
        "Time": "5.00 s, and compiling 1.50 s",
    }
    loss, accuracy = pictures(shown)
    assert loss.get("role") == accuracy.get("role") == "img"
    assert loss.get("aria-label") == (
        "Loss by epoch: train 1.0000 to 0.0500 in 20 epochs; validation 0.5000 to 0.5000 in 20 epochs"
    )
    assert [len(line) for line in points(loss)] == [20, 20]


def test_a_curve_is_drawn_where_its_values_are():
    (line,) = points(pictures(history(3, loss=[4.0, 2.0, 0.0]))[0])
    (x1, top), (x2, middle), (x3, bottom) = line
    assert (x1 + x3) / 2 == x2 and (top + bottom) / 2 == middle
    assert top < bottom  # y grows downwards


def test_no_epoch_and_one():
    assert facts(History()) == {"Epochs": "0", "Time": "0.00 s, and compiling 0.00 s"}
    assert pictures(History()) == []
    loss, _ = pictures(history(1))
    assert points(loss) == [] and len(list(loss.iter(f"{SVG}circle"))) == 1
    assert loss.get("aria-label") == "Loss by epoch: train 1.0000 in 1 epoch"


def test_ten_thousand_epochs_are_few_points():
    shown = history(10_000, val_loss=[0.1] * 10_000, val_accuracy=[0.9] * 10_000)
    assert len(shown._repr_html_()) < 20_000
    for line in points(pictures(shown)[0]):
        assert len(line) == 200
        assert line[0][0] < line[1][0] and line[-1][0] == points(pictures(history(2))[0])[0][-1][0]  # the last epoch


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_leaves_a_gap(bad):
    shown = history(6, val_loss=[0.9, 0.8, bad, 0.6, bad, bad], val_accuracy=[0.5] * 6)
    train, before = points(pictures(shown)[0])
    assert len(train) == 6 and len(before) == 2
    assert len(list(pictures(shown)[0].iter(f"{SVG}circle"))) == 1  # the value that stands alone
    assert facts(shown)["Validation"] == f"loss {bad}, accuracy 50.00 %"


def test_only_values_that_are_not_finite():
    loss, _ = pictures(history(3, loss=[math.inf] * 3))
    assert points(loss) == []
    assert "train inf to inf in 3 epochs" in loss.get("aria-label")


@pytest.mark.parametrize("values", [[0.0, 0.0], [1.0, 1.0], [0.3, 0.3], [1e300, 1e300], [1e-300, 1e-300]])
def test_values_that_are_all_the_same(values):
    for picture in pictures(history(2, loss=values, accuracy=[min(value, 1.0) for value in values])):
        (line,) = points(picture)
        assert line[0][1] == line[1][1]
        assert 0 <= line[0][1] <= 150


def test_validation_that_is_partly_there():
    shown = history(6, val_loss=[0.5, 0.4])
    assert facts(shown)["Validation"] == "loss 0.4000"
    loss, accuracy = pictures(shown)
    assert [len(line) for line in points(loss)] == [6, 2] and [len(line) for line in points(accuracy)] == [6]
    assert points(loss)[1][1] == (points(loss)[0][1][0], pytest.approx(85, abs=60))  # in the column of its epoch


def test_what_a_session_does_not_measure_is_left_out():
    shown = history(2, val_loss=[math.nan] * 2, val_accuracy=[math.nan] * 2)
    assert "Validation" not in facts(shown)
    assert "validation" not in shown._repr_html_()


def test_early_stopping_and_a_rate_that_changes():
    shown = facts(history(3, lr=[0.1, 0.02, 0.004], best_epoch=2, stopped_early=True))
    assert (shown["Epochs"], shown["Best epoch"], shown["Learning rate"]) == ("3, stopped early", "2", "0.1 to 0.004")


# --- Nets -------------------------------------------------------------------------------------------------------------


def test_net_says_what_it_is_and_how_far_it_is():
    net = NeuralNetwork(hidden_size=30, seed=0)
    assert facts(net) == {
        "Sizes": "inputs 784 → hidden units 30 → classes 10",
        "Parameters": "23,860, initialised by glorot_uniform, seed 0",
        "Optimiser": "SGD(l2=0.0), learning rate 0.1, 0 steps so far",
        "Inputs": "as they are; about 0 to 1 is best",
        "Classes": "0, 1, 2, 3, 4, 5, 6, 7, 8, 9",
    }
    assert sum(array.size for array in (net.W1, net.b1, net.W2, net.b2)) == 23_860


def test_steps_are_counted():
    net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, optimizer=Adam(), seed=0)
    net.fit(np.eye(2), [0, 1], batch_size=1, number_epochs=3)
    assert "learning rate 0.001, 6 steps so far" in facts(net)["Optimiser"]


def test_net_says_what_it_expects():
    net = NeuralNetwork(hidden_size=2, input_size=3, output_size=2)
    net.input_scale, net.feature_names, net.class_names = 1 / 255, ["age", "colour=red", "colour=blue"], ["no", "yes"]
    assert facts(net)["Inputs"] == "the original values multiplied by 0.00392157"
    net.scaling = Scaling(np.zeros(3), np.ones(3))
    net.table_columns = [TableColumn("age", 37.0), TableColumn("colour", None, ("red", "blue"))]
    shown = facts(net)
    assert shown["Inputs"] == "as they are: the net scales each column itself, cut off beyond 3"
    assert (shown["Made of"], shown["Columns"]) == ("columns age, colour", "age, colour=red, colour=blue")
    assert shown["Classes"] == "no, yes"


def test_thousands_of_names_are_few():
    net = NeuralNetwork(hidden_size=1, input_size=2000, output_size=1000)
    net.feature_names = [f"word {k} {'x' * 500}" for k in range(2000)]
    shown = facts(net)
    assert shown["Classes"] == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 990 more"
    assert shown["Columns"].endswith("… and 1990 more") and len(shown["Columns"]) < 700


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "a & b", "</td>"])
def test_names_come_out_as_text(name):
    net = NeuralNetwork(hidden_size=1, input_size=1, output_size=2, seed=0)
    net.class_names, net.feature_names = [name, "other"], [name]
    code = net._repr_html_()
    assert "<script" not in code and "<img" not in code
    tree = ElementTree.fromstring(f"<div>{code}</div>")
    shown = {row[0].text: row[1].text for row in tree.iter("tr")}
    assert (shown["Classes"], shown["Columns"]) == (f"{name}, other", name)
    picture = html.curves(name, [html.Curve(name, [1.0])])
    assert ElementTree.fromstring(picture).get("aria-label").startswith(name)


@pytest.mark.parametrize("name", ["a\x00b", "\u202egnp.exe", "line\nline"])
def test_names_that_are_no_text_to_show_are_escaped(name):
    net = NeuralNetwork(hidden_size=1, input_size=1, output_size=2)
    net.class_names = [name, "other"]
    assert "\\" in facts(net)["Classes"]
    net._repr_html_().encode("utf-8")  # as a notebook's file


def test_text_and_axes_have_the_colour_of_the_page():
    """Black would not be seen on a dark page."""
    code = history(3, val_loss=[1.0] * 3)._repr_html_()
    colours = {part.split('"')[0] for part in code.split('stroke="')[1:]}
    colours |= {part.split('"')[0] for part in code.split('fill="')[1:]}
    assert colours == {"currentColor", "none", *html._COLOURS}
    assert all("fill" in text.attrib for picture in pictures(history(3)) for text in picture.iter(f"{SVG}text"))


# --- Evaluations ------------------------------------------------------------------------------------------------------


def test_evaluation_names_what_was_confused():
    net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, seed=0)
    net.W1, net.W2, net.class_names = np.eye(2), np.eye(2), ["lily", "<rose>"]
    shown = facts(evaluate(net, [[3, 0], [0, 3], [2, 0]], [0, 1, 1]))
    assert shown["Accuracy"] == "66.67 %"
    assert shown["Mistakes"] == "1 of 3 samples taken for another class"
    assert shown["<rose> taken for lily"] == "1"
    assert "Unanswered" not in shown


@pytest.mark.filterwarnings("ignore:the outputs of")
def test_evaluation_says_what_was_not_answered():
    net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, seed=0)
    net.W1 = net.W2 = np.full((2, 2), 3e38, np.float32)
    shown = facts(evaluate(net, [[1, 1], [0, 0]], [0, 1]))
    assert shown["Unanswered"] == "1, as the outputs overflow float32"
    assert shown["Loss"] == "nan"
