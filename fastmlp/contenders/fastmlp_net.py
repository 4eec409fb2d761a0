"""Ours: `fastmlp.NeuralNetwork` follows the contenders' protocol as it is."""

from __future__ import annotations

from fastmlp.contenders import Result, fit_and_test
from fastmlp.datasets import load_mnist
from fastmlp.network import NeuralNetwork

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
