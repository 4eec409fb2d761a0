"""`fastmlp sweep`: train a net for each setting of a grid, several at a time, and find the best."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.learning_options import LearningOptions, learning_options
from fastmlp.commands.options import check_outputs, dataset_options, learning_rate, load_data, tell_of_scaling
from fastmlp.commands.signals import ended_tidily
from fastmlp.commands.training_options import (
    batch_size_option,
    epochs_option,
    grouped,
    hidden_sizes_option,
    seed_option,
    several,
)
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.errors import FastmlpError, InvalidValueError
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.sweep import Sweep

__all__ = ["sweep"]

_EXIT_INTERRUPTED = 130
_ADDRESS = r"((tcp|tls|ws|wss|ucx)://)?[^/]+:\d+"
_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who trains the nets."""

    jobs: int | None
    threads: int | None
    scheduler: str | None

    def check(self) -> None:
        """Refuse, as wrong usage, what contradicts itself."""
        if self.scheduler is not None and self.jobs is not None:
            raise click.UsageError("the workers of --scheduler say how many nets train at a time: leave out --jobs")
        if self.scheduler is not None and not re.fullmatch(_ADDRESS, self.scheduler):
            what = f"--scheduler is {printable(self.scheduler)!r}"
            raise click.UsageError(f"{what}; it must be an address such as tcp://10.0.0.5:8786")


@dataclasses.dataclass(frozen=True)
class Reports:
    """Where the results go, and in which form."""

    output: Path | None
    plot: Path | None
    force: bool
    as_json: bool
    as_csv: bool

    def check(self) -> None:
        """Refuse, as wrong usage, what contradicts itself and files that cannot be written."""
        if self.as_json and self.as_csv:
            raise click.UsageError("--json and --csv exclude each other")
        check_outputs([self.output], [self.plot], self.force)


_workers = grouped(
    "workers",
    Workers,
    click.option("--jobs", "-j", type=click.IntRange(min=1), help="Nets trained at a time.  [default: the processors]"),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        help="Threads of each net; all together are no more than the processors.  [default: its share of them]",
    ),
    click.option("--scheduler", metavar="ADDRESS", help="Let the workers of a Dask scheduler train: tcp://HOST:8786."),
)
_reports = grouped(
    "reports",
    Reports,
    click.option("--output", "-o", type=_FILE, help="File for the results, JSON; written anew after each."),
    click.option("--plot", type=_FILE, help="Picture of accuracy against training time (.png, .svg or .pdf)."),
    click.option("--force", is_flag=True, help="Replace files that exist."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."),
    click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values and nothing else."),
)


def _rates(ctx: click.Context, param: click.Parameter, values: Any) -> tuple[float | None, ...]:
    return tuple(learning_rate(ctx, param, value) for value in several(click.FLOAT)(ctx, param, values))


@click.command()
@hidden_sizes_option
@click.option(
    "--lr",
    "lrs",
    type=str,
    multiple=True,
    callback=_rates,
    metavar="R,R,...",
    help="Learning rates; can be given several times.  [default: 0.1; for momentum 0.01, for adam 0.001]",
)
@epochs_option()
@batch_size_option
@seed_option
@dataset_options(for_training=True)
@learning_options(always_validated=True)
@_workers
@_reports
@click.pass_context
def sweep(
    ctx: click.Context,
    *,
    hidden_sizes: tuple[int, ...],
    lrs: tuple[float, ...],
    epochs: int,
    batch_size: int,
    seed: int,
    choice: DatasetChoice,
    learning: LearningOptions,
    workers: Workers,
    reports: Reports,
) -> None:
    """Train a net for each hidden size and learning rate, and find the best.

    A part of the training data, --validation-fraction, says how good a net is; the test data is measured once, by the
    best net. After Ctrl-C, the results so far are reported.
    """
    workers.check()
    reports.check()
    learning.check("fastmlp", is_resumed=False)

    from fastmlp.sweep import Sweep, SweepPlan, connected
    from fastmlp.training_record import Recipe

    with connected(workers.scheduler) as client:
        data = load_data(choice)
        standardise = choice.preprocess != "none"
        if standardise:
            tell_of_scaling(data)
        try:
            recipe = Recipe.checked(batch_size, data.n_classes, **learning.for_session(always_validated=True))
            rates = lrs or (learning.rate(None),)
            plan = SweepPlan(hidden_sizes, rates, recipe, epochs, learning.as_optimizer(), seed)
            share = {"jobs": workers.jobs, "threads": workers.threads}
            under_way = Sweep(plan, data, **share, client=client, standardise=standardise)
        except InvalidValueError as error:
            raise click.UsageError(str(error)) from error
        failure = _failure(under_way, reports.output)
    results = under_way.results()
    _report(results, reports)
    if isinstance(failure, FastmlpError):
        raise failure
    if failure is not None:
        ctx.exit(_EXIT_INTERRUPTED)
    if all("error" in row for row in results["results"]):
        ctx.exit(1)


def _failure(sweep: Sweep, output: Path | None) -> FastmlpError | KeyboardInterrupt | None:
    """Run the sweep, saving the results after each; return what ended it early."""
    from fastmlp.commands.progress import SweepReporter

    data, count = sweep.data, len(sweep.plan.settings)
    at_a_time = f"{sweep.jobs} at a time" + (f", threads {sweep.threads} each" if sweep.threads else "")
    click.echo(f"{count} nets on {printable(data.name)}, {len(data.y_train)} samples: {at_a_time}", err=True)
    try:
        with ended_tidily(), compile_notice(), SweepReporter(count) as reporter:

            def on_row(row: dict[str, Any]) -> None:
                reporter.row(row)
                if output:
                    try:
                        _save(sweep.results(), output)
                    except OSError as error:  # there may be room again at the end
                        click.echo(f"warning: the results so far could not be saved: {printable(error)}", err=True)

            sweep.run(on_row)
    except KeyboardInterrupt as error:
        click.echo(f"interrupted after {len(sweep.rows)} of {count} nets; these are the results so far", err=True)
        return error
    except FastmlpError as error:
        return error
    return None


def _report(results: dict[str, Any], reports: Reports) -> None:
    """Print the results, and write them, and the picture, to the files that are named."""
    from fastmlp.sweep.report import csv_text, plot_sweep, print_table

    if reports.as_json:
        click.echo(json.dumps(results, allow_nan=False))
    elif reports.as_csv:
        click.echo(csv_text(results).rstrip("\n"))
    else:
        from rich.console import Console

        print_table(results, Console(highlight=False))
    if reports.output:
        _save(results, reports.output)
        click.echo(f"results written to {printable(reports.output)}", err=True)
    if reports.plot and any("error" not in row for row in results["results"]):
        plot_sweep(results, reports.plot)
        click.echo(f"picture written to {printable(reports.plot)}", err=True)


def _save(results: dict[str, Any], path: Path) -> None:
    from fastmlp.files.atomic import write_whole

    text = json.dumps(results, allow_nan=False) + "\n"
    write_whole(path, lambda file: file.write(text.encode()))
