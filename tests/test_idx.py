"""The IDX format, there and back; and what is none."""

import numpy as np
import pytest

from fastmlp.datasets.idx import parse_idx, to_idx
from fastmlp.errors import DataError


@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3), (2, 3, 4), (1, 2, 3, 4)])
def test_idx_there_and_back(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(parse_idx(to_idx(array), "array"), array)


def test_idx_header_as_in_the_format_description():
    content = bytes.fromhex("00000803 00000001 00000002 00000003 000102030405")
    np.testing.assert_array_equal(parse_idx(content, "x"), np.arange(6).reshape(1, 2, 3))


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\0\0\x08", b"\0\0\x08\0", b"\0\1\x08\1\0\0\0\0", b"\0\0\x0a\1\0\0\0\0"]
)
def test_what_is_not_idx(content):
    with pytest.raises(DataError, match="labels is not an IDX file: it starts with"):
        parse_idx(content, "labels")


@pytest.mark.parametrize(
    "content",
    [
        b"\0\0\x08\x46" + b"\0\0\0\1" * 70 + b"x",  # 70 dimensions: more than NumPy has
        b"\0\0\x08\3" + b"\0\0\0\0" + b"\xff\xff\xff\xff" * 2,  # nothing, but of an enormous shape
    ],
    ids=["70 dimensions", "empty and enormous"],
)
def test_shapes_that_cannot_be(content):
    with pytest.raises(DataError, match="labels is damaged: its header announces an impossible shape"):
        parse_idx(content, "labels")
