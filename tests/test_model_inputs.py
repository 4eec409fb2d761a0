"""What people hand in, as a given model sees it."""

import io

import numpy as np
import pytest

from fastmlp import Dataset, NeuralNetwork
from fastmlp.datasets.source import Source
from fastmlp.errors import DataError
from fastmlp.model_inputs import as_model_sees, class_names, read_inputs


def net_of(input_size=3, **attributes):
    net = NeuralNetwork(hidden_size=2, input_size=input_size, output_size=3, seed=0)
    for name, value in attributes.items():
        setattr(net, name, value)
    return net


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return Source("own.npz", file.getvalue())


def test_names_of_classes():
    assert class_names(net_of()) == ("0", "1", "2")
    assert class_names(net_of(class_names=("a", "b", "c"))) == ("a", "b", "c")


def dataset(names=None, scale=1.0, y=(0, 1, 2), width=3):
    x = np.eye(width, dtype=np.float32)[list(y)]
    labels = np.array(y)
    return Dataset(x, labels, x, labels, "mine", names, scale)


def test_classes_are_matched_by_name():
    net = net_of(class_names=("a", "b", "c"))
    assert as_model_sees(dataset(("c", "a", "b")), net).y_test.tolist() == [2, 0, 1]
    with pytest.raises(ValueError, match="mine has the class 'd', which the model does not know; its classes are a, b"):
        as_model_sees(dataset(("a", "b", "d")), net)
    with pytest.raises(ValueError, match="mine has 4 inputs per sample and the model takes 3"):
        as_model_sees(dataset(width=4), net)


@pytest.mark.parametrize(
    ("model", "data", "factor"), [(1.0, 1.0, 1), (1 / 255, 1 / 255, 1), (1.0, 1 / 255, 255), (1 / 255, 1.0, 1)]
)
def test_inputs_are_scaled_as_the_models_were(model, data, factor):
    seen = as_model_sees(dataset(scale=data), net_of(input_scale=model))
    assert seen.x_test.max() == pytest.approx(factor)


@pytest.mark.parametrize("arrays", [("X",), ("X", "y"), ("x_test", "x_train"), ("x", "y"), ("anything",)])
def test_the_array_that_holds_the_inputs(arrays):
    first, *others = arrays
    X = np.arange(6.0).reshape(2, 3)
    given = {first: X} | {name: np.zeros(2) for name in others}
    np.testing.assert_array_equal(read_inputs(npz(**given), net_of()).X, X)


def test_images_become_rows():
    assert read_inputs(npz(X=np.zeros((5, 2, 3), np.uint8)), net_of(6)).X.shape == (5, 6)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (npz(X=np.array([["a", None, 1]], object)), "the array X holds Python objects"),
        (npz(a=np.eye(3), b=np.eye(3)), "own.npz lacks the array X; it has a, b"),
        (npz(X=np.eye(4)), "own.npz has 4 inputs per sample and the model takes 3: leave the column of labels out"),
        (npz(X=np.eye(2)), "own.npz has 2 inputs per sample and the model takes 3$"),
        (npz(X=np.full((1, 3), np.nan)), r"own.npz: X has nan in row 0, column 0 \(from 0\)"),
        (npz(X=np.zeros(3)), r"own.npz: X has the shape \(3,\)"),
        (npz(X=np.array([["a", "b", "c"]])), "own.npz: X holds <U1, not real numbers"),
        (Source("own.csv", b"a,b,c,label\n1,2,3,x\n"), "the model takes 3: leave the column of labels out"),
        (Source("own.csv", b""), "own.csv is empty"),
        (Source("stdin", b"\0\xff\xfe"), "stdin is neither a picture, nor an .npz file, nor a CSV in UTF-8"),
        (Source("own.png", b"1,2,3\n"), "own.png is a picture, which gives 784 inputs, and the model takes 3"),
    ],
)
def test_what_does_not_fit_the_model(source, words):
    with pytest.raises(DataError, match=words):
        read_inputs(source, net_of())


@pytest.mark.parametrize(
    ("values", "scale", "factor"), [([0, 51, 255], 1 / 255, 1 / 255), ([0, 0.2, 1], 1 / 255, 1), ([0, 51, 255], 1.0, 1)]
)
@pytest.mark.parametrize("kind", ["npz", "csv"])
def test_raw_values_are_scaled_where_the_models_were(values, scale, factor, kind):
    X = np.array([values])
    source = npz(X=X) if kind == "npz" else Source("own.csv", ",".join(map(str, values)).encode())
    seen = read_inputs(source, net_of(input_scale=scale))
    assert seen.factor == pytest.approx(factor)
    np.testing.assert_allclose(seen.X, X * factor, rtol=1e-6)
