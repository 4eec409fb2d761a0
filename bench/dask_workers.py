"""MNIST trained by `fastmlp.dask.fit` in 1, 2, 4 and 8 shards: accuracy and seconds, by rules of the learning rate.

    python bench/dask_workers.py [--workers 2 --seeds 3 --optimizer sgd --hidden-size 100]
    python bench/dask_workers.py --overhead

The cluster is of processes of this machine; accuracy does not depend on how many. The rules are the learning rate of
one machine, the "same", times the square "root" of the shards, and "times" the shards. The training set is in 8 parts,
or as many as shards. With `--overhead`, what an epoch takes beside training: shards of one sample each, for nets of two
sizes.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time

import numpy as np
from distributed import Client, LocalCluster

from fastmlp import NeuralNetwork, Parts, load_mnist
from fastmlp.dask import fit
from fastmlp.engine.optimizers import OPTIMIZERS, default_lr

RULES = {"same": lambda _: 1.0, "root": math.sqrt, "times": float}
PARTS = 8


def accuracies(client: Client, chosen: argparse.Namespace) -> None:
    """Print a row for each number of shards and each rule."""
    data = load_mnist()
    lr = default_lr(OPTIMIZERS[chosen.optimizer]())
    print(f"{chosen.optimizer}, {chosen.hidden_size} hidden units, {chosen.epochs} epochs, {chosen.seeds} seeds")
    print("\n| Shards S | Learning rate | | Test accuracy | Range | Loss | Seconds |\n|--:|--|--:|--:|--:|--:|--:|")
    for shards in chosen.shards:
        parts = Parts.of_arrays(data.x_train, data.y_train, len(data.y_train) // max(PARTS, shards))
        for rule in chosen.rules if shards > 1 else ["same"]:
            factor = RULES[rule]
            rate, accuracies, losses, seconds = lr * factor(shards), [], [], []
            for seed in range(chosen.seeds):
                net = NeuralNetwork(chosen.hidden_size, rate, optimizer=chosen.optimizer, seed=seed)
                start = time.perf_counter()
                history = fit(client, net, parts, number_epochs=chosen.epochs, shards=shards)
                seconds.append(time.perf_counter() - start - history.compile_seconds)
                accuracies.append(net.score(data.x_test, data.y_test).accuracy)
                losses.append(history.loss[-1])
            spread = f"{min(accuracies):.4f} to {max(accuracies):.4f}"
            print(
                f"| {shards} | {rule} | {rate:.3g} | {statistics.mean(accuracies):.4f} | {spread} "
                f"| {statistics.mean(losses):.4f} | {statistics.median(seconds):.1f} |",
                flush=True,
            )


def overhead(client: Client) -> None:
    """Print what an epoch takes with next to nothing to train: CPU seconds are those of client and scheduler."""
    print("\n| Hidden units | Net | Shards | Seconds an epoch | CPU seconds |\n|--:|--:|--:|--:|--:|")
    for hidden_size, counts in ((100, (1, 16, 64)), (10_000, (1, 8))):
        for shards in counts:
            X, y = np.zeros((shards, 784), np.float32), np.zeros(shards, np.int64)
            net, marks = NeuralNetwork(hidden_size, seed=0), list[float]()
            parts = Parts.of_arrays(X, y, 1)

            def mark(*_: object, marks: list[float] = marks) -> None:
                marks.append(time.process_time())

            seconds = min(fit(client, net, parts, 1, 4, shards=shards, callback=mark).seconds)
            busy = min(np.diff(marks))
            megabytes = sum(getattr(net, name).nbytes for name in ("W1", "b1", "W2", "b2")) / 1e6
            print(f"| {hidden_size} | {megabytes:.1f} MB | {shards} | {seconds:.3f} | {busy:.3f} |", flush=True)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--workers", type=int, default=2)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--hidden-size", type=int, default=100)
    options.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    options.add_argument("--shards", type=int, nargs="+", default=[1, 2, 4, 8])
    options.add_argument("--rules", choices=RULES, nargs="+", default=list(RULES))
    options.add_argument("--overhead", action="store_true")
    chosen = options.parse_args()
    with (
        LocalCluster(n_workers=chosen.workers, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        if chosen.overhead:
            overhead(client)
        else:
            accuracies(client, chosen)


if __name__ == "__main__":
    main()
