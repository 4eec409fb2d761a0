"""The session that the options of `fastmlp train` ask for: a new one, or that of a model to resume."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.learning_options import LearningOptions
from fastmlp.commands.options import load_data, refuse_sparse, refuse_to_scale_sparse, tell_of_scaling
from fastmlp.commands.training_options import TrainingFiles, TrainingOptions, is_given
from fastmlp.contenders import load
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.machine import keep_to_cpu, thread_variables

if TYPE_CHECKING:
    from fastmlp.contenders import Contender
    from fastmlp.session import TrainingRecord, TrainingSession

__all__ = ["check_resume", "make_session"]


def check_resume(
    ctx: click.Context, path: Path, epochs: int, choice: DatasetChoice | None, learning: LearningOptions
) -> DatasetChoice:
    """Refuse to resume the model in `path` where options contradict it; return what data to train on."""
    from fastmlp.files.model import read_model
    from fastmlp.network import NeuralNetwork
    from fastmlp.session import TrainingRecord

    model = read_model(path)
    for name in ("hidden_size", "seed"):
        asked, has = ctx.params[name], model.metadata.get(name)
        if is_given(ctx, name) and asked != has:
            option = name.replace("_", "-")
            raise click.UsageError(f"--{option} is {asked}, but the model in {path} has {has}: leave the option out")
    record = TrainingRecord.from_file(path, model)
    learning.check_resume(path, model, record.recipe)
    if not record.is_unfinished:
        _check_epochs(path, record, epochs, learning.patience)
    if is_given(ctx, "preprocess"):
        raise click.UsageError(f"{path} says itself how its inputs are scaled: leave --preprocess out")
    choice = choice or DatasetChoice.from_training(model.metadata["training"])
    if choice is None:
        raise click.UsageError(f"{path} does not say what data the model was trained on: name the data with --dataset")
    table_columns = NeuralNetwork.from_file(path, model).table_columns
    return choice._replace(table_columns=table_columns)


def _check_epochs(path: Path, record: TrainingRecord, epochs: int, patience: int | None) -> None:
    """Refuse to resume a training that has nothing left to do."""
    done, stopping = len(record.history.loss), record.recipe.early_stopping
    if stopping is not None and (replace(stopping, patience=patience) if patience else stopping).is_over(
        record.history
    ):
        raise click.UsageError(
            f"the training of the model in {path} has stopped early, after {done} epochs: give a larger --patience"
        )
    if done >= epochs:
        raise click.UsageError(
            f"--epochs is {epochs}, but the model in {path} has already been trained for {done}: give a larger total"
        )


def make_session(
    ctx: click.Context,
    hidden_size: int,
    training: TrainingOptions,
    learning: LearningOptions,
    choice: DatasetChoice,
    net: str,
    files: TrainingFiles,
) -> TrainingSession[Any]:
    """Return the session to train in: that of the model to resume, or a new one.

    A new one measures the test data after each epoch only where a file keeps the result.
    """
    new_net = _load_net(net, training.threads)  # before anything loads NumPy
    # While the files are read, Numba is imported; the other way round, Ctrl-C would have to wait for the files.
    threading.Thread(target=_import_early, args=("fastmlp.session",), daemon=True).start()
    data = load_data(choice)
    from fastmlp.engine.sparse_matrices import is_sparse

    if net != "fastmlp":
        refuse_sparse(data, f"--net {net} takes")
    if is_sparse(data.x_train):
        refuse_to_scale_sparse(choice)
    from fastmlp.session import TrainingSession

    kept: dict[str, Any] = {
        "output": files.model,
        "checkpoint_every": files.checkpoint_every,
        "dataset": choice._replace(first_column=data.first_column).record(data.name),
    }
    if files.resume:
        batch_size = training.batch_size if is_given(ctx, "batch_size") else None
        kept |= {"n_threads": training.threads, "patience": learning.patience}
        session = TrainingSession.resume(files.resume, data, batch_size=batch_size, **kept)
        if training.lr is not None:
            session.net.lr = training.lr
        return session
    sizes = {"input_size": data.x_train.shape[1], "output_size": data.n_classes}
    optimizer: Any = learning.as_optimizer() if net == "fastmlp" else learning.optimizer or "sgd"
    settings = {"optimizer": optimizer, "seed": training.seed, "n_threads": training.threads}
    contender = new_net(hidden_size, learning.rate(training.lr), **sizes, **settings)
    measured = bool(files.model or files.plot)
    standardise = choice.preprocess != "none"
    if standardise:
        tell_of_scaling(data)
    kept |= {"validate": measured, "standardise": standardise, **learning.for_session()}
    return TrainingSession(contender, data, batch_size=training.batch_size, **kept)


def _import_early(module: str) -> None:
    with suppress(Exception):  # whoever imports it in earnest is told
        import_module(module)


def _load_net(name: str, threads: int | None) -> type[Contender]:
    """Return the contender's class; before NumPy is loaded, its BLAS is limited to `threads`."""
    if name != "fastmlp":
        if threads is not None:
            os.environ.update(thread_variables(threads))
        keep_to_cpu()
    return load(name)
