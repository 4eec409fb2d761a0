"""The rollback of an epoch; what a `fit` does and how it fails is tested with the network."""

import numpy as np
import pytest

from fastmlp.engine.optimizers import SGD
from fastmlp.engine.training import FitOptions, _Rollback, fit
from fastmlp.engine.weights import Weights
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.network import NeuralNetwork


def changed(weights, X):
    """Change every weight that a training on X can change."""
    used = (X != 0).any(axis=0)
    weights.packed.W1[:, used] += 1
    for array in weights.packed[1:]:
        array += 1


@pytest.mark.parametrize("n", [3, 500])  # with fewer nonzeros than weights, and with more
def test_a_rollback_brings_back_every_weight(n):
    rng = np.random.default_rng(4)
    X = (rng.random((n, 300)) * (rng.random((n, 300)) < 0.05)).astype(np.float32)
    counts, _ = nonzeros_by_row(X, 1)
    weights = Weights(300, 20, 3)
    weights["W1"] = rng.normal(size=(300, 20))
    before = [array.copy() for array in weights.packed]
    rollback = _Rollback([weights.packed], to_sparse_rows(X, counts, weights.lanes, 4, 1), SGD())
    rollback.save()
    changed(weights, X)
    rollback.restore()
    assert all(a.tobytes() == b.tobytes() for a, b in zip(before, weights.packed, strict=True))


def test_a_rollback_of_wide_sparse_inputs_keeps_the_rows_that_occur():
    X = np.zeros((5, 10_000), np.float32)
    X[:, [3, 77, 9_999]] = 1
    weights = Weights(10_000, 20, 3)
    counts, _ = nonzeros_by_row(X, 1)
    assert (
        _Rollback([weights.packed], to_sparse_rows(X, counts, weights.lanes, 4, 1), SGD())._copies[0].W1.shape[1] == 3
    )


def test_a_rollback_also_brings_back_what_a_moment_moves():
    """Columns that the second data lack move on by what the optimiser remembers of the first."""
    rng = np.random.default_rng(0)
    X, other, y = np.zeros((400, 2000), np.float32), np.zeros((400, 2000), np.float32), rng.integers(0, 2, 400)
    X[:, :10], other[:, 10] = 1, rng.random(400)  # more values than codes
    net = NeuralNetwork(4, input_size=2000, output_size=2, optimizer="momentum", seed=0)
    net.fit(X, y, 100, 1)
    before = net.W1.tobytes()

    def interrupt():
        raise KeyboardInterrupt

    options = FitOptions.checked(100, 1, shuffle=True, callback=None)
    with pytest.raises(KeyboardInterrupt):
        fit(net._trainee(), net._samples(other, y, None), options, interrupt)
    assert net.W1.tobytes() == before
