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
    assert number_classes([np.array(["", "a"])], "y").names == ("", "a")
