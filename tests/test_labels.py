"""Labels of every kind become numbers from 0; each kind through `load_files` is in test_files.py."""

import numpy as np
import pytest

from fastmlp.datasets.labels import number_classes
from fastmlp.errors import DataError


def test_parts_are_numbered_together():
    (first, second), names = number_classes([np.array([7, 9]), np.array([9, 8, 7])], "y")
    assert (first.tolist(), second.tolist(), names) == ([0, 2], [2, 1, 0], ("7", "8", "9"))


def text(*characters):
    return np.array(characters, np.uint32).view("<U1" if np.little_endian else ">U1")


@pytest.mark.parametrize("character", [0xD800, 0xDFFF, 0x110000, 0xFFFFFFFF])
@pytest.mark.parametrize("order", ["<", ">"])
def test_text_that_is_no_unicode(character, order):
    y = text(ord("a"), character).astype(f"{order}U1") if character <= 0x10FFFF else text(ord("a"), character)
    with pytest.raises(DataError, match=r"y has text in row 1 \(from 0\) that is not valid Unicode"):
        number_classes([y], "y")


def test_the_last_character_is_one():
    assert number_classes([text(0x10FFFF, 0xE000)], "y").names == ("\ue000", "\U0010ffff")
    with pytest.warns(UserWarning, match="y has '' 1 times, taken for a class as any other"):
        assert number_classes([np.array(["", "a"])], "y").names == ("", "a")


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["7", "8", "7"], ("7", "8")),
        (["7.0", "8.0"], ("7", "8")),
        (["7", "7.0", "8."], ("7", "8")),
        (["-1", "1"], ("-1", "1")),
        (["9", "10"], ("9", "10")),
        (["007", "012"], ("007", "012")),  # codes
        (["+7", "8"], ("+7", "8")),
        (["1e3", "5"], ("1e3", "5")),
        (["0", "1", "x"], ("0", "1", "x")),
    ],
)
def test_text_is_numbers_where_it_is_written_so(labels, names):
    assert number_classes([np.array(labels)], "y").names == names


@pytest.mark.parametrize("labels", [["007", "7"], ["+7", "7"], ["07", "7.0", "a"]])
def test_labels_that_differ_in_writing_only_are_told_and_kept_apart(labels):
    with pytest.warns(UserWarning, match=r"y: .* and .* are taken for different classes; write them alike if they are"):
        assert len(number_classes([np.array(labels)], "y").names) == len(labels)


@pytest.mark.parametrize("label", ["NA", "?", "nan", "N/A", "null", "None"])
def test_labels_that_may_be_missing_are_counted(label):
    with pytest.warns(UserWarning, match=r"y has '.*' 2 times, taken for a class as any other; delete these rows if"):
        assert label in number_classes([np.array(["0", label, "1", label])], "y").names
    with pytest.warns(UserWarning, match=r"y has .* and .*, taken for classes as any other"):
        number_classes([np.array(["0", label, "-"])], "y")


@pytest.mark.parametrize("labels", [["0.5", "1"], ["1", "inf"], ["0.5", "1", "NA"]])
def test_measurements_are_no_classes(labels):
    with pytest.raises(DataError, match=r"y has (0\.5|inf) in row \d \(from 0\); labels are whole numbers or text"):
        number_classes([np.array(labels)], "y")


def test_parts_of_numbers_and_text():
    assert number_classes([np.array([7, 8]), np.array(["8", "7.0"])], "y").parts[1].tolist() == [1, 0]
    with pytest.raises(DataError, match="of different kinds"):
        number_classes([np.array([7, 8]), np.array(["007", "8"])], "y")
    assert number_classes([np.array(["7", "8"]), np.array(["x"])], "y").names == ("7", "8", "x")


def test_one_class_is_enough_to_test_on():
    assert number_classes([np.array(["x", "x"])], "y", fewest=1).names == ("x",)
    with pytest.raises(DataError, match="one class only"):
        number_classes([np.array(["x", "x"])], "y")
