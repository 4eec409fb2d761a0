"""Our epoch with zeros skipped against the dense one, in turns, in one process: `python bench/sparse_ratio.py`.

On MNIST (or the synthetic digits); prints the vectors of hidden units, the median epoch of each in milliseconds, and
the median of the ratios pair by pair. The limit in `fastmlp.kernels.packing.sparse_pays` comes from this.
"""

import statistics
from unittest import mock

from fastmlp import Dataset, NeuralNetwork, load_dataset
from fastmlp.kernels.layout import choose_lanes

ROUNDS = 5


def epochs_ms(net: NeuralNetwork, data: Dataset, skip_zeros: bool) -> list[float]:
    """Three epochs in the steady state, without the first of a fit, which includes the packing."""
    with mock.patch("fastmlp.kernels.hidden.sparse_pays", return_value=skip_zeros):
        history = net.fit(data.x_train, data.y_train, number_epochs=4)
    return [1000 * seconds for seconds in history.seconds[1:]]


def main() -> None:
    data = load_dataset()
    for hidden_size in (30, 64, 96, 128, 160, 1024):
        lanes = choose_lanes(hidden_size)
        sparse, dense = [], []
        nets = [NeuralNetwork(hidden_size, 0.01, seed=0) for _ in range(2)]
        for _ in range(ROUNDS):
            sparse += epochs_ms(nets[0], data, True)
            dense += epochs_ms(nets[1], data, False)
        ratio = statistics.median(ours / theirs for ours, theirs in zip(sparse, dense, strict=True))
        print(
            f"{data.name}, {lanes.vectors * -(-hidden_size // lanes.units)} vectors: "
            f"{statistics.median(sparse):.1f} ms against {statistics.median(dense):.1f} ms, {ratio:.2f}"
        )


if __name__ == "__main__":
    main()
