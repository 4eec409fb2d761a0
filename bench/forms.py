"""Our epoch with the inputs in each form, in turns, in one process: `python bench/forms.py`.

On random bytes of several densities; prints the median epoch in milliseconds of coded pairs, sparse rows and dense
rows. The rules `pairs_pay` and `sparse_pays` in `fastmlp/kernels` come from this.
"""

import statistics
from unittest import mock

import numpy as np

from fastmlp import NeuralNetwork
from fastmlp.kernels.coded import CodedNonzeros, CodedPairs
from fastmlp.kernels.sparse import SparseRows

ROUNDS = 4
N, D = 10_000, 784
FORMS = {"pairs": CodedPairs, "nonzeros": CodedNonzeros, "sparse": SparseRows, "dense": np.ndarray}


def epochs_ms(net: NeuralNetwork, X: np.ndarray, y: np.ndarray, form: str) -> list[float]:
    """Three epochs in the steady state, without the first of a fit, which includes the packing."""
    with mock.patch("fastmlp.engine.packed.forms_by_speed", return_value=[FORMS[form]]):
        history = net.fit(X, y, number_epochs=4)
    return [1000 * seconds for seconds in history.seconds[1:]]


def main() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, N)
    print(f"{'density':>8} {'H':>5} " + " ".join(f"{form:>8}" for form in FORMS))
    for density in (0.1, 0.2, 0.3, 0.4, 0.5, 0.7):
        X = (rng.integers(1, 256, (N, D)) * (rng.random((N, D)) < density) / 255).astype(np.float32)
        for hidden_size in (30, 128, 300):
            nets = {form: NeuralNetwork(hidden_size, 0.001, seed=0) for form in FORMS}
            times: dict[str, list[float]] = {form: [] for form in FORMS}
            for _ in range(ROUNDS):
                for form in FORMS:
                    times[form] += epochs_ms(nets[form], X, y, form)
            medians = " ".join(f"{statistics.median(times[form]):8.1f}" for form in FORMS)
            print(f"{density:8} {hidden_size:5} {medians}", flush=True)


if __name__ == "__main__":
    main()
