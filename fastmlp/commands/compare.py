"""`fastmlp compare`: nets side by side, on the same data, weights and threads, one process each."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from click.core import ParameterSource

from fastmlp.commands.options import HIDDEN_SIZE, DatasetChoice, as_json_option, dataset_options, learning_rate
from fastmlp.contenders import MODULES, available

if TYPE_CHECKING:
    from fastmlp.compare import Plan

__all__ = ["compare"]

_HIDDEN_SIZES = (30, 128, 256, 300)
_QUICK: dict[str, Any] = {"hidden_sizes": (30, 300), "epochs": 2, "repeats": 1}
_RESULTS = "results.json"


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
@click.option("--quick", is_flag=True, help="Fewer sizes, 2 epochs, 1 repeat, where nothing else is named.")
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
    raise click.UsageError("the comparison is being built")
