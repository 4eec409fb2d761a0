"""`fastmlp compare`: nets side by side, on the same data, weights and threads, one process each."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fastmlp.commands.options import HIDDEN_SIZE, DatasetChoice, as_json_option, dataset_options, learning_rate
from fastmlp.contenders import MODULES, available

if TYPE_CHECKING:
    from fastmlp.compare import Event, Plan

__all__ = ["compare"]

_HIDDEN_SIZES = (30, 128, 256, 300)
_QUICK: dict[str, Any] = {"hidden_sizes": (30, 300), "epochs": 2, "repeats": 1}
_QUICK_FOR_MANY = (128,)  # hidden sizes for more than four nets: loading their libraries takes longer than training
_RESULTS = "results.json"
_EXIT_INTERRUPTED = 130


def _or_choice(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let another command that has a `choice` already hand it on, in place of the options that make one."""

    @functools.wraps(function)
    def with_choice(*, choice: DatasetChoice | None = None, **others: Any) -> Any:
        if choice is None:
            return function(**others)
        for name in ("dataset", "data_dir", "test_fraction", "label_column"):
            others.pop(name, None)
        return function.__wrapped__(choice=choice, **others)  # type: ignore[attr-defined]

    return with_choice


def _known(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in MODULES:
            raise click.UsageError(f"there is no net '{name}'; the nets are {', '.join(MODULES)}")
    return tuple(dict.fromkeys(names))


@click.command()
@click.option(
    "--hidden-size",
    "-H",
    "hidden_sizes",
    type=HIDDEN_SIZE,
    multiple=True,
    default=_HIDDEN_SIZES,
    help="Hidden units; may be given several times.",
)
@click.option(
    "--net",
    "-n",
    "nets",
    multiple=True,
    callback=_known,
    metavar="|".join(MODULES),
    help="A net to compare; may be given several times.  [default: all that are installed]",
)
@click.option("--epochs", "-e", type=click.IntRange(min=1), default=20, help="Passes over the train part.")
@click.option("--batch-size", "-b", type=click.IntRange(min=1), default=128, help="Samples per update.")
@click.option("--lr", type=float, default=0.1, callback=learning_rate, help="Learning rate.")
@click.option("--repeats", "-r", type=click.IntRange(min=1), default=3, help="Runs of each net at each hidden size.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: the processors that may be used]")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="For the weights and the order of the samples.")
@_or_choice
@dataset_options()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    help="Seconds after which a run is given up.",
)
@click.option("--quick", is_flag=True, help="2 epochs, 1 repeat, one or two sizes, where nothing else is named.")
@click.option(
    "--output",
    "-o",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the report, its plots and the raw results.",
)
@click.option("--force", is_flag=True, help="Replace what is in --output.")
@as_json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values and nothing else.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table and nothing else.")
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    hidden_sizes: tuple[int, ...],
    nets: tuple[str, ...],
    epochs: int,
    batch_size: int,
    lr: float,
    repeats: int,
    threads: int | None,
    seed: int,
    choice: DatasetChoice,
    timeout: float,
    quick: bool,
    output: Path | None,
    force: bool,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
) -> None:
    """Compare nets: time, accuracy and loss, each net in its own process.

    All get the same data, initial weights, batches and threads. Ctrl-C keeps and reports what is finished.
    """
    if as_json + as_csv + as_markdown > 1:
        raise click.UsageError("--json, --csv and --markdown exclude each other")
    if output:
        _check_folder(output, force)
    chosen = nets or tuple(MODULES)
    missing = [net for net in chosen if not available(net)]
    chosen = tuple(net for net in chosen if net not in missing)
    for net in missing:
        click.echo(f"{net} is not installed and left out: {MODULES[net].pip}", err=True)
    if not chosen:
        raise ImportError("none of these nets is installed")
    if quick:
        given = {name: ctx.params[name] for name in _QUICK if ctx.get_parameter_source(name) != ParameterSource.DEFAULT}
        sizes = {"hidden_sizes": _QUICK_FOR_MANY} if len(chosen) > 4 else {}
        hidden_sizes, epochs, repeats = (_QUICK | sizes | given).values()
    data = choice.load()

    from fastmlp.compare import Comparison, Plan
    from fastmlp.kernels.team import available_processors
    from fastmlp.wholefile import write_whole

    plan = Plan(
        modules={net: MODULES[net].name for net in chosen},
        hidden_sizes=list(dict.fromkeys(hidden_sizes)),
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        repeats=repeats,
        threads=threads or available_processors(),
        seed=seed,
        dataset=choice.dataset,
        timeout=timeout,
        repeat_disturbed=not quick,
    )
    comparison = Comparison(plan, data, missing)
    click.echo(_announcement(plan, data.name, len(data.x_train), comparison.estimate()), err=True)

    def save() -> None:
        if output:
            text = json.dumps(comparison.results(), indent=1, allow_nan=False)
            write_whole(output / _RESULTS, lambda file: file.write(text.encode()))

    interrupted = False
    try:
        with _Reporter(plan) as reporter:

            def on_event(event: Event) -> None:
                reporter.event(event)
                if event.result or event.error:
                    try:
                        save()
                    except OSError as error:  # perhaps there is room again at the end
                        click.echo(f"warning: the results so far could not be saved: {error}", err=True)

            comparison.run(on_event, reporter.round)
    except KeyboardInterrupt:
        interrupted = True
        click.echo("interrupted: what is finished follows", err=True)
    results = comparison.results()
    finished = [row for row in results["results"] if "error" not in row]
    _print(results, as_json, as_csv, as_markdown)
    save()
    if output and finished:
        from fastmlp.report import write_report

        click.echo(f"report written to {write_report(results, output)}", err=True)
    if interrupted:
        ctx.exit(_EXIT_INTERRUPTED)
    if not finished:
        ctx.exit(1)


class _Reporter:
    """Tells of each run on stderr: a bar on a terminal, a plain line per run elsewhere."""

    def __init__(self, plan: Plan) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._plan = plan
        self._rounds = len(plan.rounds)
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("run"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._runs = 0
        self._task = self._progress.add_task("", total=self._rounds * len(plan.modules))

    def __enter__(self) -> _Reporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def event(self, event: Event) -> None:
        """Report what has just happened to a run."""
        name = f"{event.net}, {event.hidden_size} hidden units, repeat {event.repeat + 1} of {self._plan.repeats}"
        if event.result is None and event.error is None:
            self._progress.update(self._task, description=f"{name}: epoch {event.epoch} of {self._plan.epochs}")
            return
        self._runs += 1
        self._progress.update(self._task, completed=self._runs)
        if event.error:
            line = f"failed: {event.error}"
        else:
            assert event.result is not None
            line = f"{event.result['train_seconds']:.2f} s, test accuracy {event.result['test_accuracy']:.4f}"
        self._console.print(f"{name}: {line}", soft_wrap=True, markup=False)

    def round(self, done: int, in_all: int) -> None:
        """Report that a round has ended, and how many there are to be by now."""
        if in_all > self._rounds:
            self._console.print(
                f"the machine was disturbed: rounds below 80 % of its best rate are repeated ({in_all - done} to go)",
                soft_wrap=True,
            )
            self._rounds = in_all
        self._progress.update(self._task, total=self._runs + (in_all - done) * len(self._plan.modules))


def _announcement(plan: Plan, name: str, n: int, seconds: float) -> str:
    """What is going to run, and about how long."""
    sizes = ", ".join(map(str, plan.hidden_sizes))
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    runs = len(plan.rounds) * len(plan.modules)
    return (
        f"comparing {', '.join(plan.modules)} at {sizes} hidden units on {name} ({n} samples): epochs {plan.epochs}, "
        f"repeats {plan.repeats}, threads {plan.threads}; runs {runs}, about {about}"
    )


def _check_folder(folder: Path, force: bool) -> None:
    """Refuse a folder for the report that cannot be written, or that holds something, as wrong usage."""
    from fastmlp.wholefile import check_writable

    try:
        check_writable(folder / _RESULTS if folder.is_dir() else folder, force=True)
        occupied = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise click.UsageError(str(error)) from error
    if occupied and not force:
        raise click.UsageError(f"{folder} is not empty; name another folder, or use --force to replace what is in it")


def _print(results: dict[str, Any], as_json: bool, as_csv: bool, as_markdown: bool) -> None:
    """Print the results on stdout in the form that was asked for."""
    if as_json:
        click.echo(json.dumps(results, allow_nan=False))
        return
    from rich.console import Console

    from fastmlp.report import csv_text, markdown, print_tables

    if as_csv or as_markdown:
        click.echo((csv_text if as_csv else markdown)(results).rstrip("\n"))
    else:
        print_tables(results, Console(highlight=False))
