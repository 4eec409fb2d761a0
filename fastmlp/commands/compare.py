"""`fastmlp compare`: nets side by side, on the same data, weights and threads, one process each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from fastmlp.commands.options import HIDDEN_SIZE, dataset_options, learning_rate, load_data
from fastmlp.commands.report_options import print_results, report_options
from fastmlp.contenders import MODULES, available, not_installed
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.errors import MissingLibraryError

if TYPE_CHECKING:
    from fastmlp.comparison.comparison import Event, Plan

__all__ = ["compare"]

_HIDDEN_SIZES = (30, 128, 256, 300)
_QUICK: dict[str, Any] = {"hidden_sizes": (30, 300), "epochs": 2, "repeats": 1}
_QUICK_FOR_MANY = (128,)  # hidden sizes for more than four nets: loading their libraries takes longer than training
_EXIT_INTERRUPTED = 130


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
@dataset_options()
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=600,
    help="Seconds after which a run is given up.",
)
@click.option("--quick", is_flag=True, help="2 epochs, 1 repeat, one or two sizes, where nothing else is named.")
@report_options
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
    form: str,
) -> None:
    """Compare nets: time, accuracy and loss, each net in its own process.

    All get the same data, initial weights, batches and threads. Ctrl-C keeps and reports what is finished.
    """
    chosen = nets or tuple(MODULES)
    missing = [net for net in chosen if not available(net)]
    chosen = tuple(net for net in chosen if net not in missing)
    for net in missing:
        click.echo(f"left out: {not_installed(net)}", err=True)
    if not chosen:
        raise MissingLibraryError("none of these nets is installed")
    if quick:
        given = {name: ctx.params[name] for name in _QUICK if ctx.get_parameter_source(name) != ParameterSource.DEFAULT}
        sizes = {"hidden_sizes": _QUICK_FOR_MANY} if len(chosen) > 4 else {}
        hidden_sizes, epochs, repeats = (_QUICK | sizes | given).values()
    data = load_data(choice)

    from fastmlp.commands.progress import RunReporter
    from fastmlp.comparison.comparison import Comparison, Plan
    from fastmlp.comparison.report.page import RESULTS
    from fastmlp.comparison.results import write_results
    from fastmlp.kernels.team import available_processors

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
            output.mkdir(exist_ok=True)
            write_results(comparison.results(), output / RESULTS)

    interrupted = False
    try:
        with RunReporter(plan) as reporter:

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
    print_results(results, form)
    save()
    if output and finished:
        from fastmlp.comparison.report import write_report

        click.echo(f"report written to {write_report(results, output)}", err=True)
    if interrupted:
        ctx.exit(_EXIT_INTERRUPTED)
    if not finished:
        ctx.exit(1)


def _announcement(plan: Plan, name: str, n: int, seconds: float) -> str:
    """What is going to run, and about how long."""
    sizes = ", ".join(map(str, plan.hidden_sizes))
    about = f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
    runs = len(plan.rounds) * len(plan.modules)
    return (
        f"comparing {', '.join(plan.modules)} at {sizes} hidden units on {name} ({n} samples): epochs {plan.epochs}, "
        f"repeats {plan.repeats}, threads {plan.threads}; runs {runs}, about {about}"
    )
