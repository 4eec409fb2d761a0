"""Floating-point operations of a net, a multiply-add counted as two; zeros count where they are not skipped."""

import numpy as np

from fastmlp.kernels.layout import choose_lanes
from fastmlp.kernels.packing import sparse_pays


def our_inputs(X, hidden_size):
    """How many of the inputs X (n, D) our net multiplies: its nonzeros where the net skips zeros, else all."""
    nonzeros, lanes = np.count_nonzero(X), choose_lanes(hidden_size)
    vectors = lanes.vectors * -(-hidden_size // lanes.units)
    return nonzeros if sparse_pays(nonzeros / X.size, vectors) else X.size


def forward_flop(inputs, rows, hidden_size, classes):
    """hidden = X W1 and logits = hidden W2 for so many rows with so many inputs in all."""
    return 2 * hidden_size * (inputs + rows * classes)


def training_flop(inputs, rows, hidden_size, classes):
    """The forward pass, dlogits W2^T, and the two updates of weights."""
    return hidden_size * (4 * inputs + 6 * rows * classes)
