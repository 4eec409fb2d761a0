"""`fastmlp predict`: pictures, tables and standard input; and what is none of them."""

import csv
import gzip
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork
from fastmlp.cli import main
from fastmlp.commands.predict import _read
from fastmlp.datasets.inputs_only import read_inputs
from fastmlp.errors import DataError

Image = pytest.importorskip("PIL.Image")
from PIL import ImageDraw  # noqa: E402

from fastmlp.datasets.images import read_digit  # noqa: E402

DRAWINGS = sorted((Path(__file__).parent / "drawings").glob("*.png"))


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
def digits(tmp_path):
    """A net for pictures, untrained."""
    NeuralNetwork(hidden_size=3, seed=0).save(tmp_path / "digits.npz")
    return tmp_path / "digits.npz"


def picture(**options):
    """A one, as a picture file's bytes."""
    mode, paper, ink, size, kind = ({"mode": "L", "paper": 255, "ink": 0, "size": 90, "kind": "PNG"} | options).values()
    image = Image.new(mode, (size, size), paper)
    middle = size // 2
    ImageDraw.Draw(image).line([(middle, size // 5), (middle, 4 * size // 5)], fill=ink, width=max(1, size // 10))
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"paper": 0, "ink": 255},
        {"mode": "RGB", "paper": "white", "ink": "navy"},
        {"mode": "RGB", "paper": "white", "ink": "black", "kind": "JPEG", "size": 300},
        {"mode": "RGBA", "paper": (0, 0, 0, 0), "ink": (0, 0, 0, 255)},
        {"mode": "RGBA", "paper": (255, 255, 255, 0), "ink": (255, 255, 255, 255)},
        {"mode": "LA", "paper": (0, 0), "ink": (0, 255)},
        {"mode": "1", "paper": 1, "ink": 0},
        {"mode": "P", "paper": 0, "ink": 1, "kind": "GIF"},
        {"mode": "I;16", "paper": 60000, "ink": 3},
        {"size": 1500},
        {"size": 40},
    ],
    ids=str,
)
def test_a_one_in_every_kind_of_picture(options):
    if options.get("mode") == "P":
        image = Image.new("P", (90, 90), 0)
        image.putpalette([255, 255, 255, 0, 0, 0])
        ImageDraw.Draw(image).line([(45, 18), (45, 72)], fill=1, width=9)
        file = io.BytesIO()
        image.save(file, "GIF")
        content = file.getvalue()
    else:
        content = picture(**options)
    form = read_digit(content, "one").reshape(28, 28)
    assert form.max() == 1
    assert form[5:23, 13:15].mean() > 0.7
    assert form[:, :9].max() < 0.1  # paper left and right of it
    assert form[:, 19:].max() < 0.1


def bomb():
    file = io.BytesIO()
    Image.new("1", (20_000, 20_000), 1).save(file, "PNG")
    return file.getvalue()


def blank():
    file = io.BytesIO()
    Image.new("L", (50, 50), 200).save(file, "PNG")
    return file.getvalue()


BAD = {
    "blank.png": (blank, "there is no digit in the picture"),
    "huge.png": (bomb, "more than 89,478,485 pixels; crop it"),
    "text.png": (lambda: b"no picture", "is no picture of a kind that is known"),
    "empty.png": (lambda: b"", "is empty"),
    "postscript.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n", "of a kind that is known"),
    "cut.png": (lambda: picture(size=400)[:-300], "cut off or damaged"),
    "cut.jpg": (lambda: picture(kind="JPEG")[:20], "no picture|cut off or damaged"),
    "empty.csv": (lambda: b"", "is empty"),
    "text.csv": (lambda: b"a,b\n1,x\n", "row 2, column 2 is 'x', not a number"),
    "ragged.csv": (lambda: b"1,2\n1\n", "row 2 has 1 columns where the first row has 2"),
    "header.csv": (lambda: b"a,b\n", "has no rows of numbers"),
    "binary.csv": (lambda: b"\xff\xfe\x00", "is neither a picture, nor an .npz file"),
    "nan.csv": (lambda: b"1,2\nnan,3\n", "nan in row 1, column 0"),
    "narrow.csv": (lambda: b"1,2\n", "has 2 inputs per sample and the model takes 784"),
    "cut.npz": (lambda: b"PK\x03\x04", "is no .npz file"),
    "cut.csv.gz": (lambda: gzip.compress(b"1,2\n")[:9], "cannot be decompressed"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_sentence(tmp_path, digits, name):
    make, words = BAD[name]
    (tmp_path / name).write_bytes(make())
    (tmp_path / "good.png").write_bytes(picture())
    result = run("predict", digits, tmp_path / "good.png", tmp_path / name)
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
        path.write_bytes(gzip.compress(text.encode()) if ending == "csv.gz" else text.encode())
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


def test_standard_input(model, digits):
    assert "stdin: oak" in run("predict", model, "-", input=b"1,2,7\n").stdout
    assert run("predict", digits, "-", input=picture()).exit_code == 0
    assert "which gives 784 inputs" in run("predict", model, "-", input=picture()).stderr


def test_standard_input_that_is_closed(monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="- cannot be read: Bad file descriptor"):
        _read("-", NeuralNetwork())


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
    (tmp_path / "labelled.csv").write_text("1,2,3,0\n")
    assert "leave the column of labels out" in run("predict", model, tmp_path / "labelled.csv").stderr


def test_python_objects_are_refused():
    file = io.BytesIO()
    np.savez(file, X=np.array([["a", None]], object))
    with pytest.raises(DataError, match="Python objects"):
        read_inputs(file.getvalue(), "bad.npz")


@pytest.mark.long
def test_thirty_drawings(mnist):
    """Drawn by script in three styles, frozen before the first prediction; no training on anything but MNIST."""
    assert len(DRAWINGS) == 30
    net = NeuralNetwork(hidden_size=300, seed=0)
    net.fit(mnist.x_train, mnist.y_train, 128, 10)
    X = np.stack([read_digit(path.read_bytes(), path.name) for path in DRAWINGS])
    right = net.forward(X).argmax(1) == [int(path.name[0]) for path in DRAWINGS]
    assert right.sum() >= 27
