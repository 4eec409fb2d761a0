"""Samples of any shape and type as float32 rows; what is refused is in test_files.py and test_model_inputs.py."""

import numpy as np
import pytest

from fastmlp.datasets.samples import all_finite, as_rows


@pytest.mark.parametrize("dtype", ["?", "u1", "<i4", ">i4", "f2", "f4", ">f4", "f8"])
@pytest.mark.parametrize("shape", [(6, 4), (6, 2, 2), (6, 1, 4, 1)])
def test_every_type_and_shape(dtype, shape):
    array = (np.arange(24) % 7).reshape(shape).astype(dtype)
    array.flags.writeable = False
    for given in (array, np.asfortranarray(array), array[::-1]):
        X = as_rows(given, "X")
        assert (X.dtype, X.shape) == (np.float32, (6, 4))
        assert X.flags.c_contiguous and X.flags.writeable
        np.testing.assert_array_equal(X, given.reshape(6, 4))


def test_float32_rows_are_not_copied():
    array = np.ones((6, 4), np.float32)
    assert np.shares_memory(as_rows(array, "X"), array)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_all_finite(value):
    assert all_finite(np.ones(3))
    assert not all_finite(np.array([1, value, 2]))
