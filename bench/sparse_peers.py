"""An epoch on wide sparse inputs: ours against MLPClassifier, PyTorch and Vowpal Wabbit, time and memory.

    python bench/sparse_peers.py [--quick]

Each net is trained in a process of its own, on the same random CSR matrix, from the same weights, in the given order,
by plain descent in batches of 128. Prints a Markdown table: seconds of an epoch (the median, where there are several),
how many times as long as ours, the mean loss on all rows after the first epoch, and the most memory of the process.

PyTorch takes the rows through an `EmbeddingBag` whose sum is weighted by the values, with sparse gradients.
Vowpal Wabbit, where `vw` is installed, learns with `--nn`, one row at a time and another loss: only its time compares.
The last job has the shape of that on which SLIDE was shown (Chen et al. 2020, Delicious), with 10,000 classes.

`--quick` tries everything on a few rows and columns; its figures say nothing.
"""

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from fastmlp import NeuralNetwork

BATCH = 128
LR = 0.1
BLOCK = 256  # rows of which a loss is taken at once: of 10,000 classes, 10 MB


@dataclass(frozen=True)
class Job:
    """Random data of this shape, the hidden units of the net, who is trained on it, and how often."""

    name: str
    columns: int
    nonzeros: int
    hidden_size: int = 100
    classes: int = 10
    rows: int = 20_000
    nets: tuple[str, ...] = ("fastmlp",)
    repeats: int = 3


JOBS = [
    Job("200,000 columns", 200_000, 100, nets=("fastmlp", "MLPClassifier", "PyTorch", "vw")),
    Job("50,000 columns", 50_000, 100),
    Job("1,000,000 columns", 1_000_000, 100),
    Job("as SLIDE's", 135_909, 75, 128, 10_000, 5_000, nets=("fastmlp", "PyTorch")),
]


def quick(job: Job) -> Job:
    """The same job in small."""
    return replace(job, columns=job.columns // 100, classes=min(job.classes, 100), rows=512)


def data(job: Job) -> tuple[Any, np.ndarray]:
    """X (rows, columns), a csr_array, and labels that follow from it: each column votes for a class."""
    rng = np.random.default_rng(0)
    n = job.rows * job.nonzeros
    columns = np.sort(rng.integers(0, job.columns, (job.rows, job.nonzeros), dtype=np.int32), axis=1)
    values = rng.random(n, dtype=np.float32)
    X = sparse.csr_array((values, columns.reshape(-1), np.arange(0, n + 1, job.nonzeros)), (job.rows, job.columns))
    X.sum_duplicates()
    votes = rng.integers(0, job.classes, job.columns)[columns]
    return X, votes[np.arange(job.rows), values.reshape(columns.shape).argmax(axis=1)]


def start_weights(job: Job) -> NeuralNetwork:
    """The net that all start from."""
    return NeuralNetwork(job.hidden_size, LR, input_size=job.columns, output_size=job.classes, seed=0)


def mean_loss(net: NeuralNetwork, X: Any, y: np.ndarray) -> float:
    """The loss on all rows, in little memory."""
    parts = [
        (net.score(X[k : k + BLOCK], y[k : k + BLOCK]).loss, len(y[k : k + BLOCK])) for k in range(0, len(y), BLOCK)
    ]
    return float(np.average([loss for loss, _ in parts], weights=[n for _, n in parts]))


Train = Callable[[Job, Any, np.ndarray, NeuralNetwork], tuple[list[float], Callable[[], None]]]
"""Trains a net from the weights of the given one; returns the seconds of each epoch and what puts the weights after
the first one back into it."""


def fastmlp_net(job: Job, X: Any, y: np.ndarray, net: NeuralNetwork) -> tuple[list[float], Callable[[], None]]:
    seconds = net.fit(X, y, BATCH, 1, shuffle=False).seconds
    return seconds, lambda: None


def sklearn_net(job: Job, X: Any, y: np.ndarray, net: NeuralNetwork) -> tuple[list[float], Callable[[], None]]:
    from fastmlp.contenders.sklearn_net import NeuralNetwork as Theirs

    theirs = Theirs(job.hidden_size, LR, input_size=job.columns, output_size=job.classes, seed=0)
    for name in ("W1", "b1", "W2", "b2"):
        setattr(theirs, name, getattr(net, name))
    theirs._model.set_params(batch_size=BATCH, shuffle=False)
    start = time.perf_counter()
    theirs._epoch(X, y)
    seconds = [time.perf_counter() - start]

    def put_back() -> None:
        for name in ("W1", "b1", "W2", "b2"):
            setattr(net, name, getattr(theirs, name))

    return seconds, put_back


def torch_net(job: Job, X: Any, y: np.ndarray, net: NeuralNetwork) -> tuple[list[float], Callable[[], None]]:
    import torch

    hidden = torch.nn.EmbeddingBag(job.columns, job.hidden_size, mode="sum", sparse=True)
    bias, output = torch.nn.Parameter(torch.zeros(job.hidden_size)), torch.nn.Linear(job.hidden_size, job.classes)
    with torch.no_grad():
        hidden.weight.copy_(torch.from_numpy(np.array(net.W1)))
        output.weight.copy_(torch.from_numpy(np.array(net.W2.T)))
        output.bias.zero_()
    optimizer = torch.optim.SGD([hidden.weight, bias, *output.parameters()], LR)
    columns, values = torch.from_numpy(X.indices.astype(np.int64)), torch.from_numpy(X.data)
    starts, labels = torch.from_numpy(X.indptr.astype(np.int64)), torch.from_numpy(y)

    def epoch(n: int) -> float:
        begin = time.perf_counter()
        for first in range(0, n, BATCH):
            last = min(first + BATCH, len(y))
            here = slice(starts[first], starts[last])
            optimizer.zero_grad()
            summed = hidden(columns[here], starts[first:last] - starts[first], per_sample_weights=values[here])
            logits = output(torch.relu(summed + bias))
            torch.nn.functional.cross_entropy(logits, labels[first:last]).backward()
            if n == len(y):
                optimizer.step()
        return time.perf_counter() - begin

    epoch(BATCH)  # without a step: what PyTorch does for the first time
    seconds = [epoch(len(y))]

    def put_back() -> None:
        net.W1, net.b1 = hidden.weight.detach().numpy(), bias.detach().numpy()
        net.W2, net.b2 = output.weight.detach().numpy().T, output.bias.detach().numpy()

    return seconds, put_back


NETS: dict[str, Train] = {"fastmlp": fastmlp_net, "MLPClassifier": sklearn_net, "PyTorch": torch_net}


def child(job: Job, name: str) -> dict[str, float]:
    """Train one net; return its figures."""
    X, y = data(job)
    if name == "fastmlp":
        start_weights(job).fit(X[: 2 * BATCH], y[: 2 * BATCH], BATCH, 1)  # loads what is compiled
    net = start_weights(job)
    seconds, put_back = NETS[name](job, X, y, net)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    put_back()
    return {"seconds": seconds[0], "loss": mean_loss(net, X, y), "memory": memory}


def wabbit(job: Job) -> dict[str, float]:
    """An epoch of Vowpal Wabbit, from a file that it reads once before, into its own cache."""
    X, y = data(job)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "rows.vw")
        with file.open("w", encoding="ascii") as rows:
            for row, label in enumerate(y):
                here = slice(X.indptr[row], X.indptr[row + 1])
                pairs = " ".join(f"{c}:{v:.6g}" for c, v in zip(X.indices[here], X.data[here], strict=True))
                rows.write(f"{label + 1} | {pairs}\n")
        bits = str(max(18, (job.columns - 1).bit_length()))
        command = ["vw", "--quiet", "--oaa", str(job.classes), "--nn", str(job.hidden_size), "-b", bits]
        command += ["-l", str(LR), "--cache_file", f"{file}.cache"]
        subprocess.run([*command, "-d", str(file)], check=True, capture_output=True)
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {"seconds": seconds, "loss": float("nan"), "memory": memory}


def measured(job: Job, name: str, number: int, is_quick: bool) -> dict[str, Any]:
    """The figures of one net, from a process of its own; or why there are none."""
    if name == "vw" and shutil.which("vw") is None:
        return {"error": "not installed"}
    command = [sys.executable, __file__, "--child", str(number), name] + ["--quick"] * is_quick
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        return {"error": "not installed" if "ModuleNotFoundError" in reason else reason}
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """Print the table, or, in a process of its own, the figures of one net."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    jobs = [quick(job) if options.quick else job for job in JOBS]
    if options.child:
        job, name = jobs[int(options.child[0])], options.child[1]
        print(json.dumps(wabbit(job) if name == "vw" else child(job, name)))
        return
    print(
        "| job | rows x columns, nonzeros a row, hidden units, classes | net | s an epoch | / ours | loss | peak, MB |"
    )
    print("|---|---|---|--:|--:|--:|--:|")
    for number, job in enumerate(jobs):
        shape = f"{job.rows:,} x {job.columns:,}, {job.nonzeros}, {job.hidden_size}, {job.classes:,}"
        ours = None
        for name in job.nets:
            runs = [
                measured(job, name, number, options.quick) for _ in range(job.repeats if name != "MLPClassifier" else 1)
            ]
            if "error" in runs[0]:
                print(f"| {job.name} | {shape} | {name} | {runs[0]['error']} | | | |", flush=True)
                continue
            seconds = statistics.median(run["seconds"] for run in runs)
            ours = ours or seconds
            figures = f"{seconds:.3g} | {seconds / ours:.1f} | {runs[0]['loss']:.5f} | {runs[0]['memory'] / 1e6:.0f}"
            print(f"| {job.name} | {shape} | {name} | {figures} |", flush=True)


if __name__ == "__main__":
    main()
