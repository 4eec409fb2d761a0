"""`fastmlp train` on data in parts: the same options, but for those that need all of the data in memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.learning_options import LearningOptions
from fastmlp.commands.training_options import TrainingFiles, TrainingOptions
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.datasets.parts import FileParts
    from fastmlp.network import History, NeuralNetwork

__all__ = ["train_on_parts"]


def train_on_parts(
    hidden_size: int,
    training: TrainingOptions,
    learning: LearningOptions,
    choice: DatasetChoice,
    net: str,
    files: TrainingFiles,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train on the parts that the choice names; return the report's row and what it says of the parameters."""
    _check(learning, choice, net, files)
    from fastmlp.contenders import Result
    from fastmlp.datasets.parts import load_parts
    from fastmlp.errors import InvalidValueError
    from fastmlp.network import NeuralNetwork

    try:
        parts = load_parts(choice.dataset, label_column=choice.label_column)
    except InvalidValueError as error:
        raise click.UsageError(str(error)) from error
    trained_on, test = _divided(parts, choice)
    trained = NeuralNetwork(
        hidden_size,
        learning.rate(training.lr),
        input_size=parts.input_size,
        output_size=parts.n_classes,
        optimizer=learning.as_optimizer(),
        seed=training.seed,
        n_threads=training.threads,
    )
    trained.class_names, trained.feature_names = parts.class_names, parts.feature_names
    trained.input_scale = parts.input_scale
    if parts.in_own_units and choice.preprocess != "none":
        _standardise(trained, trained_on)
    tested = test or _test_file(choice, trained)
    with compile_notice():
        history = _fit(trained, trained_on, training, learning, files)
        if files.model:
            click.echo(f"model written to {printable(files.model)}", err=True)
        on_train, on_test = (
            trained.score(*each) if isinstance(each, tuple) else trained.score(each) for each in (trained_on, tested)
        )
    result = Result(
        sum(history.seconds),
        history.compile_seconds,
        on_test.accuracy,
        on_test.loss,
        on_train.accuracy,
        on_train.loss,
        history,
    )
    row = {"net": net, "dataset": parts.name, "hidden_size": hidden_size, **asdict(result)}
    row["history"] = {name: getattr(history, name) for name in ("loss", "accuracy", "seconds", "lr")}
    optimizer = trained._optimizer_state.record()
    del optimizer["steps"]
    told = {"lr": trained.lr, "optimizer": optimizer.pop("name"), **optimizer}
    return row, told | {"schedule": learning.schedule, "class_weight": learning.class_weight, "parts": len(parts)}


def _check(learning: LearningOptions, choice: DatasetChoice, net: str, files: TrainingFiles) -> None:
    """Refuse, as wrong usage, what is not done on parts."""
    if net != "fastmlp":
        raise click.UsageError(f"only fastmlp's own net trains on parts: leave out --net {net}, or name one file")
    for name, value in {
        "resume": files.resume,
        "checkpoint-every": files.checkpoint_every,
        "plot": files.plot,
        "validation-fraction": learning.validation_fraction,
        "early-stopping": learning.early_stopping,
        "header": choice.header,
    }.items():
        if value is not None:
            raise click.UsageError(f"--{name} does not go with data in parts: leave it out, or name one file")
    if choice.preprocess == "auto":
        raise click.UsageError("--preprocess auto does not go with data in parts: leave it out, or name one file")
    if learning.schedule == "plateau":
        raise click.UsageError("--schedule plateau needs validation, which there is none of on parts: take cosine")
    if choice.test is not None and choice.test_fraction is not None:
        raise click.UsageError("--test names the test set, and --test-fraction makes one: leave out one of them")


def _divided(parts: FileParts, choice: DatasetChoice) -> tuple[FileParts, FileParts | None]:
    """The parts to train on and those to test on; None where a file is named for that."""
    if choice.test is not None:
        return parts, None
    if len(parts) == 1:
        raise click.UsageError(f"{printable(parts.name)} is one part, which is not divided: name a file with --test")
    from fastmlp.datasets.split import DEFAULT_TEST_FRACTION

    fraction = DEFAULT_TEST_FRACTION if choice.test_fraction is None else choice.test_fraction
    n = min(len(parts) - 1, max(1, round(fraction * len(parts))))
    test = parts[-n:]
    click.echo(f"tested on the last {n} of {len(parts)} parts, from {printable(test.parts[0].name)} on", err=True)
    return parts[:-n], test


def _standardise(net: NeuralNetwork, parts: FileParts) -> None:
    from fastmlp.engine.scaling import Scaling

    net.scaling = Scaling.of(parts.parts[0].read()[0])
    first = printable(parts.parts[0].name)
    click.echo(
        f"{printable(parts.name)}: the {parts.input_size} inputs are standardised by the first part, {first}; "
        "--preprocess none leaves them as they are",
        err=True,
    )


def _test_file(choice: DatasetChoice, net: NeuralNetwork) -> tuple[Any, Any]:
    """The samples of the file to test on, as the net sees them."""
    from fastmlp.commands.options import load_data
    from fastmlp.model_inputs import as_model_sees

    data = load_data(DatasetChoice(choice.test or "", label_column=choice.label_column), for_testing=True)
    seen = as_model_sees(data, net)
    return seen.x_test, seen.y_test


def _fit(
    net: NeuralNetwork,
    parts: FileParts,
    training: TrainingOptions,
    learning: LearningOptions,
    files: TrainingFiles,
) -> History:
    """Train, showing the progress; save the net, after Ctrl-C that of the last full epoch."""
    import numpy as np

    from fastmlp.commands.progress import EpochReporter

    n = sum(np.size(part.labels()) for part in parts.parts)
    click.echo(
        f"fastmlp: {net.hidden_size} hidden units on {printable(parts.name)}, {n} samples in {len(parts)} parts, "
        f"epochs 1 to {training.epochs}",
        err=True,
    )
    options: dict[str, Any] = {"class_weight": learning.class_weight, "schedule": learning.for_session()["schedule"]}
    done = 0

    def after_epoch(epoch: int, history: History) -> None:
        nonlocal done
        done = epoch
        reporter.epoch(epoch, history)

    try:
        with EpochReporter(training.epochs, n) as reporter:
            return net.fit(
                parts,
                batch_size=training.batch_size,
                number_epochs=training.epochs,
                callback=after_epoch,
                **options,
            )
    except BaseException:
        if done:
            click.echo(f"ended after {done} of {training.epochs} epochs", err=True)
        raise
    finally:
        if files.model and done:
            net.save(files.model)
