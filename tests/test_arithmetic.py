"""Counts of operations."""

import numpy as np
import pytest

from fastmlp.comparison.arithmetic import counted_seconds, forward_flop, multiplied_inputs, training_flop


def test_counts_are_those_of_the_products():
    n, D, H, C = 5, 7, 3, 2
    # a product of (a, b) and (b, c) has a b c multiply-adds
    forward = n * D * H + n * H * C
    backward = n * C * H  # dlogits W2^T
    updates = D * n * H + H * n * C
    assert forward_flop(n * D, n, H, C) == 2 * forward
    assert training_flop(n * D, n, H, C) == 2 * (forward + backward + updates)


def test_zeros_count_only_where_they_are_multiplied():
    X = np.zeros((100, 784), np.float32)
    X[:, :100] = 1
    assert multiplied_inputs(X, 300) == 100 * 100
    assert multiplied_inputs(np.ones_like(X), 300) == X.size


def test_an_epoch_counted_with_and_without_its_zeros():
    results = {
        "data": {"n_train": 60_000, "nonzeros": 60_000 * 150, "input_size": 784, "output_size": 10},
        "environment": {"peak_gflops": 100.0},
    }
    counted = counted_seconds(results, 300)
    # 60,000 samples of 4 D H + 6 H C operations: 57.5 GFLOP at 300 hidden units
    assert counted["dense"] == pytest.approx(0.57528)
    assert counted["nonzeros"] == pytest.approx(60_000 * 300 * (4 * 150 + 6 * 10) / 1e11)
