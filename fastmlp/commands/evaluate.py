"""`fastmlp evaluate`: how good a trained net is, class by class, and where it errs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.options import MODEL, as_json_option, check_outputs, dataset_options, load_data, threads_option
from fastmlp.datasets.choice import STANDARD_INPUT, DatasetChoice
from fastmlp.datasets.find_parts import names_parts
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.datasets.parts import FileParts
    from fastmlp.evaluation import Evaluation
    from fastmlp.network import NeuralNetwork

__all__ = ["evaluate"]

_FILE = click.Path(dir_okay=False, path_type=Path)
_MOST_CLASSES = 20  # beyond, the matrix is too wide for a terminal
_MOST_PAIRS = 5


@click.command()
@click.argument("model", type=MODEL)
@dataset_options(default=None, unset="what the model was trained on, else auto")
@threads_option
@click.option("--plot", type=_FILE, help="Picture of the confusion matrix and the worst mistakes (.png, .svg or .pdf).")
@click.option("--plot-units", type=_FILE, help="Picture of what the hidden units look for (.png, .svg or .pdf).")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@as_json_option
def evaluate(
    model: Path,
    choice: DatasetChoice | None,
    threads: int | None,
    plot: Path | None,
    plot_units: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Measure MODEL on the test set of a dataset, or on all rows of a file without one."""
    check_outputs([], [plot, plot_units], force)
    from fastmlp.evaluation import evaluate as evaluate_net
    from fastmlp.files.json_safe import json_safe
    from fastmlp.files.model import read_model
    from fastmlp.network import NeuralNetwork

    content = read_model(model)
    net = NeuralNetwork.from_file(model, content, n_threads=threads)
    X, Y, what = _samples(model, net, choice, content.metadata.get("training"))
    if plot and Y is None:
        raise click.UsageError("--plot does not go with data in parts: leave it out, or name one file")
    with compile_notice():
        seen = evaluate_net(net, X, Y)
    title = f"{model.name} on {what.which} of {what.name}"
    if as_json:
        parameters = {"model": str(model), "dataset": what.dataset, "threads": threads}
        results = json_safe(_as_json(seen, what.name))
        click.echo(json.dumps({"schema": SCHEMA, "parameters": parameters, "results": results}))
    else:
        _print(seen, title)

    from fastmlp import plots

    if plot:
        plots.plot_confusion(seen, X, plot, f"Confusion matrix: {title}")
        click.echo(f"picture written to {printable(plot)}", err=True)
    if plot_units:
        plots.plot_units(net, plot_units)
        click.echo(f"picture written to {printable(plot_units)}", err=True)


class _What(NamedTuple):
    """What is measured on: which samples, of which data, and what names that data."""

    which: str
    name: str
    dataset: str


def _samples(model: Path, net: NeuralNetwork, choice: DatasetChoice | None, trained_on: Any) -> tuple[Any, Any, _What]:
    """Return X, Y (None for parts, which hold their labels) and what they are."""
    from fastmlp.model_inputs import as_model_sees, parts_as_model_sees

    named = choice is not None
    choice = _recorded(model, trained_on) if choice is None else _read_as_in_training(choice, trained_on)
    choice = choice._replace(table_columns=net.table_columns)
    if names_parts(choice.dataset):
        if choice.test is None:
            which, parts = _parts(choice, is_whole=named and choice.test_fraction is None)
            if which == "all parts":
                _warn_of_training_rows(choice, trained_on)
            return parts_as_model_sees(parts, net), None, _What(which, parts.name, choice.dataset)
        choice, named = choice.of_test_file(), True
    data = load_data(choice, for_testing=named)
    if named and not len(data.y_train):
        _warn_of_training_rows(choice, trained_on)
    seen = as_model_sees(data, net)
    which = "the test set" if len(data.y_train) else "all rows"
    return seen.x_test, seen.y_test, _What(which, data.name, choice.dataset)


def _parts(choice: DatasetChoice, is_whole: bool) -> tuple[str, FileParts]:
    """Return what to call the parts to measure on, and the parts: all, or those that are held back in training."""
    from fastmlp.commands.train_parts import load_chosen_parts

    parts = load_chosen_parts(choice)
    if is_whole or len(parts) == 1:
        return "all parts", parts
    held_back = parts.divided(choice.test_fraction)[1]
    return f"the last {len(held_back)} of {len(parts)} parts", held_back


def _recorded(model: Path, training: Any) -> DatasetChoice:
    """Return the data that the model was trained on, or the default where its file does not say it."""
    record = training.get("dataset") if isinstance(training, dict) else None
    if isinstance(record, dict) and record.get("source") == STANDARD_INPUT:
        raise click.UsageError(f"{model} was trained on standard input, which is gone: name the data with --dataset")
    return DatasetChoice.from_training(training) or DatasetChoice()


def _read_as_in_training(choice: DatasetChoice, training: Any) -> DatasetChoice:
    """Count columns as in training, and look for a table's labels where they stood then, unless a column is named."""
    from fastmlp.datasets.kinds import kind_of_file

    trained_on = DatasetChoice.from_training(training)
    if trained_on is not None:
        choice = choice._replace(first_column=trained_on.first_column)
    is_table = choice.is_whole_file and kind_of_file(Path(choice.dataset).name) in ("text", "arrow")
    if trained_on is None or choice.label_column is not None or not is_table:
        return choice
    return choice._replace(label_column=trained_on.label_column)


def _warn_of_training_rows(choice: DatasetChoice, training: Any) -> None:
    """Say so where all rows of a file are measured, those that the model was trained on too."""
    trained_on = DatasetChoice.from_training(training)
    if trained_on and choice.record("")["source"] == trained_on.dataset:
        click.echo(
            f"warning: the model was trained on rows of {printable(choice.dataset)}; leave out --dataset to measure it "
            "on the others only",
            err=True,
        )


def _as_json(seen: Evaluation, dataset: str) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "samples": seen.n_samples,
        "loss": seen.loss,
        "accuracy": seen.accuracy,
        "unanswered": seen.n_unanswered,
        "classes": [
            {"class": name, "precision": float(precision), "recall": float(recall), "samples": int(support)}
            for name, precision, recall, support in zip(
                seen.class_names, seen.precision, seen.recall, seen.support, strict=True
            )
        ],
        "confusion": seen.confusion.tolist(),
        "worst": [mistake._asdict() for mistake in seen.worst],
    }


def _print(seen: Evaluation, title: str) -> None:
    """Print the figures, each class and the confusion matrix; tables are never cut.

    The names of files and classes go through `Text`: rich would take square brackets in them for markup.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def percent(value: float) -> str:
        return "-" if math.isnan(value) else f"{100 * value:.2f} %"

    console = Console(highlight=False)
    console.width = 10_000
    console.print(Text(printable(title)))
    console.print(f"loss {seen.loss:.4f}, accuracy {seen.accuracy:.4f}: ", end="")
    console.print(f"{seen.n_mistakes:,} of {seen.n_samples:,} samples were taken for another class")
    if seen.n_unanswered:
        console.print(f"{seen.n_unanswered:,} got no answer, as the net's outputs overflow float32, and count as wrong")

    classes = Table(title="Each class")
    for heading in ("Class", "Precision", "Recall", "Samples"):
        classes.add_column(heading, justify="left" if heading == "Class" else "right")
    for name, precision, recall, support in zip(
        seen.class_names, seen.precision, seen.recall, seen.support, strict=True
    ):
        classes.add_row(Text(printable(name)), percent(precision), percent(recall), f"{support:,}")
    console.print(classes)

    if len(seen.class_names) <= _MOST_CLASSES:
        matrix = Table(title="Confusion matrix: rows are true classes, columns predicted ones")
        matrix.add_column("", justify="left")
        for name in seen.class_names:
            matrix.add_column(Text(printable(name)), justify="right")
        for true, counts in enumerate(seen.confusion):
            shown = [f"[bold]{n}[/]" if k == true else str(n or ".") for k, n in enumerate(counts)]
            matrix.add_row(Text(printable(seen.class_names[true])), *shown)
        console.print(matrix)
    for pair in seen.most_confused(_MOST_PAIRS):
        names = seen.class_names
        what = f"{pair.samples} times {names[pair.true]} was taken for {names[pair.predicted]}"
        console.print(Text(printable(what)))
