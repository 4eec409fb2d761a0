"""The probabilities of 1, 16, 128 and 10,000 images: `forward` of ours and of NumPy, side by side.

NumPy runs in this process, with the number of threads that its BLAS takes from the environment; each measurement starts
in an idle process.
"""

import numpy as np
import oracle
import pytest
from forward_ratio import NumPyForward

from fastmlp import NeuralNetwork
from fastmlp.comparison.arithmetic import forward_flop

ROUNDS = {1: 1000, 16: 500, 128: 200, 10_000: 20}


@pytest.mark.parametrize("rows", ROUNDS, ids=lambda rows: f"{rows}-rows")
@pytest.mark.parametrize("hidden_size", [30, 300], ids=lambda size: f"{size}-units")
@pytest.mark.parametrize("name", ["fastmlp", "numpy"])
def test_forward(benchmark, data, name, hidden_size, rows, time_rounds, net_facts):
    benchmark.group = f"forward, {hidden_size} units, rows: {rows}"
    net, X = NeuralNetwork(hidden_size, seed=0), data.x_test[:rows]
    forward = net.forward if name == "fastmlp" else NumPyForward(net, rows)
    forward(X)  # compiles, or loads from disk
    probs = time_rounds(forward, X, rounds=ROUNDS[rows])
    net_facts(name, hidden_size, X, forward_flop)
    exact = oracle.forward(oracle.weights_of(net), X.astype(np.float64)).probs
    np.testing.assert_allclose(probs, exact, rtol=1e-5)
