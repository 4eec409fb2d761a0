"""`python bench/contender_worker.py`: a contender in a process of its own, that trains an epoch when it is told to.

A JSON object on stdin says what to train, each empty line after it lets it go on to the next epoch. Each line on stdout
is a JSON object: one after each epoch, one with the test accuracy at the end; then it waits for the next object.
"""

import json
import os
import sys
from pathlib import Path

import numpy as np

from fastmlp import contenders

WEIGHTS = ("W1", "b1", "W2", "b2")


def main() -> None:
    """Serve until stdin ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # a library that prints cannot spoil the answers
    for line in sys.stdin:
        train(json.loads(line), lambda answer: answers.write(json.dumps(answer) + "\n"))


def train(spec, answer):
    """Train from the weights of `spec`, in the order of the data, and wait after each epoch but the last."""
    arrays = {path.stem: np.load(path) for path in Path(spec["folder"]).glob("*.npy")}
    net = contenders.load(spec["net"])(spec["hidden_size"], spec["lr"], seed=0, n_threads=spec["threads"])
    for name in WEIGHTS:
        setattr(net, name, arrays[f"{name}-{spec['hidden_size']}"])

    def after_epoch(epoch, history):
        answer({"loss": float(history.loss[-1])})
        if epoch < spec["epochs"]:
            sys.stdin.readline()

    net.fit(arrays["x"], arrays["y"], spec["batch_size"], spec["epochs"], shuffle=False, callback=after_epoch)
    answer({"test_accuracy": float(net.predict(arrays["x_test"], arrays["y_test"]).accuracy)})


if __name__ == "__main__":
    main()
