"""Tables with text and missing values: `--preprocess auto`, learnt from the training part and kept in the model."""

import builtins
import csv
import io
import json

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork
from fastmlp.cli import main
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.engine.table_columns import TableColumn, check_table_columns, names_of_inputs
from fastmlp.errors import InvalidTypeError, InvalidValueError, MissingLibraryError, ModelFileError
from fastmlp.files.model import read_model, write_model

COLOURS = ("blue", "green", "red")


def run(*args):
    return CliRunner().invoke(main, [str(arg) for arg in args])


def rows_of(n=150, seed=0):
    """Rows of a table: age with gaps, a colour with gaps, a plain number, true and false; and the class."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n):
        age, colour, size = rng.integers(20, 80), COLOURS[rng.integers(3)], rng.normal(1000, 100)
        kind = "yes" if (age > 50) ^ (colour == "red") else "no"
        rows.append(
            ["?" if k % 11 == 3 else age, "" if k % 13 == 5 else colour, f"{size:.2f}", k % 3 == 0, kind],
        )
    return rows


HEADER = ["age", "colour", "size", "member", "class"]


def write(path, rows, header=HEADER):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([*([header] if header else []), *rows])
    return path


@pytest.fixture
def table(tmp_path):
    return write(tmp_path / "own.csv", rows_of())


@pytest.fixture
def model(table, tmp_path):
    pytest.importorskip("sklearn")
    path = tmp_path / "net.npz"
    result = run(
        "train", "--dataset", table, "--preprocess", "auto", "--epochs", 40, "--batch-size", 8, "--output", path
    )
    assert result.exit_code == 0, result.stderr
    return path


# --- Without scikit-learn ---------------------------------------------------------------------------------------------


def test_what_needs_encoding_is_refused_with_the_way_out(table):
    for options in ((), ("--preprocess", "none"), ("--preprocess", "scale")):
        result = run("train", "--dataset", table, *options)
        said = " ".join(result.stderr.split())
        assert result.exit_code == 3
        assert "missing values in the columns age, colour" in said
        assert said.endswith("or have --preprocess auto fill in and encode them")


def test_without_scikit_learn_one_sentence_says_what_to_install(table, monkeypatch):
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr("importlib.import_module", lambda name: without(name))
    with pytest.raises(MissingLibraryError, match=r"pip install 'fastmlp\[sklearn\]'"):
        DatasetChoice(str(table), preprocess="auto").load()


def test_a_table_that_needs_nothing_is_read_as_ever(tmp_path):
    rows = [[f"{k * 1.37:.3f}", k % 5, "ab"[k % 2]] for k in range(40)]
    for header in (["x", "z", "class"], None):
        path = write(tmp_path / "plain.csv", rows, header)
        column = 3 if header is None else "class"
        auto, scale = (DatasetChoice(str(path), label_column=column, preprocess=how).load() for how in ("auto", None))
        for a, b in zip(auto, scale, strict=True):
            np.testing.assert_array_equal(a, b)


def test_pixels_and_other_files_stay_pixels(tmp_path):
    rows = [[0, 255, k % 256, k % 2] for k in range(40)]
    path = write(tmp_path / "pixels.csv", rows, ["a", "b", "c", "class"])
    np.savez(tmp_path / "pixels.npz", X=np.array(rows)[:, :3].astype(np.uint8), y=np.array(rows)[:, 3])
    for each in (path, tmp_path / "pixels.npz"):
        with pytest.warns(UserWarning, match="pixels from 0 to 255"):
            data = DatasetChoice(str(each), preprocess="auto").load()
        assert data.input_scale == 1 / 255 and not data.in_own_units


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        (["a", "b", "class"], [["2024-01-05", "x", "u"], ["2024-01-06", "y", "v"]], "a date or a time"),
        (["a", "b", "class"], [["$5", "x", "u"], ["6", "y", "v"]], "an amount of money"),
        (["a", "b", "class"], [["1e99", "x", "u"], ["6", "y", "v"]], "finite float32"),
        (["a", "b", "class"], [["1", "x", ""], ["6", "y", "v"]], "every row needs a label"),
        (["a", "b", "class"], [["1", "x"], ["6", "y", "v"]], "columns where the first row has"),
        (["a", "a", "class"], [["1", "x", "u"], ["6", "y", "v"]], "several columns called a"),
        (["a", "b", "c"], [["1", "?", "0"], ["6", "2", "1"], ["5", "2", "1"]], "say with --label-column"),
    ],
)
def test_what_cannot_be_encoded_is_refused(tmp_path, header, rows, says):
    result = run("train", "--dataset", write(tmp_path / "own.csv", rows, header), "--preprocess", "auto")
    assert result.exit_code == 3 and says in " ".join(result.stderr.split()), result.stderr


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (7, InvalidTypeError, "must be TableColumns"),
        ([7], InvalidTypeError, "must be TableColumns"),
        ([{"name": "a"}], InvalidTypeError, "must be TableColumns"),
        ([{"name": 1, "fill": None, "categories": None}], InvalidTypeError, "the name 1"),
        ([TableColumn("a", "x"), TableColumn("b")], InvalidValueError, "fills a with 'x'"),
        ([TableColumn("a", True), TableColumn("b")], InvalidValueError, "fills a with True"),
        ([TableColumn("a"), TableColumn("a")], InvalidValueError, "1 names for 2 columns"),
        ([TableColumn("a")], InvalidValueError, "make 1 inputs; this net needs 2"),
        ([TableColumn("a", None, ())], InvalidValueError, "texts as the categories"),
        ([TableColumn("a", None, ("x", 3))], InvalidValueError, "texts as the categories"),
        ([TableColumn("a", None, "xy")], InvalidValueError, "texts as the categories"),
        ([TableColumn("a", 1.0, ("x", "y"))], InvalidValueError, "nothing to fill in"),
        ([TableColumn("a", None, ("x", "x"))], InvalidValueError, "a category of a twice"),
    ],
)
def test_hostile_columns_are_refused_also_in_files(tmp_path, value, error, says):
    with pytest.raises(error, match=says):
        check_table_columns(value, 2)
    net = NeuralNetwork(3, input_size=2, output_size=2, seed=0)
    net.save(tmp_path / "net.npz")
    model = read_model(tmp_path / "net.npz")
    listed = [each._asdict() if isinstance(each, TableColumn) else each for each in value] if value != 7 else 7
    write_model(tmp_path / "net.npz", model.arrays, {**model.metadata, "table_columns": listed})
    with pytest.raises(ModelFileError, match="describes no net"):
        NeuralNetwork.load(tmp_path / "net.npz")


def test_columns_are_kept_in_the_file_in_the_newest_format(tmp_path):
    net = NeuralNetwork(3, input_size=3, output_size=2, seed=0)
    net.table_columns = [TableColumn("age", 5), TableColumn("b", None, ("", "\udc80"))]
    net.save(tmp_path / "net.npz")
    assert read_model(tmp_path / "net.npz").metadata["format"] == 3
    assert NeuralNetwork.load(tmp_path / "net.npz").table_columns == net.table_columns


# --- With scikit-learn ------------------------------------------------------------------------------------------------


def test_it_learns_and_keeps_how_the_inputs_are_made(model, table):
    net = NeuralNetwork.load(model)
    age, colour, size, member = net.table_columns
    assert colour == TableColumn("colour", None, ("", *COLOURS))
    assert (size, member) == (TableColumn("size"), TableColumn("member"))
    assert net.feature_names == names_of_inputs(net.table_columns)
    data = DatasetChoice(str(table), preprocess="auto").load()
    known = {row[0] for row in rows_of() if row[0] != "?"}
    assert age.fill in {*known, *(value + 0.5 for value in known)}
    assert set(np.unique(data.x_train[:, 1:5])) == {0, 1}
    assert (data.x_train[:, 1:5].sum(1) == 1).all()
    assert json.loads(run("evaluate", model, "--json").stdout)["results"]["accuracy"] > 0.75


def test_only_the_training_part_is_learnt_from(tmp_path):
    pytest.importorskip("sklearn")
    train = write(
        tmp_path / "train.csv", [["1", "a", "u"], ["3", "b", "v"], ["", "a", "v"], ["5", "a", "u"]], ["x", "t", "class"]
    )
    test = write(tmp_path / "test.csv", [["900", "zebra", "u"], ["", "a", "v"]], ["x", "t", "class"])
    with pytest.warns(UserWarning, match="the column t holds 'zebra' in 1 rows, not seen in training"):
        data = DatasetChoice(str(train), test=str(test), preprocess="auto").load()
    assert data.table_columns == (TableColumn("x", 3.0), TableColumn("t", None, ("a", "b")))
    np.testing.assert_array_equal(data.x_train, [[1, 1, 0], [3, 0, 1], [3, 1, 0], [5, 1, 0]])
    np.testing.assert_array_equal(data.x_test, [[900, 0, 0], [3, 1, 0]])


def probabilities(result):
    assert result.exit_code == 0, result.stderr
    return np.array([row[3:] for row in list(csv.reader(io.StringIO(result.stdout)))[1:]], float)


def test_predict_and_evaluate_apply_it_to_new_tables(model, tmp_path):
    rows = rows_of(40, seed=9)
    labelled = write(tmp_path / "labelled.csv", rows)
    new = write(tmp_path / "new.csv", [row[:4] for row in rows], HEADER[:4])
    turned = write(tmp_path / "turned.csv", [row[3::-1] for row in rows], HEADER[3::-1])
    plain = write(tmp_path / "plain.csv", [row[:4] for row in rows], None)
    ours = probabilities(run("predict", model, new, "--csv"))
    for path in (labelled, turned, plain):
        np.testing.assert_array_equal(
            probabilities(run("predict", model, path, "--csv", *(["--no-header"] * (path == plain)))), ours
        )
    seen = json.loads(run("evaluate", model, "--dataset", labelled, "--json").stdout)["results"]
    names = ("no", "yes")
    right = np.mean([names[k] == row[4] for k, row in zip(ours.argmax(1), rows, strict=True)])
    assert seen["accuracy"] == pytest.approx(right)


def test_what_was_not_in_training_is_said_or_refused(model, tmp_path):
    new = write(tmp_path / "new.csv", [[30, "violet", 1000, True], [40, "red", 900, False]], HEADER[:4])
    result = run("predict", model, new)
    assert result.exit_code == 0 and "the column colour holds 'violet' in 1 rows" in " ".join(result.stderr.split())
    for row, says in (
        (
            [30, "red", "", True],
            "the column size lacks 1 values, the first in sample 2, and none was missing in training",
        ),
        ([30, "red", "tall", True], "(size) has 'tall' in sample 2"),
        ([30, "red", 1e39, True], "(size) has '1e+39' in sample 2"),
    ):
        result = run("predict", model, write(tmp_path / "new.csv", [[30, "red", 1000, True], row], HEADER[:4]))
        assert result.exit_code == 3 and says in " ".join(result.stderr.split()), result.stderr
    result = run("predict", model, write(tmp_path / "new.csv", [[30, "red", 1000]], HEADER[:3]))
    assert result.exit_code == 3 and "lacks the column member" in result.stderr


def test_a_column_of_names_is_refused(tmp_path):
    pytest.importorskip("sklearn")
    rows = [[f"person {k}", k % 7, "uv"[k % 2]] for k in range(60)]
    result = run("train", "--dataset", write(tmp_path / "own.csv", rows, ["who", "x", "class"]), "--preprocess", "auto")
    assert result.exit_code == 3 and "too many to encode; leave it out" in " ".join(result.stderr.split())


def test_resuming_gives_the_bits_of_a_training_without_a_break(table, tmp_path):
    pytest.importorskip("sklearn")
    whole, half = tmp_path / "whole.npz", tmp_path / "half.npz"
    options = ("--dataset", table, "--preprocess", "auto", "--batch-size", 16)
    assert run("train", *options, "--epochs", 6, "--output", whole).exit_code == 0
    assert run("train", *options, "--epochs", 2, "--output", half).exit_code == 0
    assert run("train", "--resume", half, "--epochs", 4).exit_code == 0
    assert run("train", "--resume", half, "--epochs", 6, "--dataset", table).exit_code == 0
    a, b = (NeuralNetwork.load(path) for path in (whole, half))
    np.testing.assert_array_equal(a.W1, b.W1)
    np.testing.assert_array_equal(a.scaling.spread, b.scaling.spread)
    assert a.table_columns == b.table_columns


def test_info_tells_of_texts_and_fills(model):
    told = run("info", model).stdout
    assert "colour is one of (missing), blue, green, red" in told and "where it is missing" in told
    recipe = json.loads(run("info", model, "--json").stdout)["results"]
    assert recipe["table_columns"][1] == {"name": "colour", "fill": None, "categories": ["", *COLOURS]}


def test_python_is_not_given_the_table_by_mistake(model):
    net = NeuralNetwork.load(model)
    with pytest.raises(InvalidValueError, match="4 columns; this net has input_size=7"):
        net.forward(np.zeros((1, 4)))
