"""`python -m fastmlp.comparison.child`: one run of one contender, in a process of its own.

A JSON object on stdin, a `RunSpec`, says what to run. Each line on stdout is a JSON object too: one after each epoch
but the last, with the seconds so far and the accuracy, and the result or the error at the end. After each of those
epochs the process waits for an empty line on stdin, so that other processes can have their epoch meanwhile. What the
libraries print goes to stderr.
`fastmlp.comparison.run` starts this process, with the thread variables set.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import sys
import threading
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from fastmlp.comparison.spec import WEIGHTS, RunSpec, load_arrays
from fastmlp.files.json_safe import json_safe
from fastmlp.machine import keep_memory, peak_memory, pin_to, wait_until_idle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fastmlp.arrays import Float32Array, Int64Array
    from fastmlp.contenders import Contender
    from fastmlp.network import History, Score

__all__ = ["main", "train"]

_SCORE_CALLS = 3


def main() -> None:
    """Read the spec from stdin, train, and write what happens to stdout."""
    _end_with_parent()
    spec = RunSpec(**json.loads(sys.stdin.readline()))
    events = os.fdopen(os.dup(1), "w", buffering=1, encoding="utf-8")
    os.dup2(2, 1)  # a library that prints cannot spoil the events
    try:
        train(spec, events)
    except Exception as error:
        _write(events, {"error": ": ".join(filter(None, (type(error).__name__, str(error))))})
        raise  # the traceback goes to stderr


def _end_with_parent() -> None:
    """Have this process, and those that it starts, ended once the one that started it is gone, even if killed."""
    if not _has_own_group():
        return
    import select

    hung_up = select.poll()
    hung_up.register(sys.stdin.fileno(), 0)  # no event but the end of the pipe

    def watch() -> None:
        hung_up.poll()
        _end()

    threading.Thread(target=watch, name="watch", daemon=True).start()


def _has_own_group() -> bool:
    """Whether all processes of this process's group were started by it; not so where it was started by hand."""
    return os.name == "posix" and os.getpgrp() == os.getpid()


def _end() -> NoReturn:
    """End this process and those that it has started."""
    if _has_own_group():
        os.killpg(0, signal.SIGKILL)
    raise SystemExit(1)


def train(spec: RunSpec, events: TextIO) -> None:
    """Train the net of `spec` once, timed, and then, if the spec asks for it, for one epoch in order: parity."""
    pin_to(spec.processors)
    keep_memory()
    start = time.perf_counter()
    # Some libraries are loaded with the first net, so making it is part of the import.
    net = _new_net(spec)
    import_seconds = time.perf_counter() - start

    x_train, y_train, x_test, y_test = load_arrays(spec.data, "x_train", "y_train", "x_test", "y_test")
    weights = load_arrays(spec.weights, *WEIGHTS)
    _set_weights(net, weights)
    tests: list[Score] = []

    def after_epoch(epoch: int, history: History) -> None:
        tests.append(net.score(x_test, y_test))  # between two epochs, so outside their seconds
        if epoch < spec.epochs:
            wait_until_idle()
            so_far = {"train_seconds": float(sum(history.seconds)), "test_accuracy": float(tests[-1].accuracy)}
            _write(events, {"epoch": epoch, **so_far})
            if not sys.stdin.readline():  # the process that started this one is gone
                _end()

    history = net.fit(x_train, y_train, spec.batch_size, spec.epochs, shuffle=spec.shuffle, callback=after_epoch)
    memory = peak_memory()
    score_seconds = _score_seconds(net, x_test, y_test)
    after = net.score(x_train, y_train)
    parity_loss = None
    if spec.parity:  # at the end, so that it cannot affect what was measured
        net = _new_net(spec)  # whose optimiser remembers nothing
        _set_weights(net, weights)
        parity_loss = float(net.fit(x_train, y_train, spec.batch_size, 1, shuffle=False).loss[0])
    result = {
        "import_seconds": import_seconds,
        "peak_memory_bytes": memory,
        "score_seconds": score_seconds,
        "train_accuracy": float(after.accuracy),
        "train_loss": float(after.loss),
        "parity_loss": parity_loss,
        **_measured(history, tests),
    }
    _write(events, {"result": result})


def _new_net(spec: RunSpec) -> Contender:
    net: Contender = import_module(spec.module).NeuralNetwork(
        spec.hidden_size,
        spec.lr,
        input_size=spec.input_size,
        output_size=spec.output_size,
        optimizer=spec.optimizer,
        seed=spec.seed,
        n_threads=spec.threads,
    )
    return net


def _set_weights(net: Contender, weights: list[NDArray[Any]]) -> None:
    for name, array in zip(WEIGHTS, weights, strict=True):
        setattr(net, name, array.copy())


def _score_seconds(net: Contender, X: Float32Array, Y: Int64Array) -> dict[str, float]:
    """Seconds of `score` for one row and for all rows: medians of a few calls, after one that may compile."""
    return {
        name: statistics.median([_seconds(net, X[:n], Y[:n]) for _ in range(_SCORE_CALLS + 1)][1:])
        for name, n in (("one", 1), ("all", len(X)))
    }


def _seconds(net: Contender, X: Float32Array, Y: Int64Array) -> float:
    start = time.perf_counter()
    net.score(X, Y)
    return time.perf_counter() - start


def _measured(history: History, tests: list[Score]) -> dict[str, Any]:
    """What was measured epoch by epoch, and the sums and last values of it."""
    return {
        "compile_seconds": float(history.compile_seconds),
        "train_seconds": float(sum(history.seconds)),
        "test_accuracy": float(tests[-1].accuracy),
        "test_loss": float(tests[-1].loss),
        "history": {
            "loss": [float(value) for value in history.loss],
            "accuracy": [float(value) for value in history.accuracy],
            "seconds": [float(value) for value in history.seconds],
            "val_accuracy": [float(test.accuracy) for test in tests],
            "val_loss": [float(test.loss) for test in tests],
        },
    }


def _write(events: TextIO, event: dict[str, Any]) -> None:
    events.write(json.dumps(json_safe(event)) + "\n")
    events.flush()


if __name__ == "__main__":
    main()
