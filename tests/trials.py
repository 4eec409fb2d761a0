"""Trials of a training that is killed or interrupted at random times: `python tests/trials.py kill|interrupt COUNT`.

Each trial runs `fastmlp train --checkpoint-every 1` in a process of its own, which goes on where the one before it was
ended. Whatever happened, the file must hold, to the bit, what an unbroken training holds after as many epochs.
`interrupt` trains on MNIST where FASTMLP_DATA_DIR names it.
"""

import contextlib
import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastmlp.cli import main
from fastmlp.files.model import ModelFile, read_model

ROOT = Path(__file__).parents[1]
_IN_TRAINING = 0.75  # of the trials: the others may be ended before it begins


class Training(NamedTuple):
    """The arguments of a training of some epochs, and what its file holds after each."""

    args: list[str]
    epochs: int
    digests: list[str]


class Ended(NamedTuple):
    """How a process ended, and what it wrote to stderr."""

    code: int
    stderr: str


def digest_of(model: ModelFile) -> str:
    """All that a resumed training goes on from, but for the seconds."""
    training = model.metadata["training"]
    history = {name: values for name, values in training["history"].items() if name != "seconds"}
    text = repr((training["epochs"], history, model.metadata["random_state"]))
    return hashlib.sha256(text.encode() + b"".join(array.tobytes() for array in model.arrays.values())).hexdigest()


def unbroken(args: list[str], epochs: int, folder: Path) -> Training:
    """Train without a break, and note what the file holds after each epoch."""
    path, digests = folder / "unbroken.npz", ["nothing"]
    for epoch in range(1, epochs + 1):  # each resumed from the one before: that this is the same is tested elsewhere
        resume = ["--resume", str(path)] if epoch > 1 else [*args, "--output", str(path)]
        ended = forked(lambda resume=resume, epoch=epoch: main(["train", *resume, "--epochs", str(epoch)]))
        assert ended.code == 0, ended.stderr
        digests.append(digest_of(read_model(path)))
    whole = folder / "whole.npz"
    assert forked(lambda: main(["train", *args, "--output", str(whole), "--epochs", str(epochs)])).code == 0
    assert digest_of(read_model(whole)) == digests[-1]
    return Training(args, epochs, digests)


Disturb = Callable[[int, Callable[[], bool]], None]
"""Is called with the number of a process, and with what says whether that has begun to train."""


def forked(work: Callable[[], object], disturb: Disturb = lambda pid, has_begun: None) -> Ended:
    """Do the work in a forked process, which `disturb` may do something to."""
    with tempfile.TemporaryFile() as stderr:
        pid = os.fork()
        if pid == 0:
            code: object = 130  # of whatever ends it early
            try:
                signal.signal(signal.SIGINT, signal.default_int_handler)
                os.dup2(stderr.fileno(), 2)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                sys.stdout, sys.stderr = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w")
                try:
                    work()
                    code = 0
                except SystemExit as ended:
                    code = ended.code or 0
                sys.stderr.flush()
            finally:
                os._exit(code if isinstance(code, int) else 1)
        disturb(pid, lambda: os.fstat(stderr.fileno()).st_size > 0)
        _, status = os.waitpid(pid, 0)
        stderr.seek(0)
        return Ended(os.waitstatus_to_exitcode(status), stderr.read().decode(errors="replace"))


def pieces(training: Training, folder: Path, count: int) -> Iterator[list[str]]:
    """For each trial the arguments that begin the training, or go on with it; after it the file must be right."""
    path = folder / "net.npz"
    for _ in range(count):
        done = 0
        if path.exists():
            done = read_model(path).metadata["training"]["epochs"]
            if done == training.epochs:
                path.unlink()
                done = 0
        begin = ["--resume", str(path)] if done else [*training.args, "--output", str(path)]
        yield ["train", *begin, "--epochs", str(training.epochs), "--checkpoint-every", "1"]
        if path.exists():
            model = read_model(path)
            epochs = model.metadata["training"]["epochs"]
            assert digest_of(model) == training.digests[epochs], f"after {epochs} epochs"
            assert epochs >= done
        else:
            assert not done


def kill(training: Training, folder: Path, count: int, longest: float) -> dict[str, int]:
    """Kill each process within `longest` seconds, most of them of its training; return how the trials went."""
    rng, seen = random.Random(0), {"trials": 0, "killed": 0, "left a temporary file": 0}
    for args in pieces(training, folder, count):
        process = subprocess.Popen(
            [sys.executable, "-m", "fastmlp", *args],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        if rng.random() < _IN_TRAINING:
            process.stderr.readline()  # said before the first epoch
        time.sleep(rng.uniform(0, longest))
        process.kill()
        process.communicate()
        seen["killed"] += process.returncode == -signal.SIGKILL
        seen["trials"] += 1
        seen["left a temporary file"] += any(folder.glob("net.npz.*"))
    return seen


def interrupt(training: Training, folder: Path, count: int, longest: float) -> dict[str, int]:
    """Press Ctrl-C within `longest` seconds, most often of the training, and often again; return how it went."""
    rng, seen = random.Random(0), {"trials": 0, "interrupted": 0, "in training": 0, "pressed again": 0}

    def press(pid: int, has_begun: Callable[[], bool]) -> None:
        presses = rng.choice([1, 1, 2, 3, 5])
        if rng.random() < _IN_TRAINING:
            while not has_begun():
                time.sleep(1e-3)
        time.sleep(rng.uniform(0, longest))
        for _ in range(presses):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
            time.sleep(rng.choice([0, 1e-4, 1e-3, 1e-2]))
        seen["pressed again"] += presses > 1

    for args in pieces(training, folder, count):
        ended = forked(lambda args=args: main(args), press)
        assert ended.code in (0, 130), ended
        assert "Traceback" not in ended.stderr and "ignored" not in ended.stderr, ended.stderr
        seen["trials"] += 1
        seen["interrupted"] += ended.code == 130
        told = re.search(
            r"interrupted after (\d+) of \d+ epochs(, which are saved; continue with --resume)?", ended.stderr
        )
        if told:
            seen["in training"] += 1
            saved = (folder / "net.npz").exists()
            assert bool(told[2]) == saved == (int(told[1]) > 0), ended.stderr
            if saved:
                assert read_model(folder / "net.npz").metadata["training"]["epochs"] == int(told[1])
    return seen


def write_table(path: Path) -> None:
    """A small table to train on."""
    rng, y = np.random.default_rng(0), np.arange(400) % 3
    X = rng.normal(size=(400, 50)) + 0.5 * np.eye(50)[y]
    rows = "\n".join(f"{','.join(f'{value:.4f}' for value in row)},{label}" for row, label in zip(X, y, strict=True))
    path.write_text(rows, encoding="utf-8")


def small_training(folder: Path, epochs: int) -> Training:
    """The training of a net of 200 hidden units on a small table."""
    table = folder / "table.csv"
    write_table(table)
    return unbroken(["--dataset", str(table), "--hidden-size", "200", "--threads", "2"], epochs, folder)


def run(kind: str, count: int) -> dict[str, int]:
    """Do `count` trials of one kind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if kind == "kill":
            return kill(small_training(folder, 60), folder, count, longest=1.0)
        args = ["--dataset", "mnist", "--hidden-size", "16", "--threads", "2"]
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None), contextlib.redirect_stderr(None):
            main(["train", *args, "--epochs", "1"])  # so that the forked processes need not import and load everything
        return interrupt(unbroken(args, 4, folder), folder, count, longest=1.0)


if __name__ == "__main__":
    start = time.monotonic()
    outcome = run(sys.argv[1], int(sys.argv[2]))
    print(outcome, f"{time.monotonic() - start:.0f} s, no wrong file")  # noqa: T201
