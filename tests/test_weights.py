"""The packed parameters: each array by its name, in and out."""

import copy
import pickle

import numpy as np
import pytest

from fastmlp.engine.initialisers import INITIALISERS
from fastmlp.engine.weights import Weights
from fastmlp.errors import InvalidTypeError, InvalidValueError

SHAPES = [(1, 1, 1), (7, 17, 2), (784, 300, 10), (3, 33, 3000), (5000, 300, 2)]  # the last is packed by several threads


def filled(shape, seed=0):
    """Weights of this shape, and the arrays that they were given."""
    rng = np.random.default_rng(seed)
    weights = Weights(*shape)
    arrays = {name: rng.normal(size=s).astype(np.float32) for name, s in weights.shapes.items()}
    for name, array in arrays.items():
        weights[name] = array
    return weights, arrays


@pytest.mark.parametrize("shape", SHAPES)
def test_packing_and_back(shape):
    weights, arrays = filled(shape)
    for name, array in arrays.items():
        assert weights[name].tobytes() == array.tobytes()
    assert all(array.ctypes.data % 64 == 0 for array in weights.packed)


@pytest.mark.parametrize("shape", SHAPES)
def test_what_lies_beyond_the_net_stays_zero(shape):
    D, H, C = shape
    weights, _ = filled(shape)
    W1, b1, W2, b2 = weights.packed
    assert not W1.transpose(1, 0, 2).reshape(len(W1[0]), -1)[:, H:].any()
    assert not W1[:, D:].any()
    assert not b1.reshape(-1)[H:].any()
    assert not W2[:, C:].any()
    assert not W2.transpose(1, 0, 2).reshape(W2.shape[1], -1)[:, H:].any()
    assert not b2[C:].any()


def test_setting_one_array_leaves_the_others():
    weights, arrays = filled((7, 17, 2))
    for name in arrays:
        arrays[name] = arrays[name] + 1
        weights[name] = arrays[name]
        assert all(weights[other].tobytes() == array.tobytes() for other, array in arrays.items())


def test_what_is_read_is_a_read_only_copy():
    weights, arrays = filled((7, 17, 2))
    for name, array in arrays.items():
        with pytest.raises(ValueError, match="read-only"):
            weights[name][...] = 0
        read = weights[name]
        weights[name] = array + 1
        assert read.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "make", [Weights.copy, copy.copy, copy.deepcopy, lambda weights: pickle.loads(pickle.dumps(weights))]
)
def test_copies_have_the_same_bits_and_go_their_own_way(make):
    weights, arrays = filled((7, 17, 2))
    other = make(weights)
    assert other.shapes == weights.shapes
    other["b1"] = np.zeros(17)
    for name, array in arrays.items():
        assert weights[name].tobytes() == array.tobytes()
        assert name == "b1" or other[name].tobytes() == array.tobytes()


@pytest.mark.parametrize(
    ("value", "error", "says"),
    [
        (np.zeros((17, 7)), InvalidValueError, "W1 has shape (17, 7); this net's is (7, 17)"),
        (np.zeros(17), InvalidValueError, "W1 has 1 dimensions; it must have 2"),
        (np.full((7, 17), np.inf), InvalidValueError, "W1 holds NaN or infinity; weights must be finite"),
        (np.full((7, 17), "a"), InvalidTypeError, "W1 has dtype <U1 and holds text; it must hold real numbers"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_changes(value, error, says):
    weights, arrays = filled((7, 17, 2))
    with pytest.raises(error) as caught:
        weights["W1"] = value
    assert str(caught.value).startswith(says)
    assert weights["W1"].tobytes() == arrays["W1"].tobytes()


@pytest.mark.parametrize("init", ["glorot_uniform", "glorot_normal"])
def test_weights_drawn_in_blocks_are_those_drawn_at_once(init):
    n_in, n_out = 2500, 3
    rng, limit = np.random.default_rng(7), np.sqrt(6 / (n_in + n_out))
    if init == "glorot_uniform":
        whole = rng.uniform(-limit, limit, (n_in, n_out))
    else:
        whole = rng.normal(0, limit / np.sqrt(3), (n_in, n_out))
    blocks = list(INITIALISERS[init](np.random.default_rng(7), n_in, n_out))
    np.testing.assert_allclose(np.concatenate(blocks), whole.astype(np.float32), rtol=1e-6)
    weights = Weights(n_in, n_out, 2)
    weights.fill_W1(blocks)
    assert len(blocks) == 3 and (weights["W1"] == np.concatenate(blocks)).all()
