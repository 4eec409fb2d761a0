"""`fastmlp train`: train one net, measure it, and save it if asked to."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, cast

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.learning_options import LearningOptions, learning_options
from fastmlp.commands.make_session import check_resume, make_session
from fastmlp.commands.options import HIDDEN_SIZE, as_json_option, dataset_options
from fastmlp.commands.run_session import history_for_json, parameters_of, run_session
from fastmlp.commands.train_parts import train_on_parts
from fastmlp.commands.training_options import TrainingFiles, TrainingOptions, is_given, training_files, training_options
from fastmlp.contenders import MODULES, measure
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.datasets.find_parts import names_parts
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset
    from fastmlp.session import TrainingSession

__all__ = ["train"]


class _Net(click.Choice):  # type: ignore[type-arg]
    """A contender's name; `my` is what the original script called its own net."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert("fastmlp" if value == "my" else value, param, ctx)


@click.command()
@click.option("--hidden-size", "-H", type=HIDDEN_SIZE, default=30, help="Hidden units.")
@training_options("Passes over the training data; with --resume, the total including those already done.")
@dataset_options(default=None, unset="auto; with --resume, what the model was trained on", for_training=True)
@click.option("--net", "--net-type", type=_Net(list(MODULES)), default="fastmlp", help="Which net to train.")
@learning_options()
@training_files()
@as_json_option
@click.option("--compare-nets", is_flag=True, hidden=True)  # the original script's flag
@click.pass_context
def train(
    ctx: click.Context,
    *,
    hidden_size: int,
    training: TrainingOptions,
    choice: DatasetChoice | None,
    net: str,
    learning: LearningOptions,
    files: TrainingFiles,
    as_json: bool,
    compare_nets: bool,
) -> None:
    """Train one net and measure it on the training and the test data."""
    if compare_nets:
        _compare(ctx)
        return
    files.check(net)
    learning.check(net, is_resumed=files.resume is not None)
    if files.resume:
        choice = check_resume(ctx, files.resume, training.epochs, choice, learning)
    choice = choice or DatasetChoice()
    if names_parts(choice.dataset):
        session, row, told = train_on_parts(ctx, hidden_size, training, learning, choice, net, files)
    else:
        session = make_session(ctx, hidden_size, training, learning, choice, net, files)
        row, told = _train_in(session, training.epochs, net, files), {}
    told |= parameters_of(session, learning, training.lr)
    if files.resume:
        told |= {"seed": session.net.seed}
    if not as_json:
        from fastmlp.commands.progress import result_table

        result_table(row)
        return
    from fastmlp.environment import environment
    from fastmlp.files.json_safe import json_safe

    parameters = {"hidden_size": row["hidden_size"], **asdict(training), "dataset": choice.dataset, "net": net} | told
    parameters |= {"output": files.model and str(files.model), "resume": files.resume and str(files.resume)}
    report = {"schema": SCHEMA, "parameters": parameters, "environment": environment(), "results": json_safe(row)}
    click.echo(json.dumps(report))


def _train_in(session: TrainingSession[Any], epochs: int, net: str, files: TrainingFiles) -> dict[str, Any]:
    """Train, write the files that are asked for, and return the report's row."""
    with compile_notice():
        history = run_session(session, epochs, net)
        if files.model:
            click.echo(f"model written to {printable(files.model)}", err=True)
        result = measure(session.net, cast("Dataset", session.data), history)
    hidden_size = len(session.net.b1)
    if files.plot:
        from fastmlp.plots import plot_history

        title = f"Training of {hidden_size} hidden units on {session.data.name}"
        plot_history(session.history, files.plot, title, "test" if session.validation is None else "validation")
        click.echo(f"picture written to {printable(files.plot)}", err=True)
    row = {"net": net, "dataset": session.data.name, "hidden_size": hidden_size, **asdict(result)}
    return row | {"history": history_for_json(history, session)}


def _compare(ctx: click.Context) -> None:
    """Hand over to `fastmlp compare` what both commands know."""
    from fastmlp.commands.compare import compare

    shared = {parameter.name for parameter in compare.params}
    own = {field.name for field in fields(LearningOptions)} - shared
    for name in ("output", "resume", "plot", "checkpoint_every", "net", *sorted(own)):
        if is_given(ctx, name):
            option = name.replace("_", "-")
            raise click.UsageError(f"--compare-nets does not go with --{option}: see `fastmlp compare --help`")
    given = {name: ctx.params[name] for name in shared & ctx.params.keys() if name and is_given(ctx, name)}
    if is_given(ctx, "hidden_size"):
        given["hidden_sizes"] = (ctx.params["hidden_size"],)
    ctx.invoke(compare, **given)
