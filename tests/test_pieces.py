"""Which pieces of a drawing are the digit: by hand, and against a labelling by flood fill."""

import numpy as np
import pytest

from fastmlp.datasets.pieces import digit_only, label
from fastmlp.errors import InvalidValueError


def flood(mask):
    """Labels of `mask`, piece by piece, in the order of their first elements."""
    labels, count = np.zeros(mask.shape, int), 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        count += 1
        todo = [start]
        while todo:
            i, j = todo.pop()
            if 0 <= i < mask.shape[0] and 0 <= j < mask.shape[1] and mask[i, j] and not labels[i, j]:
                labels[i, j] = count
                todo += [(i + di, j + dj) for di in (-1, 0, 1) for dj in (-1, 0, 1)]
    return labels, count


@pytest.mark.parametrize("shape", [(1, 1), (1, 17), (17, 1), (2, 7), (30, 40)])
@pytest.mark.parametrize("density", [0, 0.1, 0.3, 0.5, 0.9, 1])
def test_labels_are_those_of_a_flood_fill(shape, density):
    mask = np.random.default_rng(0).random(shape) < density
    labels, count = label(mask)
    expected, expected_count = flood(mask)
    assert count == expected_count
    np.testing.assert_array_equal(labels, expected)


def page(*boxes, size=100):
    """A page with ink in boxes (top, bottom, left, right)."""
    ink = np.zeros((size, size), bool)
    for top, bottom, left, right in boxes:
        ink[top:bottom, left:right] = True
    return ink


DIGIT = (20, 80, 40, 60)
FRAME = [(3, 5, 3, 97), (95, 97, 3, 97), (3, 97, 3, 5), (3, 97, 95, 97)]


@pytest.mark.parametrize(
    ("others", "left_out"),
    [
        ([], []),
        ([(5, 8, 5, 8)], ["a speck was left out"]),
        ([(5, 8, 5, 8), (90, 91, 90, 91), (1, 3, 80, 82)], ["3 specks were left out"]),
        (FRAME, ["a line or frame was left out"]),
        (FRAME[:2], ["2 lines were left out"]),
        (FRAME[2:3], ["a line or frame was left out"]),
        (FRAME[1:3], ["a line or frame was left out"]),  # two sides of a frame
        ([(0, 100, 0, 3)], ["a line or frame was left out"]),
        ([*FRAME, (10, 12, 10, 12)], ["a line or frame was left out", "a speck was left out"]),
    ],
)
@pytest.mark.parametrize("scale", [1, 5])
def test_what_is_left_out(others, left_out, scale):
    enlarge = np.ones((scale, scale), bool)
    keep, told = digit_only(np.kron(page(DIGIT, *others), enlarge))
    assert told == left_out
    np.testing.assert_array_equal(keep, np.kron(page(DIGIT), enlarge))


@pytest.mark.parametrize(
    "parts",
    [
        [(20, 80, 40, 60), (20, 26, 64, 80)],  # the bar of a five, set apart
        [(20, 80, 30, 40), (20, 80, 44, 54)],  # the two halves of a zero
        [(20, 50, 40, 60), (55, 80, 40, 60)],  # a broken one
        [(20, 80, 40, 60), (30, 32, 45, 50)],
    ],
)
def test_the_parts_of_a_digit_stay_together(parts):
    keep, told = digit_only(page(*parts))
    assert told == []
    np.testing.assert_array_equal(keep, page(*parts))


@pytest.mark.parametrize(
    ("boxes", "count"),
    [
        ([(20, 80, 10, 40), (20, 80, 60, 90)], 2),
        ([(20, 80, 10, 40), (20, 80, 44, 74)], 2),
        ([(10, 40, 40, 60), (60, 90, 40, 60)], 2),
        ([(30, 70, 5, 25), (30, 70, 40, 60), (30, 70, 75, 95)], 3),
    ],
)
def test_several_digits_are_told(boxes, count):
    with pytest.raises(InvalidValueError, match=f"there are {count} things in the picture that could be a digit"):
        digit_only(page(*boxes))


def test_a_line_alone_is_a_one():
    ink = page((0, 100, 48, 52))
    assert digit_only(ink).left_out == []


def test_thousands_of_specks_take_no_time():
    ink = np.random.default_rng(0).random((1000, 1000)) < 0.001
    ink[200:800, 400:600] = True
    keep, told = digit_only(ink)
    assert "specks were left out" in told[0]
    assert keep[:190].sum() == 0
