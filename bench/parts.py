"""Data in parts on disk against one part in memory: samples a second, and the most memory.

    python bench/parts.py --gigabytes 8 --folder /data/tmp

Makes .npz files of float32 pixels with the share of zeros that MNIST has, trains one epoch over all of them in a fresh
process, and a few epochs on one of them, in memory, in another. Nothing else may run meanwhile.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

_INPUTS, _CLASSES, _ZEROS = 784, 10, 0.81
_IN_MEMORY_EPOCHS = 4


def make(folder: Path, gigabytes: float, part_megabytes: float, compressed: bool) -> int:
    """Write the parts; return their number."""
    rows = max(1, int(part_megabytes * 1e6 / (4 * _INPUTS)))
    n_parts = max(2, round(gigabytes * 1e9 / (rows * 4 * _INPUTS)))
    rng = np.random.default_rng(0)
    centres = rng.random((_CLASSES, _INPUTS), np.float32)
    save = np.savez_compressed if compressed else np.savez
    for k in range(n_parts):
        y = rng.integers(0, _CLASSES, rows)
        X = centres[y]
        X[rng.random(X.shape, np.float32) < _ZEROS] = 0
        X = np.round(255 * X) / np.float32(255)
        save(folder / f"{k:04d}.npz", X=X, y=y.astype(np.uint8))
    return n_parts


def child(folder: Path, hidden_size: int, in_memory: bool) -> None:
    """Train, and print what it took as JSON."""
    from fastmlp import NeuralNetwork, load_parts

    start = time.perf_counter()
    parts = load_parts(folder)
    if in_memory:
        parts = parts[:1]
    opened = time.perf_counter() - start
    rows = sum(np.size(part.labels()) for part in parts.parts)
    net = NeuralNetwork(hidden_size, input_size=parts.input_size, output_size=parts.n_classes, seed=0)
    history = net.fit(parts, number_epochs=_IN_MEMORY_EPOCHS if in_memory else 1)
    told = {
        "samples": rows,
        "samples_per_second": round(rows / min(history.seconds)),
        "samples_per_second_with_packing": round(rows / history.seconds[0]),
        "open_seconds": round(opened, 2),
        "compile_seconds": round(history.compile_seconds, 2),
        "peak_megabytes": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "loss": history.loss,
    }
    print(json.dumps(told))


def main() -> None:
    """Make the data, measure, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gigabytes", type=float, default=0.2)
    parser.add_argument("--part-megabytes", type=float, default=50)
    parser.add_argument("--hidden-size", type=int, default=128)
    parser.add_argument("--compressed", action="store_true")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--child", choices=["parts", "memory"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.folder, options.hidden_size, options.child == "memory")
        return
    free = shutil.disk_usage(options.folder).free / 1e9
    if free < 1.2 * options.gigabytes:
        sys.exit(f"{options.folder} has {free:.1f} GB left: too little for {options.gigabytes:g} GB")
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        n_parts = make(Path(folder), options.gigabytes, options.part_megabytes, options.compressed)
        print(f"{n_parts} parts of {options.part_megabytes:g} MB, {options.hidden_size} hidden units")
        rates: dict[tuple[str, str], list[int]] = {}
        for kind in ("memory", "parts", "memory", "parts"):
            command = [sys.executable, __file__, "--child", kind, "--folder", folder]
            command += ["--hidden-size", str(options.hidden_size)]
            told = json.loads(subprocess.check_output(command, text=True))
            for name in ("samples_per_second", "samples_per_second_with_packing"):
                rates.setdefault((kind, name), []).append(told[name])
            print(f"{kind:7s} {json.dumps(told)}")
        parts = max(rates["parts", "samples_per_second"])
        packed, once = (max(rates["memory", f"samples_per_second{end}"]) for end in ("", "_with_packing"))
        print(f"parts / memory: {parts / packed:.2f}; against an epoch in memory that packs too: {parts / once:.2f}")


if __name__ == "__main__":
    main()
