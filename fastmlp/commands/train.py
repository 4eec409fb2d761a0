"""`fastmlp train`: one net, trained, measured, and kept where that is asked for."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fastmlp.commands import SCHEMA
from fastmlp.commands.options import (
    HIDDEN_SIZE,
    DatasetChoice,
    as_json_option,
    check_outputs,
    dataset_options,
    learning_rate,
)
from fastmlp.contenders import MODULES, fit_and_test, load
from fastmlp.machine import keep_to_cpu, thread_variables

if TYPE_CHECKING:
    from fastmlp.contenders import Contender
    from fastmlp.datasets import Dataset
    from fastmlp.network import History, NeuralNetwork

__all__ = ["train"]

_HISTORY = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy")  # what a model file keeps of each epoch
_FILE = click.Path(dir_okay=False, path_type=Path)


class _Net(click.Choice):  # type: ignore[type-arg]
    """A contender's name; `my` is what the original script called its own net."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert("fastmlp" if value == "my" else value, param, ctx)


@click.command()
@click.option("--hidden-size", "-H", type=HIDDEN_SIZE, default=30, help="Hidden units.")
@click.option(
    "--epochs",
    "--number-epochs",
    "-e",
    type=click.IntRange(min=1),
    default=20,
    help="Passes over the train part; with --resume, those before count too.",
)
@click.option("--batch-size", "-b", type=click.IntRange(min=1), default=128, help="Samples per update.")
@click.option("--lr", type=float, default=0.1, callback=learning_rate, help="Learning rate.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="For the weights and the order of the samples.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: the processors that may be used]")
@dataset_options(default=None, unset="auto; with --resume, what the model was trained on")
@click.option("--net", "--net-type", type=_Net(list(MODULES)), default="fastmlp", help="Whose net to train.")
@click.option("--output", "-o", type=_FILE, help="File for the trained model; with --resume, that one if unnamed.")
@click.option("--checkpoint-every", type=click.IntRange(min=1), help="Save to --output after every so many epochs too.")
@click.option(
    "--resume",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Go on with this model as if it had never stopped.",
)
@click.option("--plot", type=_FILE, help="Picture of loss and accuracy per epoch (.png, .svg or .pdf).")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@as_json_option
@click.option("--compare-nets", is_flag=True, hidden=True)
@click.pass_context
def train(
    ctx: click.Context,
    *,
    hidden_size: int,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    threads: int | None,
    choice: DatasetChoice | None,
    net: str,
    output: Path | None,
    checkpoint_every: int | None,
    resume: Path | None,
    plot: Path | None,
    force: bool,
    as_json: bool,
    compare_nets: bool,
) -> None:
    """Train one net and measure it on the train and the test part."""
    if compare_nets:  # the original script's flag
        _compare(ctx)
        return
    if net != "fastmlp" and (output or resume):
        raise click.UsageError(f"only fastmlp's own net has model files: leave out --output or --net {net}")
    if checkpoint_every and not (output or resume):
        raise click.UsageError("--checkpoint-every saves to --output: name that too")
    output = output or resume
    check_outputs([output], [plot], force, replaced=resume)

    before, done = None, 0
    if resume:
        before = _read(ctx, resume, epochs)
        done = len(before["history"]["loss"])
        choice = choice or DatasetChoice.from_training(before)
        batch_size = batch_size if _is_given(ctx, "batch_size") else before["batch_size"]
    choice = choice or DatasetChoice("auto", None, None, None)
    make_net = _load_net(net, threads)
    data = choice.load()
    contender: Any
    if resume:
        contender, data = _resumed(ctx, resume, data, lr, threads)
    else:
        shape = {"input_size": data.x_train.shape[1], "output_size": data.n_classes}
        contender = make_net(hidden_size, lr, **shape, seed=seed, n_threads=threads)
        if net == "fastmlp":
            contender.class_names, contender.input_scale = data.class_names, data.input_scale

    from fastmlp.commands.progress import EpochReporter, result_table

    if resume:
        hidden_size, lr, seed = contender.hidden_size, contender.lr, contender.seed
    progress = f"epochs {done + 1} to {epochs}" if done else f"{epochs} epochs"
    click.echo(f"{net}: {hidden_size} hidden units on {data.name}, {len(data.x_train)} samples, {progress}", err=True)
    reporter = EpochReporter(epochs, len(data.x_train), done)
    record = {"epochs": done, "batch_size": batch_size, "dataset": choice.record(data.name)}
    run = _Run(contender, data, record, before and before["history"], output, checkpoint_every, plot, reporter)
    try:
        with reporter:
            result = fit_and_test(contender, data, batch_size, epochs - done, callback=run.epoch)
    except KeyboardInterrupt:
        kept = run.keep_interrupted()
        click.echo(f"interrupted after {run.done} of {epochs} epochs{kept}", err=True)
        raise
    run.finish(f"Training of {hidden_size} hidden units on {data.name}")

    row = {
        "net": net,
        "dataset": data.name,
        "hidden_size": hidden_size,
        "compile_seconds": result.compile_seconds,
        "train_seconds": result.train_seconds,
        "test_accuracy": result.test_accuracy,
        "test_loss": result.test_loss,
        "train_accuracy": result.train_accuracy,
        "train_loss": result.train_loss,
        "history": {
            "loss": result.history.loss,
            "accuracy": result.history.accuracy,
            "seconds": result.history.seconds,
        },
    }
    if not as_json:
        result_table(row)
        return
    from fastmlp.environment import environment
    from fastmlp.files.json_safe import finite

    parameters = {
        "hidden_size": hidden_size,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "seed": seed,
        "threads": threads,
        "dataset": choice.dataset,
        "net": net,
        "output": output and str(output),
        "resume": resume and str(resume),
    }
    report = {"schema": SCHEMA, "parameters": parameters, "environment": environment(), "results": finite(row)}
    click.echo(json.dumps(report))


class _Run:
    """What happens after each epoch: it is reported, and measured and saved where there is a file for it."""

    def __init__(
        self,
        net: Contender,
        data: Dataset,
        record: dict[str, Any],
        before: dict[str, list[float]] | None,
        output: Path | None,
        checkpoint_every: int | None,
        plot: Path | None,
        reporter: Any,
    ) -> None:
        self._net, self._data, self._record = net, data, record
        self._epochs = list(zip(*(_as_numbers(before[name]) for name in _HISTORY), strict=True)) if before else []
        self._done_before = len(self._epochs)
        self._output, self._every, self._plot = output, checkpoint_every, plot
        self._reporter = reporter
        self._current: History | None = None
        self._saved = self.done

    @property
    def done(self) -> int:
        """Epochs that the net was trained for, those before a resume too."""
        return len(self._epochs)

    def epoch(self, _epoch: int, history: History) -> None:
        self._current = history
        self._take()
        self._reporter.epoch(self.done, history)
        if self._every and self.done % self._every == 0:
            self._save()

    def _take(self) -> None:
        """Take down the epoch that has just ended, if that was not done yet; a Ctrl-C leaves all of it or nothing."""
        history = self._current
        if history is None or self.done - self._done_before == len(history.seconds):
            return
        test = (math.nan, math.nan)
        if self._output or self._plot:
            test = self._net.score(self._data.x_test, self._data.y_test)
        self._epochs.append((history.loss[-1], history.accuracy[-1], history.seconds[-1], *test))

    def keep_interrupted(self) -> str:
        """Save what was trained, if there is a file for it; return what to tell about it."""
        self._take()  # where the interrupt came in the middle of `epoch`
        if self._output is None or self._saved == self.done:
            return ""
        self._save()
        return f"; they are in {self._output}, and --resume {self._output} goes on"

    def finish(self, title: str) -> None:
        if self._output:
            if self._saved < self.done:
                self._save()
            click.echo(f"model written to {self._output}", err=True)
        if self._plot:
            from fastmlp.network import History
            from fastmlp.plots import plot_history

            loss, accuracy, seconds, val_loss, val_accuracy = self._history().values()
            plot_history(History(loss, accuracy, seconds, val_loss, val_accuracy), self._plot, title)
            click.echo(f"picture written to {self._plot}", err=True)

    def _save(self) -> None:
        assert self._output is not None
        net: NeuralNetwork = self._net  # type: ignore[assignment]
        self._record.update(epochs=self.done, history=self._history())
        net.save(self._output, training=self._record)
        self._saved = self.done

    def _history(self) -> dict[str, list[float]]:
        return {name: list(values) for name, values in zip(_HISTORY, zip(*self._epochs, strict=True), strict=True)}


def _compare(ctx: click.Context) -> None:
    """Hand over to `fastmlp compare` what both commands know."""
    from fastmlp.commands.compare import compare

    for name in ("output", "resume", "plot", "checkpoint_every", "net"):
        if _is_given(ctx, name):
            option = name.replace("_", "-")
            raise click.UsageError(f"--compare-nets does not go with --{option}: see `fastmlp compare --help`")
    both = {parameter.name for parameter in compare.params} & ctx.params.keys()
    given = {name: ctx.params[name] for name in both if name and _is_given(ctx, name)}
    if _is_given(ctx, "hidden_size"):
        given["hidden_sizes"] = (ctx.params["hidden_size"],)
    ctx.invoke(compare, **given)


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _read(ctx: click.Context, path: Path, epochs: int) -> dict[str, Any]:
    """Return what the model file at `path` says of its training, if it can be gone on with as asked."""
    from fastmlp.errors import ModelFileError
    from fastmlp.files.model import read_model

    metadata = read_model(path).metadata
    for name in ("hidden_size", "seed"):
        if _is_given(ctx, name) and ctx.params[name] != metadata.get(name):
            option = name.replace("_", "-")
            raise click.UsageError(
                f"--{option} is {ctx.params[name]} and the model in {path} has {metadata.get(name)}: leave it out"
            )
    training: Any = metadata.get("training")
    if not _says_how(training):
        raise ModelFileError(f"{path} does not say how it was trained, so that it cannot be gone on with")
    if training["epochs"] >= epochs:
        raise click.UsageError(
            f"the model in {path} has been trained for {training['epochs']} epochs: give --epochs more than that"
        )
    return training  # type: ignore[no-any-return]


def _says_how(training: Any) -> bool:
    """Whether a model file's `training` is what `_Run` writes; from Python it may be anything."""
    try:
        lengths = {len(_as_numbers(training["history"][name])) for name in _HISTORY}
        counts = (training["epochs"], training["batch_size"])
        whole = all(isinstance(count, int) and count > 0 for count in counts) and lengths == {counts[0]}
    except (KeyError, TypeError, ValueError):
        return False
    return whole and DatasetChoice.from_training(training) is not None


def _as_numbers(values: Sequence[float | None]) -> list[float]:
    """Return the values of a history in a file, where null stands for what JSON cannot hold."""
    return [math.nan if value is None else float(value) for value in values]


def _resumed(
    ctx: click.Context, path: Path, data: Dataset, lr: float, threads: int | None
) -> tuple[NeuralNetwork, Dataset]:
    from fastmlp.evaluation import as_model_sees
    from fastmlp.network import NeuralNetwork

    net = NeuralNetwork.load(path, n_threads=threads)
    if _is_given(ctx, "lr"):
        net.lr = lr
    return net, as_model_sees(data, net)


def _load_net(name: str, threads: int | None) -> type[Contender]:
    """The contender's class; its BLAS is held to the threads that are asked for, before NumPy is loaded."""
    if threads is not None and name != "fastmlp":
        os.environ.update(thread_variables(threads))
    if name != "fastmlp":
        keep_to_cpu()
    return load(name)
