"""Plain arrays and what is handed in for one: images, labels of every kind, and strangers, each with its sentence."""

import collections
import pathlib

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.errors import FastmlpError, InvalidTypeError, InvalidValueError
from fastmlp.evaluation import evaluate

X = np.random.default_rng(0).random((6, 12)).astype(np.float32)
Y = np.array([0, 1, 2, 0, 1, 2])


def net_of(input_size=12, output_size=3):
    return NeuralNetwork(4, input_size=input_size, output_size=output_size, seed=0)


# Images


@pytest.mark.parametrize("shape", [(3, 4), (4, 3), (12, 1), (1, 12), (3, 4, 1), (1, 3, 4)])
def test_images_of_one_channel_are_rows(shape):
    images = X.reshape(6, *shape)
    for given in (images, images.astype(np.float64), np.asfortranarray(images), images.tolist()):
        net, expected = net_of(), net_of()
        history = net.fit(given, Y, 2, 1, validation=(given, Y))
        assert history.val_loss == expected.fit(X, Y, 2, 1, validation=(X, Y)).val_loss
        assert net.forward(given).tobytes() == expected.forward(X).tobytes()
        assert net.score(given, Y) == expected.score(X, Y)
        assert evaluate(net, given, Y).confusion.tolist() == evaluate(expected, X, Y).confusion.tolist()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((3, 4)), r"X has 4 columns; this net has input_size=12; one image is X\[None\]"),
        (np.zeros((3, 4, 1)), r"X has the shape \(3, 4, 1\), which is one image: a batch of it is X\[None\]"),
        (np.zeros(12), r"X has 1 dimensions; it must have 2; one sample is X\[None, :\]"),
        (np.zeros((6, 4, 4)), r"X has the shape \(6, 4, 4\), which is 16 numbers per sample; this net has"),
        (np.zeros((6, 2, 2, 3)), r"X has the shape \(6, 2, 2, 3\), images of several channels: make rows"),
        (np.zeros((6, 1, 1, 1, 12)), "X has 5 dimensions; it must have 2"),
        (np.zeros((0, 3, 4)), "X has 3 dimensions; it must have 2"),
    ],
    ids=lambda value: str(getattr(value, "shape", "")),
)
def test_other_shapes(given, sentence):
    for call in (net_of().forward, lambda X: net_of().fit(X, Y), lambda X: net_of().score(X, Y)):
        with pytest.raises(InvalidValueError, match=f"^{sentence}"):
            call(given)


# Labels


@pytest.mark.parametrize(
    "labels",
    [Y[:, None], Y[:, None].tolist(), Y.astype(object), Y.astype(object)[:, None], Y[:, None].astype(np.float32)],
)
def test_labels_in_a_column_and_as_objects(labels):
    net, expected = net_of(), net_of()
    assert net.fit(X, labels, 2, 1, validation=(X, labels)).loss == expected.fit(X, Y, 2, 1).loss
    assert net.score(X, labels) == expected.score(X, Y)
    assert evaluate(net, X, labels).loss == evaluate(expected, X, Y).loss


def test_boolean_labels():
    net = net_of(output_size=2)
    expected = net.score(X, [0, 1, 0, 1, 1, 1])
    for labels in (np.array([0, 1, 0, 1, 1, 1], bool), [False, True, False, True, True, True]):
        assert net.score(X, labels) == expected
        assert net.score(X, np.array(labels)[:, None]) == expected
    with pytest.raises(InvalidValueError, match="Y has the label 1; labels run from 0 to 0"):
        net_of(output_size=1).score(X, np.array([0, 1, 0, 1, 1, 1], bool))


@pytest.mark.parametrize("labels", [np.zeros(6), np.zeros((6, 1)), np.ones((6, 1))])
def test_a_single_class(labels):
    assert net_of(output_size=1).score(X, labels).accuracy == 1


@pytest.mark.parametrize(
    ("labels", "error", "sentence"),
    [
        (["a", "b", "c"] * 2, InvalidTypeError, r"^Y holds text such as 'a', and labels are numbers from 0"),
        (np.array(["a", "b", "c"] * 2, "S1"), InvalidTypeError, "Y holds text such as"),
        (np.array([["1"], ["2"]] * 3), InvalidTypeError, "Y holds text such as '1'"),
        ([0, 1, 2, 0, None, 2], InvalidValueError, r"Y has 1 missing labels .* first in row 4 \(from 0\)"),
        ([0, 1, 2, 0, {}, 2], InvalidTypeError, "Y has dtype object and holds objects of the type dict"),
    ],
    ids=["text", "bytes", "column of text", "None", "dict"],
)
def test_labels_that_are_none(labels, error, sentence):
    with pytest.raises(error, match=sentence):
        net_of().fit(X, labels)


# Numbers


@pytest.mark.parametrize(
    "value", [1e300, -1e39, pytest.param(10**400, id="10^400"), pytest.param(10**60, id="10^60"), np.longdouble(1e60)]
)
@pytest.mark.parametrize("call", ["fit", "forward", "score", "validation", "evaluate"])
def test_what_is_too_large_for_float32_is_no_infinity(value, call):
    too_large = X.astype(object)
    too_large[4, 7] = value
    if not isinstance(value, int):
        too_large = too_large.astype(np.longdouble if isinstance(value, np.longdouble) else np.float64)
    net = net_of()
    with pytest.raises(InvalidValueError, match="too large for float32") as caught:
        {
            "fit": lambda: net.fit(too_large, Y),
            "forward": lambda: net.forward(too_large),
            "score": lambda: net.score(too_large, Y),
            "validation": lambda: net.fit(X, Y, validation=(too_large, Y)),
            "evaluate": lambda: evaluate(net, too_large, Y),
        }[call]()
    if value != 10**400:
        start = "validation X" if call == "validation" else "X"
        assert str(caught.value).startswith(f"{start} holds {float(value):g} in row 4, column 7 (from 0), too large")


def test_the_largest_float32_is_not_too_large():
    largest = float(np.finfo(np.float32).max)
    given = np.zeros((1, 12))
    given[0, :2] = largest, -largest
    net = net_of()
    net.W1 = np.zeros((12, 4))
    assert np.isfinite(net.forward(given)).all()


def test_weights_too_large():
    net = net_of()
    with pytest.raises(InvalidValueError, match=r"b1 holds 1e\+39 in the place 1 \(from 0\), too large"):
        net.b1 = [0, 1e39, 0, 0]


def test_objects_that_are_numbers():
    assert net_of().forward(X.astype(object)).tobytes() == net_of().forward(X).tobytes()
    given = X.astype(object)
    given[0, 2] = None
    with pytest.raises(InvalidValueError, match=r"X holds 1 values that are NaN or .* first in row 0, column 2"):
        net_of().forward(given)


# Strangers


def dataset_of_torch():
    torch = pytest.importorskip("torch")
    return torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))


def loader_of_torch():
    torch = pytest.importorskip("torch")
    return torch.utils.data.DataLoader(dataset_of_torch())


STRANGERS = {
    "None": (lambda: None, "None; it must be an array of numbers"),
    "text": (lambda: "data.csv", r"the text 'data.csv'; it must be an array of numbers: fastmlp.load_files"),
    "path": (lambda: pathlib.Path("data.csv"), "the text 'data.csv'"),
    "dict": (lambda: {"a": [1]}, "a dict; it must be one array, or a frame"),
    "mapping": (lambda: collections.OrderedDict(a=[1]), "a OrderedDict; it must be one array, or a frame"),
    "generator": (lambda: (row for row in X), r"a generator, which can be gone through only once: give numpy.array"),
    "iterator": (lambda: iter(X.tolist()), "a list_iterator, which can be gone through only once"),
    "map": (lambda: map(list, X), "a map, which can be gone through only once"),
    "set": (lambda: {1, 2}, "a set, which has no order"),
    "Dataset": (dataset_of_torch, r"a torch Dataset \(TensorDataset\): stack its samples .* numpy.stack"),
    "DataLoader": (loader_of_torch, "a torch DataLoader, which gives batches: join them"),
    "object": (object, "a object; it must be an array of numbers"),
    "function": (lambda: net_of, "a function; it must be an array of numbers"),
}


@pytest.mark.parametrize("kind", STRANGERS)
def test_strangers_get_a_sentence_of_their_own(kind):
    make, sentence = STRANGERS[kind]
    net = net_of()
    for call in (net.forward, lambda X: net.fit(X, Y), lambda X: net.score(X, Y), lambda X: evaluate(net, X, Y)):
        with pytest.raises(InvalidTypeError, match=f"^X is {sentence}"):
            call(make())
    with pytest.raises(InvalidTypeError, match=f"^Y is {sentence}"):
        net.fit(X, make())
    with pytest.raises(InvalidTypeError, match=f"^validation X is {sentence}"):
        net.fit(X, Y, validation=(make(), Y))


def test_tensors():
    torch = pytest.importorskip("torch")
    expected = net_of().forward(X)
    for tensor in (torch.tensor(X), torch.tensor(X, requires_grad=True), torch.tensor(X.reshape(6, 1, 3, 4))):
        assert net_of().forward(tensor).tobytes() == expected.tobytes()
    assert net_of().score(torch.tensor(X), torch.tensor(Y)) == net_of().score(X, Y)
    with pytest.raises(FastmlpError, match="X cannot be read as an array"):
        net_of().forward(torch.zeros((2, 12), device="meta"))


def test_other_arrays():
    given = memoryview(np.ascontiguousarray(X, np.float64))
    assert net_of().forward(given).tobytes() == net_of().forward(X).tobytes()
    with pytest.raises(InvalidValueError, match="X has masked values; fill or remove them"):
        net_of().forward(np.ma.masked_equal(X, X[0, 0]))
    assert net_of().forward(np.ma.array(X)).tobytes() == net_of().forward(X).tobytes()
