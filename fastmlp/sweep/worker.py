"""What trains one setting of a sweep: in this process, in one of joblib's, or on another machine."""

from __future__ import annotations

import math
import sys
import warnings
from dataclasses import dataclass
from typing import Any

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.settings import default_threads
from fastmlp.errors import FastmlpError
from fastmlp.network import NeuralNetwork
from fastmlp.sweep.plan import Setting, SweepPlan

__all__ = ["Outcome", "Task", "new_net", "train_setting"]

Outcome = tuple[dict[str, Any], NeuralNetwork | None]
"""A row of the results, and the net, None where there is none."""


@dataclass(frozen=True)
class Task:
    """One setting to be trained, with so many threads; None for this worker's share of its machine's."""

    setting: Setting
    plan: SweepPlan
    output_size: int
    n_threads: int | None


def new_net(task: Task, input_size: int) -> NeuralNetwork:
    """Return the net of a task, not trained yet."""
    plan, (hidden_size, lr) = task.plan, task.setting
    sizes: dict[str, Any] = {"input_size": input_size, "output_size": task.output_size}
    threads = task.n_threads or _share_of_threads()
    return NeuralNetwork(hidden_size, lr, **sizes, optimizer=plan.optimizer, seed=plan.seed, n_threads=threads)


def train_setting(X: Float32Array, y: Int64Array, X_val: Float32Array, y_val: Int64Array, task: Task) -> Outcome:
    """Train a net on X (n, D) and y (n,), measured on X_val (m, D) and y_val (m,) after each epoch.

    The row has its error where that fails.
    """
    row: dict[str, Any] = task.setting._asdict()
    plan, recipe = task.plan, task.plan.recipe
    try:
        net = new_net(task, X.shape[1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a loss that is NaN, which the row shows
            history = net.fit(
                X,
                y,
                recipe.batch_size,
                plan.epochs,
                class_weight=recipe.class_weight,
                schedule=recipe.schedule,
                validation=(X_val, y_val),
                early_stopping=recipe.early_stopping or False,
            )
    except (FastmlpError, MemoryError) as error:
        reason = f"there is not enough memory. {error}" if isinstance(error, MemoryError) else str(error)
        return row | {"error": " ".join(reason.split())}, None
    kept = len(history.loss) if history.best_epoch is None else history.best_epoch  # the epoch that the net is of
    row |= {"epochs": len(history.loss), "best_epoch": history.best_epoch}
    row |= {name: getattr(history, name)[kept - 1] for name in ("val_accuracy", "val_loss")}
    row |= {"train_seconds": math.fsum(history.seconds), "compile_seconds": history.compile_seconds}
    names = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy", "lr")
    return row | {"history": {name: getattr(history, name) for name in names}}, net


def _share_of_threads() -> int:
    """This task's share of the threads: a worker of Dask may have several tasks at a time."""
    distributed = sys.modules.get("distributed")  # which a worker of Dask has loaded
    try:
        tasks = distributed.get_worker().state.nthreads if distributed else 1
    except ValueError:  # this is no such worker
        tasks = 1
    return max(1, default_threads() // tasks)
