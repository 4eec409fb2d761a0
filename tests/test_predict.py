"""`fastmlp predict`: pictures, tables and standard input; and what is none of them."""

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork
from fastmlp.cli import main
from fastmlp.datasets.standard_input import named_source
from fastmlp.errors import DataError

pytest.importorskip("PIL.Image")
from test_images import blank, bomb, picture, two_digits

from fastmlp.datasets.images import read_digit

ROOT = Path(__file__).parents[1]
DRAWINGS = sorted((ROOT / "tests" / "drawings").glob("*.png"))


def run(*args, **options):
    return CliRunner().invoke(main, [str(arg) for arg in args], **options)


@pytest.fixture
def model(tmp_path):
    """A net of three inputs with named classes that answers with the largest input."""
    net = NeuralNetwork(hidden_size=3, input_size=3, output_size=3, seed=0)
    net.W1, net.W2 = np.eye(3), 5 * np.eye(3)
    net.class_names = ("ash", "elm", "oak")
    net.save(tmp_path / "model.npz")
    return tmp_path / "model.npz"


@pytest.fixture
def pairs(tmp_path):
    """A net of two inputs, untrained."""
    NeuralNetwork(hidden_size=3, input_size=2, output_size=2, seed=0).save(tmp_path / "pairs.npz")
    return tmp_path / "pairs.npz"


@pytest.fixture
def digits(tmp_path):
    """A net for pictures, untrained."""
    NeuralNetwork(hidden_size=3, seed=0).save(tmp_path / "digits.npz")
    return tmp_path / "digits.npz"


BAD = {
    "blank.png": (blank, "there is no digit in the picture"),
    "huge.png": (bomb, "has more than 178,956,970 pixels; crop it to the digit"),
    "two.png": (two_digits, "there are 2 things in the picture that could be a digit; leave only one"),
    "drawn.svg": (lambda: b'<?xml version="1.0"?>\n<svg/>', "format SVG, which is not read"),
    "telephone.heic": (lambda: b"\0\0\0\x18ftypheic" + bytes(50), "format HEIC, which is not read; save it as PNG"),
    "text.png": (lambda: b"no picture", "is not a picture in a known format"),
    "empty.png": (lambda: b"", "is empty"),
    "postscript.png": (
        lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n",
        "in a known format",
    ),
    "cut.png": (lambda: picture(size=400)[:-300], "cut off or damaged"),
    "cut.jpg": (lambda: picture(kind="JPEG")[:20], "not a picture|cut off or damaged"),
    "empty.csv": (lambda: b"", "is empty"),
    "text.csv": (lambda: b"a,b\n1,x\n", r"row 2, column 2 \(b\) is 'x', not a number"),
    "ragged.csv": (lambda: b"1,2\n1\n", "row 2 has 1 columns where the first row has 2"),
    "header.csv": (lambda: b"a,b\n", "has a header but no rows"),
    "binary.csv": (lambda: b"\xff\xfe\x00", "is not UTF-8 text; save it as CSV in UTF-8"),
    "nan.csv": (lambda: b"1,2\nnan,3\n", "row 2, column 1 is 'nan', a missing value"),
    "underscore.csv": (lambda: b"a,b\n1_000,2\n", r"row 2, column 1 \(a\) is '1_000', not a number"),
    "narrow.csv": (lambda: b"1\n", "has 1 inputs per sample and the model takes 2"),
    "wide.csv": (lambda: b"1,2,3,4\n", "has 4 inputs per sample and the model takes 2"),
    "labelled.csv": (lambda: b"a,b,kind\n1,2,ash\n", "the model takes 2: leave the column of labels out"),
    "cut.npz": (lambda: b"PK\x03\x04", "is not an .npz file"),
    "cut.csv.gz": (lambda: gzip.compress(b"1,2\n", mtime=0)[:9], "cannot be decompressed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_sentence(tmp_path, digits, pairs, name):
    make, words = BAD[name]
    (tmp_path / name).write_bytes(make())
    (tmp_path / "good.png").write_bytes(picture())
    (tmp_path / "good.csv").write_text("1,2\n", encoding="utf-8")
    model, good = (pairs, "good.csv") if ".csv" in name else (digits, "good.png")
    result = run("predict", model, tmp_path / good, tmp_path / name)
    assert result.exit_code == 3, result.output
    assert result.stdout == ""  # nothing for the good file either
    assert "Traceback" not in result.stderr
    assert re.search(words, result.stderr)
    assert name in result.stderr


def test_a_file_that_is_not_there_or_a_folder(tmp_path, digits):
    assert "cannot be read: No such file" in run("predict", digits, tmp_path / "none.png").stderr
    assert "cannot be read: Is a directory" in run("predict", digits, tmp_path).stderr
    assert run("predict", tmp_path / "none.npz", tmp_path).exit_code == 2
    assert run("predict", digits).exit_code == 2


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "npz"])
def test_tables(tmp_path, model, ending):
    path = tmp_path / f"samples.{ending}"
    X = np.array([[9, 1, 1], [1, 1, 9], [0, 9, 0]])
    if ending == "npz":
        np.savez(path, X=X)
    else:
        text = "a,b,c\n" + "\n".join(",".join(map(str, row)) for row in X)
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if ending == "csv.gz" else text.encode())
    result = run("predict", model, path, "--json")
    report = json.loads(result.stdout)
    assert [row["class"] for row in report["results"]] == ["ash", "oak", "elm"]
    assert [row["row"] for row in report["results"]] == [0, 1, 2]
    assert sum(report["results"][0]["probabilities"]) == pytest.approx(1)
    lines = run("predict", model, path).stdout.splitlines()
    assert lines[1].startswith(f"{path} row 1: oak  (oak ")
    rows = list(csv.DictReader(io.StringIO(run("predict", model, path, "--csv").stdout)))
    assert [row["class"] for row in rows] == ["ash", "oak", "elm"]
    assert float(rows[0]["p(ash)"]) > 0.9


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("place", ["file", "stdin"])
def test_train_and_predict_read_the_same_tables(tmp_path, separator, place):
    X = np.random.default_rng(0).normal(size=(12, 3)).round(3)
    numbers = [separator.join(map(str, row)) for row in X]
    labelled, inputs, model = tmp_path / "labelled.csv", tmp_path / "inputs.csv", tmp_path / "net.npz"
    labelled.write_text("\n".join(f"{row}{separator}{k % 2}" for k, row in enumerate(numbers)), encoding="utf-8")
    inputs.write_text("\n".join(["a b c".replace(" ", separator), *numbers]), encoding="utf-8")
    assert run("train", "--dataset", labelled, "--epochs", 1, "--hidden-size", 4, "-o", model).exit_code == 0
    given = {"input": inputs.read_bytes()} if place == "stdin" else {}
    result = run("predict", model, "-" if place == "stdin" else inputs, "--json", **given)
    assert result.exit_code == 0, result.stderr
    probs = [row["probabilities"] for row in json.loads(result.stdout)["results"]]
    np.testing.assert_array_equal(np.float32(probs), NeuralNetwork.load(model).forward(X.astype(np.float32)))


def test_a_pipe_that_can_be_read_once(tmp_path, model):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"1,2,7\n",))
    writer.start()
    assert f"{pipe}: oak" in run("predict", model, pipe).stdout
    writer.join()


def test_standard_input(model, digits):
    assert "stdin: oak" in run("predict", model, "-", input=b"1,2,7\n").stdout
    assert run("predict", digits, "-", input=picture()).exit_code == 0
    assert "which gives 784 inputs" in run("predict", model, "-", input=picture()).stderr


def test_standard_input_takes_no_more_memory_than_a_file(tmp_path):
    """40 MB of text are 0.8 MB of numbers: whoever keeps the text is found out."""
    NeuralNetwork(hidden_size=2, input_size=100, output_size=2, seed=0).save(tmp_path / "net.npz")
    row = ",".join([f"0.5{'0' * 197}"] * 100)
    (tmp_path / "wide.csv").write_text(f"{row}\n" * 2000, encoding="ascii")
    code = (
        "import sys\n"
        "from fastmlp import NeuralNetwork\n"
        "from fastmlp.datasets.standard_input import named_source\n"
        "from fastmlp.machine import peak_memory\n"
        "from fastmlp.model_inputs import read_inputs\n"
        "inputs = read_inputs(named_source(sys.argv[2]), NeuralNetwork.load(sys.argv[1]))\n"
        "print(len(inputs.X), peak_memory())"
    )
    peaks = []
    for name in ("wide.csv", "-"):
        with (tmp_path / "wide.csv").open("rb") as file:
            command = [sys.executable, "-c", code, tmp_path / "net.npz", tmp_path / name if name != "-" else name]
            told = subprocess.run(command, stdin=file, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        rows, peak = map(int, told.split())
        assert rows == 2000
        peaks.append(peak)
    from_file, from_stdin = peaks
    assert from_stdin < from_file + 15e6


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="- cannot be read: Bad file descriptor"):
        named_source("-")


def test_pixels_are_scaled_as_the_models_were(tmp_path):
    net = NeuralNetwork(hidden_size=3, input_size=3, output_size=2, seed=0)
    net.input_scale = 1 / 255
    net.save(tmp_path / "model.npz")
    bytes_, fractions = tmp_path / "bytes.npz", tmp_path / "fractions.npz"
    np.savez(bytes_, X=np.array([[255, 51, 0]], np.uint8))
    np.savez(fractions, X=np.array([[1, 0.2, 0]]))
    results = [
        json.loads(run("predict", tmp_path / "model.npz", path, "--json").stdout) for path in (bytes_, fractions)
    ]
    assert results[0]["results"][0]["probabilities"] == pytest.approx(results[1]["results"][0]["probabilities"])
    assert "scaled by 0.003922" in run("predict", tmp_path / "model.npz", bytes_).stderr


def test_a_column_of_labels_is_told(tmp_path, model):
    (tmp_path / "labelled.csv").write_text("1,2,3,0\n", encoding="utf-8")
    assert "leave the column of labels out" in run("predict", model, tmp_path / "labelled.csv").stderr


@pytest.mark.long
def test_thirty_drawings(mnist):
    """Drawn by script in three styles, frozen before the first prediction; no training on anything but MNIST."""
    assert len(DRAWINGS) == 30
    net = NeuralNetwork(hidden_size=300, seed=0)
    net.fit(mnist.x_train, mnist.y_train, 128, 10)
    X = np.stack([read_digit(path.read_bytes(), path.name) for path in DRAWINGS])
    right = net.forward(X).argmax(1) == [int(path.name[0]) for path in DRAWINGS]
    assert right.sum() >= 27


def test_a_header_is_as_it_is_said(tmp_path, model):
    (tmp_path / "own.csv").write_text("0,1,2\n9,1,1\n", encoding="utf-8")
    assert "may be a header" in run("predict", model, tmp_path / "own.csv").stderr
    assert len(run("predict", model, tmp_path / "own.csv", "--header").stdout.splitlines()) == 1
    assert len(run("predict", model, tmp_path / "own.csv", "--no-header").stdout.splitlines()) == 2


def test_the_table_of_the_training_is_taken_with_its_labels(tmp_path):
    """Its numbers of rows and its labels are left out, each with a word; its columns may come in any order."""
    path, model = tmp_path / "own.csv", tmp_path / "net.npz"
    rows = [f"{k},{k % 5},{k % 7},{('ash', 'elm')[k % 2]}" for k in range(40)]
    path.write_text("\n".join([",a,b,tree", *rows]), encoding="utf-8")
    trained = run("train", "--dataset", path, "--label-column", "tree", "--hidden-size", 3, "--epochs", 1, "-o", model)
    assert "column 1, which only numbers or names the rows, was left out" in trained.stderr
    whole = run("predict", model, path, "--json")
    assert "column 1, column 4 (tree), which are no inputs of the model, were left out" in whole.stderr
    path.write_text("\n".join(["b,a", *(",".join(row.split(",")[2:0:-1]) for row in rows)]), encoding="utf-8")
    turned = run("predict", model, path, "--json")
    assert "come in another order than in training" in turned.stderr
    probs = [[row["probabilities"] for row in json.loads(each.stdout)["results"]] for each in (whole, turned)]
    assert probs[0] == probs[1]
    path.write_text("a,c\n1,2\n", encoding="utf-8")
    refused = run("predict", model, path)
    assert (refused.exit_code, refused.stdout) == (3, "")
    assert "lacks the column b and has the column c, which the model does not know" in refused.stderr


@pytest.mark.parametrize("form", ["lines", "json", "csv"])
def test_outputs_that_overflow_give_no_class(tmp_path, model, form):
    net = NeuralNetwork.load(model)
    net.W1 = 1e30 * np.eye(3)
    net.W2 = 1e10 * np.eye(3)
    net.save(model)
    (tmp_path / "two.csv").write_text("1,0,0\n0,1e-35,0\n", encoding="utf-8")
    result = run("predict", model, tmp_path / "two.csv", *([] if form == "lines" else [f"--{form}"]))
    assert result.exit_code == 0, result.output
    assert result.stderr.startswith("warning: the outputs of 1 of 2 rows overflow float32: their probabilities are NaN")
    if form == "lines":
        first, second = result.stdout.splitlines()
        assert first == f"{tmp_path / 'two.csv'} row 0: no answer, as the net's outputs overflow float32"
        assert second.startswith(f"{tmp_path / 'two.csv'} row 1: elm  (elm 100.0 %")
    elif form == "json":
        first, second = json.loads(result.stdout)["results"]
        assert (first["class"], first["probability"], second["class"]) == (None, None, "elm")
    else:
        assert [row["class"] for row in csv.DictReader(io.StringIO(result.stdout))] == ["", "elm"]


def test_what_was_cleaned_up_is_said(tmp_path, digits):
    path = tmp_path / "one.png"
    path.write_bytes(picture(speck=True))
    result = run("predict", digits, path)
    assert result.exit_code == 0, result.output
    assert result.stderr == f"warning: {path} was cleaned up: a speck was left out\n"
