"""Whether inputs are pixels: in all parts of a dataset or in none."""

import numpy as np
import pytest

from fastmlp.datasets.pixels import Inputs, counts_told, scale_pixels
from fastmlp.errors import DataError


def part(values, dtype=np.float64, name="x_train"):
    return Inputs(np.array([values], np.float32), np.dtype(dtype), name)


def look(*parts):
    """Whether they were scaled, and the greatest values that are left."""
    return scale_pixels(list(parts), "mine"), [float(each.X.max()) for each in parts]


@pytest.mark.parametrize(
    ("values", "dtype", "pixels"),
    [
        ([0, 255, 7], np.float64, True),
        ([0, 255, 7], np.int64, True),
        ([3, 200], np.uint8, True),
        ([0, 128], np.uint8, True),
        ([0, 127], np.uint8, False),  # counts
        ([0, 5], np.uint8, False),
        ([0, 1], np.uint8, False),
        ([0, 254], np.float64, False),
        ([1, 255], np.float64, False),
        ([0, 255, 7.5], np.float64, False),
        ([0, 256], np.int64, False),
        ([-1, 255], np.int64, False),
        ([0, 0.5, 1], np.float64, False),
    ],
)
def test_what_are_pixels(values, dtype, pixels):
    one = part(values, dtype)
    scaled = scale_pixels([one], "mine")
    assert scaled is pixels
    np.testing.assert_array_equal(one.X, np.float32([values]) / np.float32(255 if pixels else 1))


def test_a_part_that_could_be_pixels_goes_with_the_other():
    assert look(part([0, 255]), part([0, 51], name="x_test")) == (True, [1, pytest.approx(0.2)])
    assert look(part([0, 204]), part([0, 255], name="x_test")) == (True, [pytest.approx(0.8), 1])
    assert look(part([0, 5], np.uint8), part([0, 200], np.uint8)) == (False, [5, 200])
    assert look(part([0, 7.5]), part([0, 255])) == (False, [7.5, 255])


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        ([0, 255], [0, 1], "mine: x_train holds pixels from 0 to 255 and x_test values from 0 to 1; scale both alike"),
        ([0, 255], [0, 0.5], "x_test values from 0 to 0.5"),
        ([0, 255], [-1, 1], "x_test values from -1 to 1"),
        ([0, 255], [0, 256], "x_test values from 0 to 256"),
        ([0, 1], [0, 255], "mine: x_test holds pixels from 0 to 255 and x_train values from 0 to 1"),
        ([0, 0.25], [0, 255], "x_train values from 0 to 0.25"),
    ],
)
def test_parts_that_disagree(train, test, words):
    with pytest.raises(DataError, match=words):
        look(part(train), part(test, name="x_test"))


def test_counts_are_told():
    told = counts_told(part([0, 5], np.uint8))
    assert (
        told
        == "x_train holds whole numbers from 0 to 5, which are no pixels (these reach beyond 127), and was not scaled"
    )
    assert counts_told(part([0, 1], np.uint8)) is counts_told(part([0, 5])) is None
