"""What a model file of a wide net costs: time, size, and memory at its peak, each in a process of its own.

    python bench/wide_model.py [--columns 1000000 --hidden-size 100] [--folder /tmp]

Prints a Markdown table: to make a net, to save it, to load it, plain and with the moments of momentum and Adam. Memory
is beyond what the process had before, as a multiple of the weights and moments themselves.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fastmlp import NeuralNetwork

CLASSES = 10


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def child(task: str, optimizer: str, columns: int, hidden_size: int, path: Path) -> dict[str, float]:
    """Make a net and save it, or load one; return seconds and bytes."""
    NeuralNetwork(hidden_size=1, input_size=1, output_size=1)
    before, start = peak(), time.perf_counter()
    if task == "load":
        NeuralNetwork.load(path)
        return {"seconds": time.perf_counter() - start, "bytes": peak() - before}
    net = NeuralNetwork(hidden_size=hidden_size, input_size=columns, output_size=CLASSES, optimizer=optimizer, seed=0)
    for moment in net._optimizer_state._moments.values():  # zeros take no memory until they are written
        moment.packed.W1[...] = 1
    if task == "save":
        start = time.perf_counter()
        net.save(path)
    return {"seconds": time.perf_counter() - start, "bytes": peak() - before}


def run(task: str, optimizer: str, columns: int, hidden_size: int, path: Path) -> dict[str, float]:
    """Return what `child` says in a process of its own."""
    command = [sys.executable, __file__, "--task", task, "--optimizer", optimizer, "--folder", str(path)]
    command += ["--columns", str(columns), "--hidden-size", str(hidden_size)]
    result: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return result


def main() -> None:
    """Print the table, or, in a process of its own, the figures of a task."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--columns", type=int, default=1_000_000)
    parser.add_argument("--hidden-size", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--task", choices=["make", "save", "load"], help=argparse.SUPPRESS)
    parser.add_argument("--optimizer", default="sgd", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        figures = child(options.task, options.optimizer, options.columns, options.hidden_size, options.folder)
        print(json.dumps(figures))
        return
    print("| optimiser | task | seconds | memory, in copies of weights and moments | file, MB |\n|---|---|--:|--:|--:|")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        path = Path(folder, "net.npz")
        for optimizer, copies in (("sgd", 1), ("momentum", 2), ("adam", 3)):
            whole = copies * 4 * options.columns * options.hidden_size
            for task in ("make", "save", "load"):
                figures = run(task, optimizer, options.columns, options.hidden_size, path)
                size = f"{path.stat().st_size / 1e6:.0f}" if path.exists() else "-"
                print(f"| {optimizer} | {task} | {figures['seconds']:.2f} | {figures['bytes'] / whole:.2f} | {size} |")


if __name__ == "__main__":
    main()
