"""fastmlp.runtime: what `forward` gives, from NumPy alone, by a file that stands on its own."""

import ast
import io
import json
import os
import pickle
import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from fastmlp import NeuralNetwork, Scaling, runtime
from fastmlp.engine.table_columns import TableColumn
from fastmlp.errors import ModelFileError
from fastmlp.files.model import FORMAT, read_model, write_model

SIZES = (1, 2, 7, 17, 300)
HOME = Path(runtime.__file__)


def make_net(D=5, H=7, C=3, seed=0, **settings):
    """A net whose biases are not 0, as after a training."""
    net = NeuralNetwork(H, input_size=D, output_size=C, seed=seed, **settings)
    rng = np.random.default_rng(seed)
    net.b1, net.b2 = rng.normal(size=H), rng.normal(size=C)
    return net


def loaded(net, path, **more):
    net.save(path, **more)
    return runtime.load(path)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.npz"


def assert_same(net, model, X):
    probs = model.forward(X)
    ours = net.forward(X)
    assert probs.dtype == np.float32
    assert probs.shape == ours.shape
    np.testing.assert_allclose(probs, ours, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(model.predict(X), ours.argmax(1))


# --- The file stands on its own ---------------------------------------------------------------------------------------


def test_it_imports_the_standard_library_and_numpy_only():
    for node in ast.walk(ast.parse(HOME.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module]
        assert {name.split(".")[0] for name in names} <= {"numpy", *sys.stdlib_module_names}


def test_importing_it_loads_nothing_else(path, run_python):
    make_net().save(path)
    out = run_python(
        "import sys, numpy\nbefore = set(sys.modules)\nfrom fastmlp import runtime\n"
        f"print(runtime.load({str(path)!r}).forward(numpy.ones((2, 5))).shape)\n"
        "new = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'numpy'}))\n"
        "print(sorted(name for name in sys.modules if 'fastmlp' in name))"
    ).stdout
    assert out.splitlines() == ["(2, 3)", "['fastmlp']", "['fastmlp', 'fastmlp.runtime']"]


def test_a_copy_works_where_fastmlp_is_missing(path, tmp_path, run_python):
    net = make_net()
    net.save(path)
    shutil.copy(HOME, tmp_path / "own_inference.py")
    code = (
        "import sys; sys.modules['fastmlp'] = sys.modules['numba'] = None; sys.path.insert(0, '.')\n"
        "import numpy, own_inference\n"
        "print(own_inference.load('net.npz').forward(numpy.ones((1, 5))).tolist())"
    )
    np.testing.assert_allclose(
        json.loads(run_python(code, cwd=tmp_path).stdout), net.forward(np.ones((1, 5))), atol=1e-6
    )


# --- The same as forward ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("D", SIZES)
@pytest.mark.parametrize("H", SIZES)
def test_odd_shapes(D, H, path):
    for C in (1, 2, 3, 17):
        net = make_net(D, H, C)
        assert_same(net, loaded(net, path), np.random.default_rng(1).normal(size=(17, D)))


def test_mnist(mnist, path):
    """Both round, in other orders: neither is further from the exact probabilities than float32 takes it."""
    net = NeuralNetwork(100, seed=0)
    net.fit(mnist.x_train[:20_000], mnist.y_train[:20_000], 128, 3)
    model, X = loaded(net, path), mnist.x_test
    W1, b1, W2, b2 = (getattr(net, name).astype(np.float64) for name in ("W1", "b1", "W2", "b2"))
    powers = np.exp(np.maximum(X @ W1 + b1, 0) @ W2 + b2)
    probs = model.forward(X)
    np.testing.assert_allclose(probs, powers / powers.sum(1, keepdims=True), rtol=0, atol=2e-6)
    np.testing.assert_allclose(probs, net.forward(X), rtol=0, atol=3e-6)
    np.testing.assert_array_equal(model.predict(X), net.forward(X).argmax(1))


def test_scaled_inputs(path):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(40, 5)) * [1e-3, 1, 1e6, 1, 1] + [0, 100, 0, 3, 0]
    X[:, 4] = 7
    net = make_net()
    net.scaling = Scaling.of(X)
    X[0], X[1] = 3e38, -3e38  # are cut off
    assert_same(net, loaded(net, path), X)


@pytest.mark.parametrize("optimizer", ["momentum", "adam"])
def test_a_file_that_trains_on_has_arrays_that_are_not_needed(optimizer, path):
    rng = np.random.default_rng(3)
    X, y = rng.normal(size=(30, 5)), rng.integers(0, 3, 30)
    net = make_net(optimizer=optimizer)
    net.fit(X, y, 8, 2)
    assert_same(net, loaded(net, path), X)


def test_the_estimators_net_of_two_classes(path):
    pytest.importorskip("sklearn")
    from fastmlp import FastMLPClassifier

    classifier = FastMLPClassifier((4,), max_iter=3)
    X = np.random.default_rng(4).normal(size=(40, 5)).astype(np.float32)
    with pytest.warns(UserWarning, match="converge"):
        classifier.fit(X, X[:, 0] > 0)
    model = loaded(classifier.net_, path)
    np.testing.assert_allclose(model.forward(X), classifier.predict_proba(X), rtol=0, atol=1e-6)


@pytest.mark.parametrize("X", [
    np.random.default_rng(5).integers(0, 256, (9, 6), np.uint8),
    np.ones((2, 6), bool),
    np.arange(12).reshape(2, 6),
    np.ones((2, 6), np.float16),
    np.ones((3, 6), order="F"),
    [[1, 2, 3, 4, 5, 6]],
    np.ones((4, 2, 3)),
    np.ones((4, 2, 3, 1)),
    np.ones((4, 1, 2, 3)),
    np.ones((10, 6), np.float32)[::2],
    np.ma.array(np.ones((2, 6))),
], ids=lambda X: f"{getattr(X, 'dtype', 'list')}-{np.shape(X)}")  # fmt: skip
def test_inputs_of_all_kinds(X, path):
    net = make_net(D=6)
    assert_same(net, loaded(net, path), X)


def test_more_rows_than_are_done_at_once(path):
    net = make_net()
    assert_same(net, loaded(net, path), np.random.default_rng(6).normal(size=(9000, 5)))


def test_what_a_model_says_of_itself(path):
    net = make_net()
    model = loaded(net, path)
    assert (model.input_size, model.output_size, model.input_scale) == (5, 3, 1)
    assert model.class_names is model.feature_names is None
    net.class_names, net.feature_names, net.input_scale = ("ä", "b", "c"), tuple("vwxyz"), 1 / 255
    model = loaded(net, path)
    assert (model.class_names, model.feature_names, model.input_scale) == (("ä", "b", "c"), tuple("vwxyz"), 1 / 255)
    X = np.random.default_rng(7).normal(size=(20, 5))
    assert model.predict(X).tolist() == [("ä", "b", "c")[k] for k in net.forward(X).argmax(1)]


@pytest.mark.parametrize("sign", [1, -1])
def test_outputs_that_overflow(sign, path):
    net = make_net(D=2, H=2, C=2)
    net.W1, net.W2 = np.full((2, 2), 1e30), np.diag([sign * 1e30, 1])
    X = np.array([[0, 0], [1, 0]], np.float32)
    model = loaded(net, path)
    if sign > 0:
        for forward in (net.forward, model.forward):
            with pytest.warns(RuntimeWarning, match="outputs of 1 of 2 rows overflow float32"):
                assert np.isnan(forward(X)).tolist() == [[False, False], [True, True]]
        with pytest.raises(ValueError, match=r"outputs of 1 rows overflow float32, the first in row 1"):
            model.predict(X)
    else:
        assert_same(net, model, X)


# --- Bad inputs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("X", "kind", "says"), [
    (np.ones(5), ValueError, "1 dimensions; it must have 2; one sample is X[None, :]"),
    (np.ones((2, 6)), ValueError, "X has 6 columns; this net has input_size=5"),
    (np.ones((5, 1)), ValueError, "X has 1 columns; this net has input_size=5; one image is X[None]"),
    (np.ones((2, 5, 1, 1, 1)), ValueError, "5 dimensions"),
    (np.ones((2, 2, 2, 5)), ValueError, "4 dimensions"),
    (np.ones((0, 5)), ValueError, "X is empty, of shape (0, 5)"),
    ([[1, np.nan, 3, 4, np.inf]], ValueError, "X holds 2 values that are NaN, infinite or too large for float32, the"),
    ([[1, 1e300, 3, 4, 5]], ValueError, "in row 0, column 1 (from 0)"),
    ([["a"] * 5], TypeError, "it must hold real numbers"),
    ([[None] * 5], TypeError, "dtype object"),
    (np.ones((2, 5), complex), TypeError, "complex128"),
    (None, TypeError, "dtype object"),
    ("digits.csv", TypeError, "real numbers"),
    ([[1, 2], [3]], ValueError, "cannot be read as an array"),
    (np.ma.array(np.ones((1, 5)), mask=np.eye(1, 5)), ValueError, "masked"),
], ids=repr)  # fmt: skip
def test_bad_inputs_get_a_sentence(X, kind, says, path):
    model = loaded(make_net(), path)
    for predict in (model.forward, model.predict):
        with pytest.raises(kind) as caught:
            predict(X)
        assert says in str(caught.value)


def test_a_frame_is_refused_for_its_columns_may_come_in_another_order(path):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TypeError, match=r"its columns in the order of model\.feature_names"):
        loaded(make_net(), path).forward(pandas.DataFrame(np.ones((2, 5))))


# --- Rows of tables ---------------------------------------------------------------------------------------------------

COLUMNS = (TableColumn("age", 37.0), TableColumn("size"), TableColumn("colour", None, ("", "blue", "red")))


@pytest.fixture
def mixed(path):
    net = make_net()
    net.table_columns = COLUMNS
    return loaded(net, path)


def test_rows_of_a_table_are_encoded_as_in_training(mixed):
    rows = [
        {"age": 20, "size": 1.5, "colour": "red", "id": 7},
        {"age": None, "size": True, "colour": None},
        {"age": float("nan"), "size": np.float32(3), "colour": ""},
        {"age": "", "size": np.int64(4), "colour": "blue"},
    ]
    np.testing.assert_array_equal(
        mixed.inputs(rows), [[20, 1.5, 0, 0, 1], [37, 1, 1, 0, 0], [37, 3, 1, 0, 0], [37, 4, 0, 1, 0]]
    )
    with pytest.warns(UserWarning, match=r"the column colour of row 0 \(from 0\) is 'pink', which was not seen"):
        np.testing.assert_array_equal(mixed.inputs([{**rows[0], "colour": "pink"}]), [[20, 1.5, 0, 0, 0]])


def test_rows_are_encoded_as_the_command_line_does(tmp_path):
    pytest.importorskip("sklearn")
    from fastmlp.datasets.source import Source
    from fastmlp.model_inputs import read_inputs

    net = make_net()
    net.table_columns = COLUMNS
    table = b"age,size,colour\n20,1.5,red\n,2,\nNA,3,blue\n"
    rows = [
        {"colour": "red", "size": 1.5, "age": 20},
        {"colour": None, "size": 2, "age": None},
        {"colour": "blue", "size": 3, "age": None},
    ]
    model = loaded(net, tmp_path / "net.npz")
    np.testing.assert_array_equal(model.inputs(rows), read_inputs(Source("own.csv", table), net).X)


def test_names_of_inputs_are_columns_too(path):
    net = make_net(D=2)
    net.feature_names = ("length", "width")
    np.testing.assert_array_equal(loaded(net, path).inputs([{"width": 1, "length": 2}]), [[2, 1]])


@pytest.mark.parametrize(("change", "kind", "says"), [
    ({"size": None}, ValueError, "the column size of row 0 (from 0) is missing, and none was in training"),
    ({"size": "1.5"}, TypeError, "the column size of row 0 (from 0) is '1.5'; it must be a number"),
    ({"size": 10**400}, ValueError, "too large for float32"),
    ({"size": float("inf")}, ValueError, "too large for float32"),
    ({"colour": 3}, TypeError, "is 3; it must be a text"),
    ({"age": [1]}, TypeError, "is [1]; it must be a number"),
])  # fmt: skip
def test_bad_cells_get_a_sentence(change, kind, says, mixed):
    with pytest.raises(kind) as caught:
        mixed.inputs([{"age": 20, "size": 1.5, "colour": "red"} | change])
    assert says in str(caught.value)


def test_bad_rows_get_a_sentence(mixed, path):
    with pytest.raises(ValueError, match=r"row 0 \(from 0\) lacks the column size"):
        mixed.inputs([{"age": 1}])
    for rows in ([[20, 1.5, "red"]], {"age": 1, "size": 1, "colour": "red"}):
        with pytest.raises(TypeError, match=r"one row is \[row\]"):
            mixed.inputs(rows)
    with pytest.raises(ValueError, match="knows no names of columns"):
        loaded(make_net(), path).inputs([{}])


# --- Damaged files ----------------------------------------------------------------------------------------------------


def refused_alike(path, match=None):
    """The library and the runtime refuse the file, each in one sentence that names it."""
    with pytest.raises(ModelFileError):
        NeuralNetwork.load(path)
    with pytest.raises(runtime.ModelFileError, match=match) as caught:
        runtime.load(path)
    assert isinstance(caught.value, ValueError)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0, 1, 30, 0.5, 0.99, -1])
def test_files_that_are_cut_off(keep, path):
    make_net().save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if 0 < keep < 1 else keep])
    refused_alike(path, "cut off or damaged")


def test_bytes_flipped_anywhere_never_give_another_net(path):
    net = make_net()
    net.save(path)
    whole, X = path.read_bytes(), np.random.default_rng(8).normal(size=(5, 5))
    expected = runtime.load(path).forward(X)
    for place in np.random.default_rng(9).integers(0, len(whole), 200):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            model = runtime.load(path)
        except runtime.ModelFileError:
            continue
        np.testing.assert_array_equal(model.forward(X), expected)  # a byte that nobody reads, in the zip's own fields


def altered(path, **changes):
    """Change entries of a model file, None for none; the digest stays the old one."""
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def metadata_bytes(path, **changes):
    return np.frombuffer(json.dumps({**read_model(path).metadata, **changes}).encode(), np.uint8)


def test_altered_files(path):
    make_net().save(path)
    altered(path, b2=np.zeros(3, np.float32))
    refused_alike(path, "altered or damaged after it was saved")
    make_net().save(path)
    altered(path, W1=None)
    refused_alike(path, "other arrays than a model's")
    make_net().save(path)
    altered(path, metadata=metadata_bytes(path, format=4))
    refused_alike(path, r"newer fastmlp \(format 4; this one reads up to 3\)")
    for text in (b"[" * 200_000, b"[1]", b'{"format": "1"}', b"\xff"):
        make_net().save(path)
        altered(path, metadata=np.frombuffer(text, np.uint8))
        refused_alike(path, "metadata cannot be read")
    with np.load(path) as stored:
        np.savez_compressed(path, **stored)
    refused_alike(path, "not a model of fastmlp")
    refused_alike(path.parent, "is a folder")
    with pytest.raises(FileNotFoundError):
        runtime.load(path.parent / "none.npz")


def test_pickles_are_refused_and_not_run(path, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    make_net().save(path)
    altered(path, W1=None)
    entry = io.BytesIO()
    np.lib.format.write_array(entry, np.array([Bomb()], object), allow_pickle=True)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("W1.npy", entry.getvalue())
    refused_alike(path, "Python objects")
    path.write_bytes(pickle.dumps(Bomb()))
    refused_alike(path, "not a model")
    assert not (tmp_path / "exploded").exists()


GOOD = {"class_names": None, "input_scale": 1, "feature_names": None, "input_limit": None}


@pytest.mark.parametrize(("arrays", "metadata"), [
    ({"W1": np.ones((5, 8), np.float32)}, {}),
    ({"b1": np.ones((7, 1), np.float32)}, {}),
    ({"b2": np.array([1, np.nan, 0], np.float32)}, {}),
    ({"input_centre": np.zeros(5), "input_spread": np.zeros(5)}, {"input_limit": 3.0}),
    ({"input_centre": np.zeros(4), "input_spread": np.ones(4)}, {"input_limit": 3.0}),
    ({"input_centre": np.zeros(5), "input_spread": np.ones(5)}, {"input_limit": "3"}),
    ({"input_centre": np.zeros(5)}, {"input_limit": 3.0}),
    ({}, {"class_names": ["a", "b"]}),
    ({}, {"class_names": "abc"}),
    ({}, {"class_names": ["a", "b", 3]}),
    ({}, {"feature_names": ["a"] * 5}),
    ({}, {"input_scale": -1}),
    ({}, {"input_scale": True}),
    ({}, {"table_columns": [{"name": "a"}]}),
    ({}, {"table_columns": [1]}),
], ids=repr)  # fmt: skip
def test_files_of_others_that_hold_no_net(arrays, metadata, path):
    net = make_net()
    own = {name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")}
    write_model(path, {**own, **arrays}, GOOD | metadata)
    refused_alike(path)


def test_files_without_what_came_later(path):
    """Of the first version: without the names of inputs, the limit and the columns of a table."""
    net = make_net()
    own = {name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")}
    write_model(path, own, {"class_names": None, "input_scale": 1})
    assert_same(net, runtime.load(path), np.ones((2, 5)))


def test_the_newest_format_is_the_librarys():
    assert runtime._FORMAT == FORMAT
