"""An epoch of ours against the NumPy net's, in turns, in one process: `python bench/epoch_ratio.py`.

On MNIST (or the synthetic digits) and on dense random input of the same size; prints the median and the fastest epoch
of each in milliseconds, and the ratio ours / NumPy pair by pair.
"""

import statistics

import numpy as np

from fastmlp import NeuralNetwork, load_dataset
from fastmlp.contenders.numpy_net import NeuralNetwork as NumPyNetwork
from fastmlp.machine import wait_until_idle

ROUNDS = 9


def epoch_ms(net: NeuralNetwork | NumPyNetwork, X: np.ndarray, y: np.ndarray) -> float:
    """The second epoch of a fit, which includes no packing and is the steady state."""
    return net.fit(X, y, number_epochs=2).seconds[1] * 1000


def main() -> None:
    data = load_dataset()
    rng = np.random.default_rng(0)
    dense = rng.normal(size=data.x_train.shape).astype(np.float32)
    for name, X in ((data.name, data.x_train), ("dense random", dense)):
        for hidden_size in (30, 128, 300, 1024):
            ours, theirs = NeuralNetwork(hidden_size, 0.01, seed=0), NumPyNetwork(hidden_size, 0.01, seed=0)
            pairs = []
            for _ in range(ROUNDS):
                pairs.append((epoch_ms(ours, X, data.y_train), epoch_ms(theirs, X, data.y_train)))
                wait_until_idle()
            ratios = sorted(a / b for a, b in pairs)
            a, b = ([pair[i] for pair in pairs] for i in (0, 1))
            print(
                f"{name}, H={hidden_size}: ours {statistics.median(a):.1f} (min {min(a):.1f}) ms, "
                f"NumPy {statistics.median(b):.1f} (min {min(b):.1f}) ms, "
                f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
                flush=True,
            )


if __name__ == "__main__":
    main()
