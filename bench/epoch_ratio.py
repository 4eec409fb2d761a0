"""An epoch of ours against the NumPy net's, in turns, in one run: `python bench/epoch_ratio.py`.

On MNIST (or the synthetic digits) and on as much dense random input; prints the median and the fastest epoch of each in
milliseconds, and the ratio ours / NumPy pair by pair.
"""

import statistics
import time

import numpy as np

from fastmlp import NeuralNetwork, load_dataset
from fastmlp.contenders.numpy_net import NeuralNetwork as NumPyNetwork

ROUNDS = 9


def epoch_ms(net: NeuralNetwork | NumPyNetwork, X: np.ndarray, y: np.ndarray) -> float:
    """One fit of two epochs; the second, which has no packing in it and is the steady state."""
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
                time.sleep(0.2)  # OpenBLAS's threads spin for a while after the last call
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
