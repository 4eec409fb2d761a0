"""Data in parts on disk against one part in memory: samples a second, and the most memory.

    python bench/parts.py --gigabytes 8 --folder /data/tmp

Makes .npz files of float32 pixels with the share of zeros that MNIST has, trains a few epochs over all of them in a
fresh process, and on one of them, in memory, in another. The first epoch reads and packs the parts, the others read
what it kept. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

_INPUTS, _CLASSES, _ZEROS = 784, 10, 0.81
_LOOK_SECONDS = 0.02


def make(folder: Path, gigabytes: float, part_megabytes: float, kind: str, compressed: bool) -> int:
    """Write the parts, whose sizes are those that they have as float32; return their number."""
    rows = max(1, int(part_megabytes * 1e6 / (4 * _INPUTS)))
    n_parts = max(2, round(gigabytes * 1e9 / (rows * 4 * _INPUTS)))
    rng = np.random.default_rng(0)
    centres = rng.random((_CLASSES, _INPUTS), np.float32)
    save = np.savez_compressed if compressed else np.savez
    for k in range(n_parts):
        y = rng.integers(0, _CLASSES, rows)
        X = centres[y]
        X[rng.random(X.shape, np.float32) < _ZEROS] = 0
        X = np.round(255 * X)
        X = X.astype(np.uint8) if kind == "uint8" else X / np.float32(255)
        save(folder / f"{k:04d}.npz", X=X, y=y.astype(np.uint8))
    return n_parts


class _Memory(threading.Thread):
    """Looks how much memory the process has that is not a file's, where the system tells (Linux)."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0

    def run(self) -> None:
        status = Path("/proc/self/status")
        while status.exists():
            found = re.search(r"RssAnon:\s+(\d+)", status.read_text(encoding="ascii"))
            self.most = max(self.most, int(found[1]) if found else 0)
            time.sleep(_LOOK_SECONDS)


def child(folder: Path, hidden_size: int, epochs: int, threads: int | None, in_memory: bool) -> None:
    """Train, and print what it took as JSON."""
    from fastmlp import NeuralNetwork, load_parts

    memory = _Memory()
    memory.start()
    start = time.perf_counter()
    parts = load_parts(folder)
    if in_memory:
        parts = parts[:1]
    opened = time.perf_counter() - start
    rows = parts.n_samples
    sizes = {"input_size": parts.input_size, "output_size": parts.n_classes}
    net = NeuralNetwork(hidden_size, **sizes, seed=0, n_threads=threads)
    start = time.perf_counter()
    history = net.fit(parts, number_epochs=epochs)
    told = {
        "samples": rows,
        "samples_per_second": round(rows / statistics.median(history.seconds[1:])),
        "samples_per_second_in_first_epoch": round(rows / history.seconds[0]),
        "samples_per_second_in_all": round(rows * epochs / (time.perf_counter() - start)),
        "open_seconds": round(opened, 2),
        "compile_seconds": round(history.compile_seconds, 2),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "peak_megabytes_without_files": round(memory.most / 1024),
        "loss": history.loss,
    }
    print(json.dumps(told))


def main() -> None:
    """Make the data, measure, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=0.2)
    parser.add_argument("--part-megabytes", type=float, default=50)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--rounds", type=int, default=2, help="how often both are measured, in turns")
    parser.add_argument("--kind", choices=["float32", "uint8"], default="float32")
    parser.add_argument("--compressed", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--child", choices=["parts", "memory"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.folder, options.hidden_size, options.epochs, options.threads, options.child == "memory")
        return
    free = shutil.disk_usage(options.folder).free / 1e9
    if free < 1.2 * options.gigabytes:
        sys.exit(f"{options.folder} has {free:.1f} GB left: too little for {options.gigabytes:g} GB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        n_parts = make(Path(folder), options.gigabytes, options.part_megabytes, options.kind, options.compressed)
        print(f"{n_parts} parts of {options.part_megabytes:g} MB, {options.hidden_size} hidden units")
        rates: dict[tuple[str, str], list[int]] = {}
        for kind in ("memory", "parts") * options.rounds:
            command = [sys.executable, __file__, "--child", kind, "--folder", folder]
            command += ["--hidden-size", str(options.hidden_size), "--epochs", str(options.epochs)]
            if options.threads is not None:
                command += ["--threads", str(options.threads)]
            told = json.loads(subprocess.check_output(command, text=True))
            for name in told:
                if name.startswith("samples_"):
                    rates.setdefault((kind, name), []).append(told[name])
            print(f"{kind:7s} {json.dumps(told)}", flush=True)
        parts, packed = (max(rates[kind, "samples_per_second"]) for kind in ("parts", "memory"))
        first = max(rates["parts", "samples_per_second_in_first_epoch"])
        print(f"parts / memory: {parts / packed:.2f} in all epochs but the first, {first / packed:.2f} in that")


if __name__ == "__main__":
    main()
