"""`fastmlp train` on data in parts: the same options, but for those that need all of the data in memory."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.learning_options import LearningOptions
from fastmlp.commands.options import load_data, refuse_to_scale_sparse
from fastmlp.commands.run_session import history_for_json, run_session
from fastmlp.commands.training_options import TrainingFiles, TrainingOptions, is_given
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.errors import InvalidValueError
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.datasets.parts import FileParts
    from fastmlp.network import NeuralNetwork
    from fastmlp.session import TrainingSession

__all__ = ["load_chosen_parts", "train_on_parts"]


def load_chosen_parts(choice: DatasetChoice) -> FileParts:
    """Return the parts that the choice names; a wrong option is wrong usage."""
    from fastmlp.datasets.parts import load_parts

    try:
        return load_parts(choice.dataset, label_column=choice.label_column)
    except InvalidValueError as error:
        raise click.UsageError(str(error)) from error


def train_on_parts(
    ctx: click.Context,
    hidden_size: int,
    training: TrainingOptions,
    learning: LearningOptions,
    choice: DatasetChoice,
    net: str,
    files: TrainingFiles,
) -> tuple[TrainingSession[Any], dict[str, Any], dict[str, Any]]:
    """Train on the parts that the choice names; return the session, the report's row and parameters of parts only."""
    _check(learning, choice, net, files)
    from fastmlp.contenders import Result
    from fastmlp.model_inputs import parts_as_model_sees

    parts = load_chosen_parts(choice)
    if parts.is_sparse:
        refuse_to_scale_sparse(choice)
    choice = choice._replace(first_column=parts.first_column)
    trained_on, test = _divided(parts, choice)
    session = _session(ctx, hidden_size, training, learning, choice, trained_on, files)
    tested = _test_file(choice, session.net) if test is None else (parts_as_model_sees(test, session.net),)
    with compile_notice():
        history = run_session(session, training.epochs, net)
        if files.model:
            click.echo(f"model written to {printable(files.model)}", err=True)
        on_train, on_test = (session.net.score(*each) for each in ((session.data,), tested))
    seconds = sum(history.seconds), history.compile_seconds
    result = Result(*seconds, on_test.accuracy, on_test.loss, on_train.accuracy, on_train.loss, history)
    row = {"net": net, "dataset": parts.name, "hidden_size": session.net.hidden_size, **asdict(result)}
    return session, row | {"history": history_for_json(history, session)}, {"parts": len(parts)}


def _check(learning: LearningOptions, choice: DatasetChoice, net: str, files: TrainingFiles) -> None:
    """Refuse, as wrong usage, what is not done on parts."""
    if net != "fastmlp":
        raise click.UsageError(f"only fastmlp's own net trains on parts: leave out --net {net}, or name one file")
    for name, value in {
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
    try:
        trained_on, test = parts.divided(choice.test_fraction)
    except InvalidValueError as error:
        raise click.UsageError(f"{error}, with --test") from error
    first = printable(test.parts[0].name)
    click.echo(f"tested on the last {len(test)} of {len(parts)} parts, from {first} on", err=True)
    return trained_on, test


def _session(
    ctx: click.Context,
    hidden_size: int,
    training: TrainingOptions,
    learning: LearningOptions,
    choice: DatasetChoice,
    parts: FileParts,
    files: TrainingFiles,
) -> TrainingSession[Any]:
    """The session to train in: that of the model to resume, or a new one."""
    from fastmlp.network import NeuralNetwork
    from fastmlp.session import TrainingSession

    kept: dict[str, Any] = {
        "output": files.model,
        "checkpoint_every": files.checkpoint_every,
        "dataset": choice.record(parts.name),
    }
    if files.resume:
        batch_size = training.batch_size if is_given(ctx, "batch_size") else None
        session: TrainingSession[Any] = TrainingSession.resume(
            files.resume, parts, batch_size=batch_size, n_threads=training.threads, **kept
        )
        if training.lr is not None:
            session.net.lr = training.lr
        return session
    made: Any = NeuralNetwork(
        hidden_size,
        learning.rate(training.lr),
        input_size=parts.input_size,
        output_size=parts.n_classes,
        optimizer=learning.as_optimizer(),
        seed=training.seed,
        n_threads=training.threads,
    )
    if parts.in_own_units and choice.preprocess != "none":
        _standardise(made, parts)
    kept |= learning.for_session()
    return TrainingSession(made, parts, batch_size=training.batch_size, **kept)


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
    from fastmlp.model_inputs import as_model_sees

    data = load_data(choice.of_test_file(), for_testing=True)
    seen = as_model_sees(data, net)
    return seen.x_test, seen.y_test
