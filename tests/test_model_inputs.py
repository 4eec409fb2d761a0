"""What people hand in, as a given model sees it."""

import io

import numpy as np
import pytest
from test_text import zipped

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


def dataset(names=None, scale=1.0, y=(0, 1, 2), width=3, features=None):
    x = np.eye(width, dtype=np.float32)[list(y)]
    labels = np.array(y)
    return Dataset(x, labels, x, labels, "mine", names, scale, features)


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
        (Source("own.csv", b"a,b,c,kind\n1,2,3,x\n"), "the model takes 3: leave the column of labels out"),
        (Source("own.csv", b"1,2,3,x\n"), "the model takes 3: leave the column of labels out"),
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


# Names of the inputs


NAMES = ("length", "width", "depth")


def read(text, net=None, **options):
    net = net_of(feature_names=NAMES) if net is None else net
    return read_inputs(Source("own.csv", text.encode()), net, **options).X.tolist()


def test_columns_are_taken_by_their_names():
    assert read("length,width,depth\n1,2,3\n") == [[1, 2, 3]]
    assert read("7,2,3\n4,5,6\n") == [[7, 2, 3], [4, 5, 6]]  # without names by their places
    assert read("length;width;depth\n1,5;2;3\n") == [[1.5, 2, 3]]
    with pytest.warns(
        UserWarning, match=r"own\.csv come in another order than in training; they are taken by their nam"
    ):
        assert read("depth,length,width\n3,1,2\n") == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("text", "label_column"),
    [
        ("length,width,depth,Species\n1,2,3,x\n", None),
        ("Id,length,width,depth\n7,1,2,3\n", None),
        (",length,width,depth\nrow,1,2,3\n", None),
        ("length,width,depth,kind\n1,2,3,x\n", "kind"),
        ("label,length,width,depth\n0,1,2,3\n", None),
    ],
)
@pytest.mark.parametrize("names", [NAMES, None])
def test_labels_and_numbers_of_rows_are_left_out(text, label_column, names):
    net = net_of(feature_names=names)
    with pytest.warns(UserWarning, match="which is no input of the model, was left out"):
        assert read(text, net, label_column=label_column) == [[1, 2, 3]]


def test_the_labels_that_a_number_named_in_training_are_left_out():
    with pytest.warns(UserWarning, match="column 1, which is no input of the model, was left out"):
        assert read("9,1,2,3\n8,4,5,6\n", label_column=1) == [[1, 2, 3], [4, 5, 6]]
    with pytest.warns(UserWarning, match="column 4, which"):
        assert read("1,2,3,9\n", label_column=-1) == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "length,width,height\n1,2,3\n",
            "lacks the column depth and has the column height, which the model does not know",
        ),
        ("length,width\n1,2\n", "lacks the column depth"),
        (
            "length,width,depth,kind\n1,2,3,x\n",
            "has the column kind, which the model does not know; leave the column of",
        ),
        ("length,width,depth,depth\n1,2,3,3\n", "has a column twice"),
        ("1,2\n3,4\n", "has 2 inputs per sample and the model takes 3"),
        ("a,7,2\n3,4,5\n", "the first row may be a header"),
    ],
)
def test_other_columns_are_refused(text, words):
    with pytest.raises(DataError, match=f"own.csv:? {words}"):
        read(text)


def test_a_header_of_numbers_is_one_where_the_model_knows_it():
    names = tuple(map(str, range(5)))
    net = NeuralNetwork(hidden_size=2, input_size=5, output_size=2, seed=0)
    net.feature_names = names
    assert read("0,1,2,3,4\n9,8,7,6,5\n", net) == [[9, 8, 7, 6, 5]]
    with pytest.warns(UserWarning, match="another order"):
        assert read("4,3,2,1,0\n9,8,7,6,5\n", net) == [[5, 6, 7, 8, 9]]
    assert read("0,1,2,3,4\n9,8,7,6,5\n", net, header=False) == [[0, 1, 2, 3, 4], [9, 8, 7, 6, 5]]


def test_a_dataset_in_another_order_is_put_in_order():
    data, net = dataset(features=("depth", "length", "width")), net_of(feature_names=NAMES)
    with pytest.warns(UserWarning, match="the columns of mine come in another order"):
        seen = as_model_sees(data, net)
    np.testing.assert_array_equal(seen.x_test, data.x_test[:, [1, 2, 0]])
    assert seen.feature_names == NAMES
    assert as_model_sees(dataset(), net).x_test.tolist() == dataset().x_test.tolist()
    with pytest.raises(ValueError, match="mine lacks the column depth and has the column height"):
        as_model_sees(dataset(features=("length", "width", "height")), net)


# Values that are no pixels


@pytest.mark.parametrize("values", [[-0.4, 0, 2.8], [0, 7, 256], [-1, 0, 1]])
def test_what_is_no_pixels_is_refused_where_the_models_inputs_are(values):
    net = net_of(input_scale=1 / 255)
    with pytest.raises(
        DataError, match=r"holds values from .* to .*, and the model was trained on pixels: give it those"
    ):
        read(",".join(map(str, values)) + "\n", net)
    X = np.array([values], np.float32)
    with pytest.raises(ValueError, match="was trained on pixels"):
        as_model_sees(Dataset(X[:0], np.array([], int), X, np.array([1]), "mine"), net)


def test_a_packed_table():
    assert read_inputs(Source("own.csv.zip", zipped(own="1,2,3\n")), net_of()).X.tolist() == [[1, 2, 3]]
    assert read_inputs(Source("stdin", zipped(own="1,2,3\n")), net_of()).X.tolist() == [[1, 2, 3]]
    assert read_inputs(Source("own.csv", "1\t2,5\t3\n".encode("utf-16")), net_of()).X.tolist() == [[1, 2.5, 3]]
