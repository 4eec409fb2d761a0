"""`forward` of ours against NumPy, in turns, in one process: `python bench/forward_ratio.py`.

On rows of MNIST (or the synthetic digits); prints the fastest and the median call of each in microseconds, and how many
times as long NumPy takes.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np

from fastmlp import NeuralNetwork, load_dataset
from fastmlp.machine import wait_until_idle

ROWS = (1, 16, 128, 10_000)
ROUNDS = 25


class NumPyForward:
    """The forward pass of a net in float32 NumPy, for up to n rows, with every array allocated beforehand."""

    def __init__(self, net: NeuralNetwork, n: int) -> None:
        self.W1, self.b1, self.W2, self.b2 = (np.array(array) for array in (net.W1, net.b1, net.W2, net.b2))
        self.hidden = np.empty((n, len(self.b1)), np.float32)
        self.probs = np.empty((n, len(self.b2)), np.float32)
        self.column = np.empty((n, 1), np.float32)

    def __call__(self, X: np.ndarray) -> np.ndarray:
        hidden, probs, column = (array[: len(X)] for array in (self.hidden, self.probs, self.column))
        np.matmul(X, self.W1, out=hidden)
        np.add(hidden, self.b1, out=hidden)
        np.maximum(hidden, 0, out=hidden)
        np.matmul(hidden, self.W2, out=probs)
        np.add(probs, self.b2, out=probs)
        np.max(probs, axis=1, keepdims=True, out=column)
        np.subtract(probs, column, out=probs)
        np.exp(probs, out=probs)
        np.sum(probs, axis=1, keepdims=True, out=column)
        np.divide(probs, column, out=probs)
        return probs


def call_us(forward: Callable[[np.ndarray], np.ndarray], X: np.ndarray) -> list[float]:
    """Some calls one after another, without the first, which finds the caches as another left them."""
    times = []
    for _ in range(1 + max(3, min(200, 2000 // len(X)))):
        start = time.perf_counter()
        forward(X)
        times.append((time.perf_counter() - start) * 1e6)
    return times[1:]


def main() -> None:
    X_all = load_dataset().x_test
    for hidden_size in (30, 300):
        net = NeuralNetwork(hidden_size, seed=0)
        for rows in ROWS:
            X, theirs = X_all[:rows], NumPyForward(net, rows)
            np.testing.assert_allclose(net.forward(X), theirs(X), rtol=1e-4)
            a: list[float] = []
            b: list[float] = []
            for turn in range(ROUNDS):
                for times, forward in [(a, net.forward), (b, theirs)][:: 1 if turn % 2 else -1]:
                    wait_until_idle()  # threads of a BLAS look for more work for a while
                    times += call_us(forward, X)
            print(
                f"H={hidden_size}, rows={rows}: ours {statistics.median(a):.1f} (min {min(a):.1f}) us, "
                f"NumPy {statistics.median(b):.1f} (min {min(b):.1f}) us, "
                f"NumPy takes {statistics.median(b) / statistics.median(a):.2f} times as long "
                f"(fastest: {min(b) / min(a):.2f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
