"""How reliable the regression gate is: `python bench/check_trial.py [--runs 10] [--only KERNEL]`.

In a clone it runs the gate on a commit against itself, where any alarm is false, and on commits that make one kernel
about 1.3 times slower by doing a part of its work twice, where the alarm must name that kernel. It prints the outcome
of each run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = "test_kernels and 300-units and (sparse or output_forward or softmax or hidden_backward or update_W2)"


class Plant(NamedTuple):
    """A planted slowdown."""

    file: str  # in fastmlp/kernels
    old: str  # the text of it that is replaced by `new`
    new: str
    benchmark: str  # a pattern for the name of the benchmark that must be named


PLANTS = {
    "rows_hidden_forward": Plant(
        "rows.py",
        "    for p in range(X.starts.shape[1] - 1):\n        for i in range(len(batch)):\n",
        "    for again in range(X.starts.shape[1]):\n        p = max(again - 1, 0)\n"  # the first of four blocks twice
        "        for i in range(len(batch)):\n",
        r"test_hidden_forward\[.*pairs",
    ),
    "output_forward": Plant(
        "output.py",
        "    for i in range(0, n, 4):\n",
        "    for again in range(0, n + 3 * n // 10, 4):\n        i = again % n // 4 * 4\n",
        "test_output_forward",
    ),
    "hidden_backward": Plant(
        "output.py",
        "        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block(lanes))\n"
        "        i += block_rows(lanes)",
        "        _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block(lanes))\n"
        "        if i // block_rows(lanes) % 10 < 3:\n"
        "            _backward_block(dhidden, hidden, dlogits, W2, n_classes, i, lanes, block(lanes))\n"
        "        i += block_rows(lanes)",
        "test_hidden_backward",
    ),
}


def git(*words: str, folder: Path) -> None:
    """Run git; it must succeed."""
    identity = ["-c", "user.name=trial", "-c", "user.email=trial@localhost"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def plant(clone: Path, name: str) -> None:
    """Commit the slowdown `name` on top of the commit that is checked out."""
    file, old, new, _ = PLANTS[name]
    path = clone / "fastmlp" / "kernels" / file
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise SystemExit(f"{name}: {file} has changed; fit the slowdown in PLANTS to it")
    path.write_text(text.replace(old, new), encoding="utf-8")
    git("commit", "--quiet", "-am", f"{name} does a part of its work twice", folder=clone)


def trial(clone: Path, name: str, runs: int) -> None:
    """Run the gate `runs` times; print the outcome of each, and how many were right."""
    words = [] if name in PLANTS else ["--base", "HEAD"]
    right = 0
    for run in range(1, runs + 1):
        start = time.perf_counter()
        command = [sys.executable, "bench/check.py", "-k", BENCHMARKS, *words]
        done = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
        named = re.findall(r"^slower: (\S+) takes ([\d.]+)", done.stdout, re.MULTILINE)
        if name in PLANTS:
            right += done.returncode == 1 and any(
                re.search(PLANTS[name].benchmark, benchmark) for benchmark, _ in named
            )
        else:
            right += done.returncode == 0
        told = ", ".join(f"{benchmark} {ratio}" for benchmark, ratio in named) or "no alarm"
        told = told if done.returncode in (0, 1) else done.stderr.strip().rpartition("\n")[2]  # why it has no answer
        print(f"{name} {run}/{runs}: {told} ({time.perf_counter() - start:.0f} s)", flush=True)
    print(f"{name}: right in {right} of {runs}", flush=True)


def main() -> None:
    """Try the unchanged commit, then each slowdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--only", choices=["unchanged", *PLANTS])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastmlp-check-trial-") as folder:
        clone = Path(folder, "clone")
        git("clone", "--quiet", str(ROOT), str(clone), folder=Path(folder))
        for name in ("unchanged", *PLANTS):
            if arguments.only in (None, name):
                git("checkout", "--quiet", "--detach", "origin/HEAD", folder=clone)
                if name in PLANTS:
                    plant(clone, name)
                trial(clone, name, arguments.runs)


if __name__ == "__main__":
    main()
