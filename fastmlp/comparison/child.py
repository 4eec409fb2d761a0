"""`python -m fastmlp.comparison.child`: one run of one contender, in a process of its own.

A JSON object on stdin says what to run; each line on stdout is a JSON object too: one after each epoch, and the result
at the end. After an epoch the process waits for an empty line on stdin, so that others can have their epoch meanwhile.
What the libraries print goes to stderr. `fastmlp.comparison.run` starts it, with the thread variables set.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from fastmlp.files.json_safe import finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastmlp.network import History

__all__ = ["come_to_rest", "keep_memory", "main", "peak_memory", "run"]

_WEIGHTS = ("W1", "b1", "W2", "b2")
_GLANCE = 0.01  # seconds over which it is looked whether this process is at rest
_AT_REST = 0.1  # of one processor
_GLANCES = 100  # at most
_CAP_IPC_LOCK = 1 << 14  # Linux' right to lock memory without limit


def main() -> None:
    """Read the run from stdin, do it, and write what happens to stdout."""
    spec = json.loads(sys.stdin.readline())
    events = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library that prints cannot spoil the events
    run(spec, events)


def run(spec: dict[str, Any], events: TextIO) -> None:
    """Train the net of `spec` once, timed, and then, if it says so, one epoch in order for the parity check."""
    if spec["processors"]:
        os.sched_setaffinity(0, spec["processors"])
    keep_memory()
    start = time.perf_counter()
    # Some libraries are loaded with the first net: it belongs to the import.
    net = import_module(spec["module"]).NeuralNetwork(
        spec["hidden_size"],
        spec["lr"],
        input_size=spec["input_size"],
        output_size=spec["output_size"],
        seed=spec["seed"],
        n_threads=spec["threads"],
    )
    import_seconds = time.perf_counter() - start

    x_train, y_train, x_test, y_test = (_array(spec, name) for name in ("x_train", "y_train", "x_test", "y_test"))
    weights = [_array(spec, name) for name in _WEIGHTS]
    _set_weights(net, weights)
    val_loss: list[float] = []
    val_accuracy: list[float] = []

    def after_epoch(epoch: int, _history: History) -> None:
        loss, accuracy = net.predict(x_test, y_test)  # between two epochs, whose seconds do not run here
        val_loss.append(float(loss))
        val_accuracy.append(float(accuracy))
        if epoch < spec["epochs"]:
            come_to_rest()
            _write(events, {"epoch": epoch})
            if not sys.stdin.readline():  # nobody is there any more
                raise SystemExit(1)

    history = net.fit(x_train, y_train, spec["batch_size"], spec["epochs"], callback=after_epoch)
    memory = peak_memory()
    train_loss, train_accuracy = net.predict(x_train, y_train)
    parity = None
    if spec["parity"]:  # last, so that nothing of it is in what was measured
        _set_weights(net, weights)
        parity = float(net.fit(x_train, y_train, spec["batch_size"], 1, shuffle=False).loss[0])
    result = {
        "import_seconds": import_seconds,
        "compile_seconds": float(history.compile_seconds),
        "train_seconds": float(sum(history.seconds)),
        "peak_memory_bytes": memory,
        "test_accuracy": val_accuracy[-1],
        "test_loss": val_loss[-1],
        "train_accuracy": float(train_accuracy),
        "train_loss": float(train_loss),
        "parity_loss": parity,
        "history": {
            "loss": [float(value) for value in history.loss],
            "accuracy": [float(value) for value in history.accuracy],
            "seconds": [float(value) for value in history.seconds],
            "val_accuracy": val_accuracy,
            "val_loss": val_loss,
        },
    }
    _write(events, {"result": result})


def come_to_rest() -> None:
    """Wait until the threads of this process no longer run: some libraries' spin for a while after their work."""
    for _ in range(_GLANCES):
        before = time.process_time()
        time.sleep(_GLANCE)
        if time.process_time() - before < _AT_REST * _GLANCE:
            break


def keep_memory() -> None:
    """Ask the system to leave the pages of this process in memory while it waits: on Linux, with root's right to do so.

    A system that takes idle pages back (DAMON) would else slow down after each wait who has the largest library.
    A process without that right has a limit instead, and would be refused all memory beyond it.
    """
    if int(_status("CapEff") or "0", 16) & _CAP_IPC_LOCK:
        import ctypes

        current, future, on_fault = 1, 2, 4  # MCL_...: what is in memory now, and what gets there later
        ctypes.CDLL(None).mlockall(current | future | on_fault)


def peak_memory() -> int | None:
    """Return the most memory that this process has held, in bytes; None where the system does not say.

    >>> peak_memory() is None or peak_memory() > 1_000_000
    True
    """
    # Linux counts the memory of the process that started this one into ru_maxrss, but not into VmHWM.
    if held := _status("VmHWM"):
        return int(held.split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _status(name: str) -> str | None:
    """What Linux says of this process under `name`; None on another system, or where it does not say."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next((line.removeprefix(f"{name}:") for line in lines if line.startswith(f"{name}:")), None)


def _array(spec: dict[str, Any], name: str) -> NDArray[Any]:
    """An array of the run: in memory before the clock runs, whole and aligned, as a user would hold it."""
    import numpy as np

    folder = spec["weights" if name in _WEIGHTS else "data"]
    array: NDArray[np.generic] = np.load(Path(folder, f"{name}.npy"))
    return array


def _set_weights(net: Any, weights: list[NDArray[Any]]) -> None:
    for name, array in zip(_WEIGHTS, weights, strict=True):
        setattr(net, name, array.copy())


def _write(events: TextIO, event: dict[str, Any]) -> None:
    events.write(json.dumps(finite(event)) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
