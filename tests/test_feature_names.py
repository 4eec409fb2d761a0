"""The names of the inputs, and columns that come in another order than in training."""

import warnings

import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine.feature_names import check_feature_names, column_order
from fastmlp.errors import InvalidTypeError, InvalidValueError


def test_columns_in_order_need_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert column_order("X", ("a", "b"), ["a", "b"]) is None


def test_columns_in_another_order_are_taken_by_their_names():
    with pytest.warns(UserWarning, match=r"^the columns of X come in another order than in training"):
        order = column_order("X", ["c", "a", "b"], ["a", "b", "c"])
    assert order.tolist() == [1, 2, 0]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["a"], "X lacks the columns b, c"),
        (["a", "b", "c", "d"], "X has the column d, which the model does not know"),
        (["a", "b", "d"], "X lacks the column c and has the column d, which the model does not know"),
        (["a", "b", "c", "a"], "X has a column twice"),
        ([*"abcdefghijk"], "X has the columns d, e, f, g, h and 3 more, which the model does not know"),
    ],
)
def test_other_columns_are_refused(given, sentence):
    with pytest.raises(InvalidValueError) as caught:
        column_order("X", given, ["a", "b", "c"])
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("names", "error"), [("ab", InvalidTypeError), (["a", 1], InvalidTypeError), (["a", "a"], InvalidValueError)]
)
def test_names_must_be_different_strings(names, error):
    with pytest.raises(error):
        check_feature_names(names, 2)


def test_a_net_keeps_names_and_refuses_others():
    net = NeuralNetwork(input_size=2, seed=0)
    assert net.feature_names is None
    net.feature_names = ["a", "b"]
    assert net.feature_names == ("a", "b")
    with pytest.raises(InvalidValueError, match="2 different names"):
        net.feature_names = ["a"]
