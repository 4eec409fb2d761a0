"""What one row costs by each way to predict, in turns, in one process: `python bench/one_row.py`.

NeuralNetwork.forward, fastmlp.runtime, plain NumPy, ONNX Runtime on one thread where it is installed, and the C header,
compiled by `cc` for any processor and for this one, where there is a compiler. On rows of MNIST (or the synthetic
digits); prints the median and the fastest turn in microseconds per row, how far the probabilities are from the exact
ones, and the sizes of the header and of the model file.
"""

import ctypes
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from forward_ratio import NumPyForward

from fastmlp import NeuralNetwork, load_dataset, runtime
from fastmlp.export import to_c, to_onnx
from fastmlp.machine import wait_until_idle

ROWS = 200  # of a turn, one after another
ROUNDS = 25
SOURCE = """
#include "net.h"
void forward_rows(const float *X, int n, float *probs)
{
    int i;
    for (i = 0; i < n; i++)
        net_forward(X + (size_t)i * NET_INPUTS, probs + (size_t)i * NET_CLASSES);
}
"""

Predict = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    data = load_dataset()
    X = np.ascontiguousarray(data.x_test[:ROWS])
    for hidden_size in (30, 300):
        net = NeuralNetwork(hidden_size, seed=0)
        net.fit(data.x_train, data.y_train, number_epochs=2)
        with tempfile.TemporaryDirectory() as folder:
            print(f"{hidden_size} hidden units, {data.name}")
            show(dict(ways(net, Path(folder))), X, exact(net, X))


def ways(net: NeuralNetwork, folder: Path) -> Iterator[tuple[str, Predict]]:
    """Yield each way to predict, a function of rows that does one after another."""
    net.save(folder / "net.npz")
    yield "NeuralNetwork.forward", one_by_one(net.forward)
    yield "fastmlp.runtime", one_by_one(runtime.load(folder / "net.npz").forward)
    yield "NumPy", one_by_one(NumPyForward(net, 1))
    try:
        import onnxruntime
    except ImportError:
        print("  ONNX Runtime is not installed")
    else:
        to_onnx(net, folder / "net.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
        yield "ONNX Runtime", one_by_one(lambda X: session.run(["probabilities"], {"X": X})[0])
    if shutil.which("cc") is None:
        print("  there is no C compiler")
        return
    to_c(net, folder / "net.h")
    sizes = [(folder / name).stat().st_size / 1e6 for name in ("net.npz", "net.h")]
    print(f"  model file {sizes[0]:.2f} MB, C header {sizes[1]:.2f} MB")
    for name, option in (("C, any processor", "-O3"), ("C, this processor", "-march=native")):
        yield name, in_c(folder, option, net.output_size)


def one_by_one(forward: Predict) -> Predict:
    return lambda X: np.concatenate([forward(X[i : i + 1]).copy() for i in range(len(X))])


def in_c(folder: Path, option: str, output_size: int) -> Predict:
    """Return the header's function, compiled with `option`."""
    (folder / "net.c").write_text(SOURCE, encoding="ascii")
    library = folder / f"net{option}.so"
    start = time.perf_counter()
    subprocess.run(
        ["cc", "-std=c99", "-O3", option, "-shared", "-fPIC", "-o", library, folder / "net.c", "-lm"], check=True
    )
    print(f"  cc {option} takes {time.perf_counter() - start:.1f} s; {library.stat().st_size / 1e6:.2f} MB")
    function = ctypes.CDLL(library).forward_rows

    def forward(X: np.ndarray) -> np.ndarray:
        probs = np.empty((len(X), output_size), np.float32)
        function(X.ctypes.data_as(ctypes.c_void_p), len(X), probs.ctypes.data_as(ctypes.c_void_p))
        return probs

    return forward


def exact(net: NeuralNetwork, X: np.ndarray) -> np.ndarray:
    """Return the probabilities (n, C), computed in float64."""
    W1, b1, W2, b2 = (getattr(net, name).astype(np.float64) for name in ("W1", "b1", "W2", "b2"))
    powers = np.exp(np.maximum(X @ W1 + b1, 0) @ W2 + b2)
    return powers / powers.sum(axis=1, keepdims=True)


def show(ways: dict[str, Predict], X: np.ndarray, probs: np.ndarray) -> None:
    times: dict[str, list[float]] = {name: [] for name in ways}
    furthest = {name: float(abs(predict(X) - probs).max()) for name, predict in ways.items()}
    for turn in range(ROUNDS):
        for name, predict in list(ways.items())[:: 1 if turn % 2 else -1]:
            wait_until_idle()  # threads of a BLAS look for more work for a while
            start = time.perf_counter()
            predict(X)
            times[name].append((time.perf_counter() - start) / len(X) * 1e6)
    for name in ways:
        print(
            f"  {name}: {statistics.median(times[name]):.1f} (min {min(times[name]):.1f}) us a row, "
            f"at most {furthest[name]:.1e} from exact",
            flush=True,
        )


if __name__ == "__main__":
    main()
