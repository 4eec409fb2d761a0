"""Which arrays of a file are inputs and labels."""

import numpy as np
import pytest

from fastmlp.datasets.array_names import arrays_of_data, arrays_of_inputs, in_order
from fastmlp.errors import DataError


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ("X y", "X y"),
        ("x y note", "x y"),
        ("x_train y_train X y", "x_train y_train"),
        ("X_train Y_train X_test Y_test", "X_train Y_train X_test Y_test"),
        ("X_train X_test y_train y_test", "X_train y_train X_test y_test"),
        ("train_images train_labels test_images test_labels", "train_images train_labels test_images test_labels"),
        ("trainX trainY testX testY", "trainX trainY testX testY"),
        ("x_train y_train x_val y_val", "x_train y_train"),
        ("data target", "data target"),
        ("DATA TARGET", "DATA TARGET"),
        ("images labels names", "images labels"),
        ("features labels", "features labels"),
        ("arr_1 arr_0", "arr_0 arr_1"),
        ("arr_0 arr_1 arr_2 arr_3", "arr_0 arr_1 arr_2 arr_3"),
    ],
)
def test_names(present, found):
    assert arrays_of_data(present.split(), "own.npz") == found.split()


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ("X y data target", "the samples may be X and y or data and target; leave one of these pairs out"),
        ("x_train y_train train_images train_labels", "the samples may be x_train and y_train or train_images and"),
        ("X x y", "has both X and x; leave one of them out"),
        ("X", "lacks the array y; it has X and needs x_train, y_train"),
        ("arr_0", "lacks the array X; it has arr_0"),
        ("x_train y_train Y_test", "lacks the array x_test"),
        ("", "lacks the array X; it has none"),
    ],
)
def test_names_that_do_not_say_it(present, words):
    with pytest.raises(DataError, match=f"own.npz:? {words}"):
        arrays_of_data(present.split(), "own.npz")


def arrays(*shapes):
    return {f"arr_{k}": np.full(shape, k) for k, shape in enumerate(shapes)}


@pytest.mark.parametrize(
    ("shapes", "order"),
    [
        ([(5, 3), (5,)], [0, 1]),
        ([(5,), (5, 3)], [1, 0]),
        ([(5, 4, 4), (5,)], [0, 1]),
        ([(5, 3), (5,), (2, 3), (2,)], [0, 1, 2, 3]),
        ([(5, 3), (2, 3), (5,), (2,)], [0, 2, 1, 3]),  # as train_test_split returns them
    ],
)
def test_arrays_without_names(shapes, order):
    assert [int(array.flat[0]) for array in in_order(arrays(*shapes), "own.npz")] == order


@pytest.mark.parametrize(
    "shapes", [[(5, 3), (5, 2)], [(5,), (5,)], [(5, 3), (4,)], [(5, 3), (2, 3), (2,), (5,)]], ids=str
)
def test_shapes_that_do_not_say_it(shapes):
    with pytest.raises(DataError, match="do not say which are inputs and which labels; name the arrays x_train"):
        in_order(arrays(*shapes), "own.npz")


@pytest.mark.parametrize(
    ("present", "first"),
    [
        ("X y", "X"),
        ("x_train x_test", "x_test"),
        ("X_test Y_test", "X_test"),
        ("anything", "anything"),
        ("data", "data"),
    ],
)
def test_inputs(present, first):
    assert arrays_of_inputs(present.split(), "own.npz")[0] == first


def test_no_inputs():
    assert arrays_of_inputs(["a", "b"], "own.npz") == []
