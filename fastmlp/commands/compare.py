"""`fastmlp compare`: train several nets side by side, each in its own process, and compare them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.learning_options import optimizer_option
from fastmlp.commands.options import dataset_options, load_data, refuse_sparse, tell_of_scaling
from fastmlp.commands.report_options import print_results, report_options
from fastmlp.commands.signals import ended_tidily
from fastmlp.commands.training_options import TrainingOptions, hidden_sizes_option, is_given, training_options
from fastmlp.contenders import MODULES, available, not_installed
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.errors import MissingLibraryError
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.comparison.comparison import Comparison, ComparisonPlan, Event

__all__ = ["compare"]

_QUICK: dict[str, Any] = {"hidden_sizes": (30, 300), "epochs": 2, "repeats": 1}
_QUICK_FOR_MANY = (128,)  # hidden sizes for more than four nets: loading their libraries takes longer than training
_EXIT_INTERRUPTED = 130


def _known(_ctx: click.Context, _param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if name not in MODULES:
            raise click.UsageError(f"there is no net '{name}'; the nets are {', '.join(MODULES)}")
    return tuple(dict.fromkeys(names))


@click.command()
@hidden_sizes_option
@click.option(
    "--net",
    "-n",
    "nets",
    multiple=True,
    callback=_known,
    metavar="|".join(MODULES),
    help="A net to compare; can be given several times.  [default: all that are installed]",
)
@training_options()
@optimizer_option
@click.option("--repeats", "-r", type=click.IntRange(min=1), default=3, help="Runs of each net at each hidden size.")
@dataset_options(for_training=True)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    help="Seconds after which to give up on a run.",
)
@click.option("--quick", is_flag=True, help="2 epochs, 1 repeat and one or two hidden sizes, unless they are given.")
@report_options
@click.pass_context
def compare(
    ctx: click.Context,
    *,
    hidden_sizes: tuple[int, ...],
    nets: tuple[str, ...],
    training: TrainingOptions,
    optimizer: str | None,
    repeats: int,
    choice: DatasetChoice,
    timeout: float,
    quick: bool,
    output: Path | None,
    form: str,
) -> None:
    """Compare nets by time, accuracy and loss, each in its own process.

    All get the same data, initial weights, batches and threads; each has the --optimizer of its own library. After
    Ctrl-C, the results so far are reported.
    """
    chosen, missing = _installed(nets or tuple(MODULES))
    if quick:
        sizes = {"hidden_sizes": _QUICK_FOR_MANY} if len(chosen) > 4 else {}
        unset = {name: value for name, value in (_QUICK | sizes).items() if not is_given(ctx, name)}
        hidden_sizes, repeats = unset.get("hidden_sizes", hidden_sizes), unset.get("repeats", repeats)
        training = replace(training, epochs=unset.get("epochs", training.epochs))
    data = load_data(choice)
    refuse_sparse(data, "compare takes")

    from fastmlp.comparison.comparison import Comparison, ComparisonPlan
    from fastmlp.engine.optimizers import as_optimizer, default_lr
    from fastmlp.engine.settings import default_threads
    from fastmlp.model_inputs import standardised

    if choice.preprocess != "none":
        tell_of_scaling(data)
        data = standardised(data, None)  # the same numbers for all nets
    optimizer = optimizer or "sgd"

    plan = ComparisonPlan(
        modules={net: MODULES[net].name for net in chosen},
        hidden_sizes=list(dict.fromkeys(hidden_sizes)),
        epochs=training.epochs,
        batch_size=training.batch_size,
        lr=default_lr(as_optimizer(optimizer)) if training.lr is None else training.lr,
        optimizer=optimizer,
        repeats=repeats,
        threads=training.threads or default_threads(),
        seed=training.seed,
        dataset=choice.dataset,
        timeout=timeout,
        repeat_disturbed=not quick,
    )
    comparison = Comparison(plan, data, missing)
    click.echo(_announcement(plan, data.name, len(data.y_train), comparison.estimate()), err=True)
    interrupted = _interrupted(comparison, output)
    finished = _report(comparison.results(), output, form)
    if interrupted:
        ctx.exit(_EXIT_INTERRUPTED)
    if not finished:
        ctx.exit(1)


def _installed(nets: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Return which of `nets` are installed and which are not, with a line on stderr for each that is not."""
    installed = [net for net in nets if available(net)]
    missing = [net for net in nets if net not in installed]
    for net in missing:
        click.echo(f"left out: {not_installed(net)}", err=True)
    if not installed:
        raise MissingLibraryError("none of these nets is installed")
    return installed, missing


def _interrupted(comparison: Comparison, output: Path | None) -> bool:
    """Make the comparison, saving the results after every run; return whether Ctrl-C ended it early."""
    from fastmlp.commands.progress import ComparisonReporter

    try:
        with ended_tidily(), ComparisonReporter(comparison.plan) as reporter:

            def on_event(event: Event) -> None:
                reporter.event(event)
                if output and (event.result or event.error):
                    try:
                        _save(comparison.results(), output)
                    except OSError as error:  # there may be room again at the end
                        click.echo(f"warning: the results so far could not be saved: {printable(error)}", err=True)

            comparison.measure(on_event, reporter.round)
    except KeyboardInterrupt:
        click.echo("interrupted; these are the results so far", err=True)
        return True
    return False


def _report(results: dict[str, Any], output: Path | None, form: str) -> bool:
    """Print the results, and write them and the report to `output`; return whether any run was finished."""
    print_results(results, form)
    finished = any("error" not in row for row in results["results"])
    if output:
        _save(results, output)
        if finished:
            from fastmlp.comparison.report import write_report

            click.echo(f"report written to {printable(write_report(results, output))}", err=True)
    return finished


def _save(results: dict[str, Any], output: Path) -> None:
    from fastmlp.comparison.report.page import RESULTS
    from fastmlp.comparison.results_file import write_results

    output.mkdir(exist_ok=True)
    write_results(results, output / RESULTS)


def _announcement(plan: ComparisonPlan, name: str, n: int, seconds: float) -> str:
    """Return a line that says what will be run, and about how long it will take."""
    sizes = ", ".join(map(str, plan.hidden_sizes))
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    runs = len(plan.rounds) * len(plan.modules)
    return (
        f"comparing {', '.join(plan.modules)} at {sizes} hidden units on {printable(name)} ({n} samples): "
        f"{plan.optimizer}, epochs {plan.epochs}, repeats {plan.repeats}, threads {plan.threads}; "
        f"{runs} runs, about {about}"
    )
