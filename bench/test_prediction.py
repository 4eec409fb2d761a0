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
from fastmlp.kernels.layout import choose_lanes
from fastmlp.machine import available_processors

ROUNDS = {1: 1000, 16: 500, 128: 200, 10_000: 20}


@pytest.mark.parametrize("rows", ROUNDS, ids=lambda rows: f"{rows}-rows")
@pytest.mark.parametrize("hidden_size", [30, 300], ids=lambda size: f"{size}-units")
@pytest.mark.parametrize("name", ["fastmlp", "numpy"])
def test_forward(benchmark, data, name, hidden_size, rows, time_rounds, facts):
    benchmark.group = f"forward, {hidden_size} units, rows: {rows}"
    net, X = NeuralNetwork(hidden_size, seed=0), data.x_test[:rows]
    forward = net.forward if name == "fastmlp" else NumPyForward(net, rows)
    forward(X)  # compiles, or loads from disk
    probs = time_rounds(forward, X, rounds=ROUNDS[rows])
    inputs = np.count_nonzero(X) if name == "fastmlp" else X.size  # digits have so many zeros that they are skipped
    facts(
        threads=available_processors(),
        flop=forward_flop(inputs, rows, hidden_size, data.n_classes),
        dense_flop=forward_flop(X.size, rows, hidden_size, data.n_classes),
        dataset=data.name,
        **({"tile": f"{choose_lanes(hidden_size).units} units"} if name == "fastmlp" else {}),
    )
    exact = oracle.forward(oracle.weights_of(net), X.astype(np.float64)).probs
    np.testing.assert_allclose(probs, exact, rtol=1e-5)
