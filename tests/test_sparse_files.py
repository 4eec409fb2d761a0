"""Sparse matrices from files: the same as in memory, in any format, and sentences for what is damaged or hostile."""

import bz2
import gzip
import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from fastmlp import NeuralNetwork, load_files
from fastmlp.cli import main
from fastmlp.datasets.kinds import kind_of_file
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError
from fastmlp.model_inputs import read_inputs

sparse = pytest.importorskip("scipy.sparse")
svmlight = pytest.importorskip("sklearn.datasets")

N, D = 60, 17


@pytest.fixture(scope="module")
def data():
    """A matrix whose first and last column have values, with empty rows and columns, and its labels."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((N, D)) < 0.2, rng.normal(size=(N, D)), 0).astype(np.float32)
    X[5], X[:, 3], X[0, 0], X[1, -1] = 0, 0, 1, 2
    return X, np.arange(N) % 3


@pytest.fixture
def folder(tmp_path, monkeypatch, data):
    """The same matrix in many files: `words.npz`, `from1.svm`, `from0.svm`, and cut in two."""
    monkeypatch.chdir(tmp_path)
    X, y = data
    for name, part in (("train", slice(0, 40)), ("test", slice(40, None))):
        sparse.save_npz(f"X_{name}.npz", sparse.csr_array(X[part]))
        np.save(f"y_{name}.npy", y[part])
        for first in (0, 1):
            svmlight.dump_svmlight_file(X[part], y[part], f"{name}{first}.svm", zero_based=first == 0)
    sparse.save_npz("words.npz", sparse.csr_array(X))
    np.save("words.y.npy", y)
    for first in (0, 1):
        svmlight.dump_svmlight_file(X, y, f"from{first}.svm", zero_based=first == 0)
    return tmp_path


def everything(loaded):
    """All rows of a dataset, dense, in an order of their own."""
    X = sparse.vstack([loaded.x_train, loaded.x_test]).toarray()
    return X[np.lexsort(X.T)]


def in_order(X):
    return X[np.lexsort(X.T)]


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "bsr", "dia"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32])
def test_every_format_that_scipy_saves(folder, data, form, dtype):
    X = (data[0] * 4).astype(dtype)
    sparse.save_npz("own.npz", sparse.csr_matrix(X).asformat(form))
    np.save("own.y.npy", data[1])
    loaded = load_files("own.npz")
    assert loaded.x_train.dtype == np.float32 and loaded.x_train.format == "csr"
    assert (everything(loaded) == in_order(X.astype(np.float32))).all()
    assert not loaded.in_own_units and loaded.input_scale == 1


@pytest.mark.parametrize("name", ["from1.svm", "from0.svm", "words.npz"])
def test_same_data_from_any_kind_of_file(folder, data, name):
    loaded = load_files(name)
    assert loaded.x_train.shape[1] == D
    np.testing.assert_allclose(everything(loaded), in_order(data[0]), rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["from1.svm.gz", "from1.svm.bz2", "a9a", "a9a.t", "news20.bz2", "own.txt", "own.libsvm"]
)
def test_svmlight_by_name_and_by_content(folder, name):
    content = (folder / "from1.svm").read_bytes()
    pack = {".gz": gzip.compress, ".bz2": bz2.compress}.get((folder / name).suffix, bytes)
    (folder / name).write_bytes(pack(content))
    loaded, plain = load_files(name), load_files("from1.svm")
    assert (loaded.x_train != plain.x_train).nnz == 0 and (loaded.y_test == plain.y_test).all()


def test_tables_stay_tables(folder):
    for content in (b"1,2\n3,4\n", b"time 10:30\n", b"a b 1:2\nc,d\n", b"label\n1\n"):
        assert kind_of_file("own.txt", Source("own.txt", content)) == "text"


def test_labels_may_be_text_or_one_hot_and_stand_by_either_name(folder, data):
    np.save("words.y.npy", np.array(["lily", "rose", "tulip"])[data[1]])
    assert load_files("words.npz").class_names == ("lily", "rose", "tulip")
    np.save("words.y.npy", np.eye(3)[data[1]])
    assert load_files("words.npz").n_classes == 3
    (folder / "y_train.npy").rename("X_train.y.npy")
    assert (np.bincount(load_files("X_train.npz", test="X_test.npz").y_test) == [6, 7, 7]).all()


def test_columns_count_alike_in_files_that_belong_together(folder, data):
    """Only one of two files may show that columns count from 0, and neither need have the last one."""
    X, y = data
    X = X.copy()
    X[40:, 0] = X[40:, -1] = 0
    svmlight.dump_svmlight_file(X[40:], y[40:], "test.svm", zero_based=True)
    for train, test in (("train0.svm", "test.svm"), ("test.svm", "train0.svm")):
        loaded = load_files(train, test=test)
        assert loaded.first_column == 0 and loaded.x_train.shape[1] == loaded.x_test.shape[1] == D
        np.testing.assert_allclose(everything(loaded), in_order(X), rtol=1e-6)


def run(*arguments, code=0):
    result = CliRunner().invoke(main, [str(each) for each in arguments])
    assert result.exit_code == code, result.output
    return result.output


def train(*arguments):
    run("train", "--hidden-size", 7, "--epochs", 3, "--batch-size", 8, "--output", "net.npz", "--force", *arguments)


@pytest.mark.parametrize(
    "training", [("X_train.npz", "X_test.npz"), ("train1.svm", "test1.svm"), ("train0.svm", "test0.svm")]
)
def test_same_net_from_any_kind_of_file(folder, data, training):
    """Trained, resumed, measured and asked on the command line; the bits are those of dense arrays."""
    X, y = data
    train("--dataset", training[0], "--test", training[1])
    np.savez("dense.npz", x_train=X[:40], y_train=y[:40], x_test=X[40:], y_test=y[40:])
    net = NeuralNetwork.load("net.npz")
    train("--dataset", "dense.npz", "--preprocess", "none")
    assert (net.W1 == NeuralNetwork.load("net.npz").W1).all()
    train("--dataset", training[0], "--test", training[1])
    run("train", "--resume", "net.npz", "--epochs", 5)
    net = NeuralNetwork.load("net.npz")
    results = [
        json.loads(run("evaluate", "net.npz", "--json", *named))["results"]
        for named in ((), ("--dataset", training[1]), ("--dataset", "X_test.npz"), ("--dataset", "dense.npz"))
    ]
    assert len({result["loss"] for result in results}) == 1 and results[0]["samples"] == 20
    for name in (training[1], "X_test.npz"):
        rows = json.loads(run("predict", "net.npz", name, "--json"))["results"]
        assert ([row["probabilities"] for row in rows] == net.forward(X[40:])).all()
    assert f"{training[1]}: " not in run("data", training[0], "--test", training[1])


def test_a_model_remembers_how_columns_count(folder, data):
    X, y = data
    X = X.copy()
    X[:, 0] = X[:, -1] = 0
    svmlight.dump_svmlight_file(X[40:], y[40:], "later.svm", zero_based=True)  # seems to count from 1
    train("--dataset", "train0.svm")
    net = NeuralNetwork.load("net.npz")
    rows = json.loads(run("predict", "net.npz", "later.svm", "--json"))["results"]
    assert ([row["probabilities"] for row in rows] == net.forward(X[40:])).all()
    assert json.loads(run("evaluate", "net.npz", "--dataset", "later.svm", "--json"))["results"][
        "loss"
    ] == pytest.approx(net.score(X[40:], y[40:]).loss)
    train("--dataset", "train1.svm")
    for command in (("predict", "net.npz", "from0.svm"), ("evaluate", "net.npz", "--dataset", "from0.svm")):
        assert "has the column index 0" in run(*command, code=3)


def test_pixels_and_sparse_data(folder, data):
    """A net that was trained on pixels scales sparse ones too."""
    pixels = np.abs(np.rint(data[0] * 100)).clip(0, 255)
    pixels[0, 0] = 255
    net = NeuralNetwork(hidden_size=3, input_size=D, output_size=3, seed=0)
    net.input_scale = 1 / 255
    sparse.save_npz("pixels.npz", sparse.csr_array(pixels))
    read = read_inputs(Source.at(folder / "pixels.npz"), net)
    np.testing.assert_allclose(read.X.toarray(), pixels / 255, rtol=1e-6)


def test_only_our_own_net_takes_sparse_data(folder):
    assert "no sparse data" in run("train", "--dataset", "words.npz", "--net", "numpy", code=2)
    assert "no sparse data" in run("compare", "--dataset", "words.npz", "--net", "numpy", code=2)


# --- Bad files --------------------------------------------------------------------------------------------------------


def parts(**changed):
    """What save_npz writes of a small matrix, with changes."""
    usual = {
        "format": np.array("csr"),
        "shape": np.array([3, 4]),
        "data": np.ones(3, np.float32),
        "indices": np.array([0, 1, 3]),
        "indptr": np.array([0, 1, 2, 3]),
    }
    return {name: array for name, array in (usual | changed).items() if array is not None}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"indices": np.array([0, 1, 4])}, "column index 4, and 4 columns"),
        ({"indices": np.array([0, -1, 3])}, "column index -1"),
        ({"format": np.array("csc"), "indptr": np.array([0, 1, 2, 3, 3])}, "row index 3, and 3 rows"),
        ({"format": np.array("coo"), "row": np.array([0, 1, 9]), "col": np.array([0, 1, 2])}, "inconsistent"),
        ({"format": np.array("bsr"), "data": np.ones((3, 1, 2)), "indices": np.array([0, 1, 2])}, "column index 2"),
        ({"indptr": np.array([0, 2, 1, 3])}, "indptr falls"),
        ({"indptr": np.array([0, 1, 2, 9])}, "inconsistent"),
        ({"indptr": np.array([0, 1, 3])}, "inconsistent"),
        ({"indptr": None}, "no sparse matrix of SciPy's"),
        ({"format": np.array("lil")}, "no sparse matrix of SciPy's"),
        ({"format": np.arange(3)}, "no sparse matrix of SciPy's"),
        ({"shape": np.array([3, 10**12])}, "1,000,000,000,000 columns"),
        ({"shape": np.array([10**12, 4])}, "inconsistent"),
        ({"shape": np.array([10**12, 3]), "format": np.array("csc")}, "FASTMLP_MAX_BYTES"),
        ({"shape": np.array([3, 4, 1])}, "the shape two"),
        ({"shape": np.array([3, -4])}, "inconsistent"),
        ({"shape": np.array([0, 4]), "indptr": np.array([0]), "data": np.ones(0), "indices": np.arange(0)}, "is empty"),
        ({"data": np.array([1, np.nan, 3])}, "has nan in row 1, column 1"),
        ({"data": np.array([1, 3, -np.inf])}, "has -inf in row 2, column 3"),
        ({"data": np.array([1, 1e300, 3])}, "has 1e.300 in row 1, column 1"),
        ({"data": np.array([1, 2j, 3])}, "complex128, not real numbers"),
        ({"data": np.array(["a", "b", "c"])}, "inconsistent|not real numbers|damaged"),
        ({"data": np.array([1, None, 3])}, "holds Python objects"),
        ({"indices": np.array([0.0, 1.0, 3.0])}, "whole numbers"),
        ({"data": np.ones((3, 1), np.float32)}, "inconsistent"),
    ],
)
def test_hostile_matrices_are_refused(folder, changed, sentence):
    np.savez("bad.npz", **parts(**changed))
    np.save("bad.y.npy", [0, 1, 0])
    with pytest.raises(DataError, match=sentence) as caught:
        load_files("bad.npz")
    assert str(caught.value).startswith("bad.npz") and "\n" not in str(caught.value)
    assert re.search(sentence, run("train", "--dataset", "bad.npz", code=3))
    net = NeuralNetwork(hidden_size=2, input_size=4, output_size=2, seed=0)
    with pytest.raises(DataError, match=sentence):
        read_inputs(Source.at(folder / "bad.npz"), net)


def test_what_the_labels_lack_is_said(folder):
    sparse.save_npz("alone.npz", sparse.eye_array(4, format="csr"))
    sparse.save_npz("X.npz", sparse.eye_array(4, format="csr"))
    assert "numpy.save, as alone.y.npy" in run("train", "--dataset", "alone.npz", code=3)
    assert "numpy.save, as y.npy" in run("train", "--dataset", "X.npz", code=3)
    assert "without labels" in CliRunner().invoke(main, ["data", "-"], (folder / "X.npz").read_bytes()).output
    np.save("y.npy", [0, 1, 0])
    assert "has 4 rows and y.npy 3" in run("train", "--dataset", "X.npz", code=3)
    np.save("y.npy", np.array([0, None, 1, 0]), allow_pickle=True)
    assert "Python objects" in run("train", "--dataset", "X.npz", code=3)
    (folder / "y.npy").write_bytes(b"labels")
    assert "y.npy is not an .npy file" in run("train", "--dataset", "X.npz", code=3)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"1 1:2 2:x\n0 1:1\n", "not in svmlight's format"),
        (b"1 3:2 2:1\n0 1:1\n", "not in svmlight's format"),
        (b"1 -1:2\n0 1:1\n", "not in svmlight's format"),
        (b"rose 1:2\nlily 1:1\n", "one numeric label"),
        (b"1,2 1:2\n0 1:1\n", "one numeric label"),
        (b"1 1:nan\n0 1:1\n", "has nan in row 0, column 0"),
        (b"1 1:1e300\n0 1:1\n", "has inf in row 0"),
        (b"1 4000000000:1\n0 1:1\n", "columns|not in svmlight's format"),
        (b"1 99999999999999999999999:1\n0 1:1\n", "columns|not in svmlight's format"),
        (b"1\n0\n", "no value in any row"),
        (b"", "empty|not in svmlight's format"),
        (b"0.5 1:1\n1 1:2\n", "labels are whole numbers"),
        (b"1 1:1\n1 1:2\n", "one class only"),
    ],
)
def test_bad_svmlight_files_are_refused(folder, content, sentence):
    (folder / "bad.svm").write_bytes(content)
    assert re.search(sentence, run("train", "--dataset", "bad.svm", code=3))


def test_compressed_files_are_bounded(folder, monkeypatch):
    for name, pack in (("bomb.svm.gz", gzip.compress), ("bomb.svm.bz2", bz2.compress)):
        (folder / name).write_bytes(pack(b"1 1:1\n0 1:2\n" * 10_000))
        assert load_files(name).n_classes == 2
        with monkeypatch.context() as patch:
            patch.setenv("FASTMLP_MAX_BYTES", "100000")
            assert "FASTMLP_MAX_BYTES" in run("train", "--dataset", name, code=3)
        (folder / name).write_bytes((folder / name).read_bytes()[:-20])
        assert "damaged" in run("train", "--dataset", name, code=3)


def test_other_widths_are_refused(folder):
    train("--dataset", "train1.svm", "--test", "test1.svm")
    (folder / "wide.svm").write_bytes(b"0 1:1 18:1\n1 2:1\n")
    sparse.save_npz("narrow.npz", sparse.eye_array(4, format="csr"))
    np.save("narrow.y.npy", [0, 1, 0, 1])
    for name, width in (("wide.svm", 18), ("narrow.npz", 4)):
        assert f"{name} has {width} columns and the model takes {D}" in run("predict", "net.npz", name, code=3)
        assert f"{width} inputs per sample and the model takes {D}" in run(
            "evaluate", "net.npz", "--dataset", name, code=1
        )
    assert "17 inputs per row and" in run("train", "--dataset", "X_train.npz", "--test", "narrow.npz", code=3)
    np.savez("dense.npz", X=np.eye(4), y=[0, 1, 0, 1])
    assert "one of training and test set is sparse" in run(
        "train", "--dataset", "X_train.npz", "--test", "dense.npz", code=3
    )
    assert "label_column is for CSV" in run("train", "--dataset", "from1.svm", "--label-column", 1, code=2)


@pytest.mark.parametrize(("name", "hidden"), [("words.npz", "scipy.sparse"), ("from1.svm", "sklearn.datasets")])
def test_libraries_that_are_missing_are_named(folder, monkeypatch, name, hidden):
    monkeypatch.setitem(__import__("sys").modules, hidden, None)
    assert "pip install 'fastmlp[sklearn]'" in run("train", "--dataset", name, code=1)


def test_a_part_is_held_back_for_validation(folder):
    train("--dataset", "words.npz", "--validation-fraction", "0.2", "--early-stopping")
    assert NeuralNetwork.load("net.npz").input_size == D


@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo"])
@pytest.mark.parametrize("wrong", [-1, 99, 2**30])
def test_hand_made_matrices_are_looked_at_before_scipy_converts_them(form, wrong):
    """SciPy's conversions read and write wherever the indices point."""
    X = sparse.eye_array(4, format="csr").asformat(form)
    (X.coords[1] if form == "coo" else X.indices)[2] = wrong
    net = NeuralNetwork(hidden_size=2, input_size=4, output_size=2, seed=0)
    for use in (lambda: net.forward(X), lambda: net.fit(X, [0, 1, 0, 1])):
        with pytest.raises(ValueError, match=f"the (row|column) index {wrong}, and 4"):
            use()
