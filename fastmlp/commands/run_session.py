"""The training that `fastmlp train` runs: what is shown meanwhile, and what Ctrl-C leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.commands.learning_options import LearningOptions
    from fastmlp.network import History
    from fastmlp.session import TrainingSession

__all__ = ["history_for_json", "parameters_of", "run_session"]


def run_session(session: TrainingSession[Any], epochs: int, net: str) -> History:
    """Train to `epochs` epochs in all, showing the progress; after Ctrl-C, save the finished epochs."""
    from fastmlp.engine.parts import Parts
    from fastmlp.progress import ProgressBar

    done, data, hidden_size = session.epochs, session.data, len(session.net.b1)
    n = data.n_samples if isinstance(data, Parts) else len(data.y_train)
    what = f"{hidden_size} hidden units on {printable(data.name)}, {n} samples"
    if isinstance(data, Parts):
        what += f" in {len(data)} parts"
    if session.validation is not None:
        what += f" and {len(session.validation[1])} for validation"
    click.echo(f"{net}: {what}, epochs {done + 1} to {epochs}", err=True)
    try:
        history = session.train(epochs, callback=ProgressBar())
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and not (session.epochs and isinstance(data, Parts)):
            raise  # a part may be damaged or gone after hours of training; of other data all was read before
        try:
            if session.output and not session.is_saved:
                session.save()
        finally:
            ended = "interrupted" if isinstance(error, KeyboardInterrupt) else "ended"
            click.echo(f"{ended} after {session.epochs} of {epochs} epochs{_saved(session)}", err=True)
        raise
    if history.best_epoch is not None:
        how = "stopped early after" if history.stopped_early else "ended after"
        click.echo(f"{how} epoch {session.epochs}; the net is that of epoch {history.best_epoch}, the best", err=True)
    return history


def history_for_json(history: History, session: TrainingSession[Any]) -> dict[str, Any]:
    """Return what the report has of each epoch, and of early stopping."""
    names = ["loss", "accuracy", "seconds"]
    if history.lr:
        names += ["lr"]
    if session.validation is not None:
        names += ["val_loss", "val_accuracy"]
    if session.recipe.early_stopping is not None:
        names += ["best_epoch", "stopped_early"]
    return {name: getattr(history, name) for name in names}


def parameters_of(session: TrainingSession[Any], learning: LearningOptions, lr: float | None) -> dict[str, Any]:
    """Return what the report says of how the session trains, which may be told by the model that it resumes."""
    optimizer: dict[str, Any] = {"name": learning.optimizer or "sgd"}
    rate = getattr(session.net, "lr", None) or learning.rate(lr)
    from fastmlp.network import NeuralNetwork

    if isinstance(session.net, NeuralNetwork):
        optimizer = session.net._optimizer_state.record()
        del optimizer["steps"]
    return {"lr": rate, "optimizer": optimizer.pop("name"), **optimizer, **session.recipe.as_metadata()}


def _saved(session: TrainingSession[Any]) -> str:
    """Return what to say of the epochs that the file of an interrupted session holds."""
    which = "which" if session.epochs_saved == session.epochs else f"{session.epochs_saved} of which"
    return f", {which} are saved; continue with --resume {printable(session.output)}" if session.epochs_saved else ""
