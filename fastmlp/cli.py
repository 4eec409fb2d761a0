"""The command line: parse, call, print, and nothing else.

Results go to stdout; progress, warnings and notes to stderr. Exit codes: 0 done, 1 failed while running, 2 wrong usage,
3 data not available, 130 interrupted. Whatever is slow to import is imported inside the commands.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp import __version__

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = ["main"]

SCHEMA = 1
NETS = ("fastmlp", "numpy", "keras")
_EXIT_DATA = 3
_EXIT_INTERRUPTED = 130


class _DataUnavailable(click.ClickException):
    exit_code = _EXIT_DATA


class _Commands(click.Group):
    """The group: turns the library's errors into one sentence and an exit code, and takes the original's flags."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            with _warnings_as_lines():
                return super().main(*args, **kwargs)
        except KeyboardInterrupt:
            sys.exit(_EXIT_INTERRUPTED)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(_EXIT_INTERRUPTED)
        except Exception as error:
            raise _as_click_error(error) from error


def _as_click_error(error: Exception) -> click.ClickException:
    from fastmlp.datasets import DataError

    sentence = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, DataError):
        return _DataUnavailable(sentence)
    if isinstance(error, (ValueError, TypeError, ArithmeticError, ImportError, OSError, MemoryError)):
        return click.ClickException(sentence)
    raise error  # a defect of ours: the traceback is what is needed


@contextmanager
def _warnings_as_lines() -> Iterator[None]:
    """Show each warning of the library as one line on stderr."""

    def show(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> None:
        if issubclass(category, (UserWarning, RuntimeWarning)):
            click.echo(f"warning: {' '.join(str(message).split())}", err=True)

    with warnings.catch_warnings():
        for category in (UserWarning, RuntimeWarning):
            warnings.simplefilter("always", category)
        warnings.showwarning = show
        yield


def _with_hyphens(token: str) -> str:
    """--hidden_size, as the original script spelt it, is --hidden-size."""
    return token.replace("_", "-") if token.startswith("--") or "_" in token else token


@click.group(
    cls=_Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": _with_hyphens,
        "show_default": True,
    },
)
@click.version_option(__version__, message="fastmlp %(version)s")
def main() -> None:
    """Train a small neural network on a CPU, fast."""


_dataset_options = [
    click.option(
        "--dataset",
        default="auto",
        metavar="auto|mnist|synthetic|PATH",
        help="What to train on; auto is MNIST, or drawn digits where there is none. PATH: .npz, CSV, IDX folder.",
    ),
    click.option(
        "--data-dir",
        type=click.Path(file_okay=True, path_type=Path),
        envvar="FASTMLP_DATA_DIR",
        show_envvar=True,
        help="Folder that holds the four MNIST files; it is only read.",
    ),
]


def _dataset_arguments(function: Any) -> Any:
    for option in reversed(_dataset_options):
        function = option(function)
    return function


class _Net(click.Choice):  # type: ignore[type-arg]
    """A contender's name; `my` is what the original script called its own net."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return super().convert("fastmlp" if value == "my" else value, param, ctx)


def _compare_nets(_ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value:
        raise click.UsageError(
            "comparing nets in one command is not there yet: run `fastmlp train --net fastmlp`, "
            "`--net numpy` and `--net keras` one after another"
        )


@main.command()
@click.option("--hidden-size", "-H", type=click.IntRange(min=1), default=30, help="Hidden units.")
@click.option(
    "--epochs", "--number-epochs", "-e", type=click.IntRange(min=1), default=20, help="Passes over the train part."
)
@click.option("--batch-size", "-b", type=click.IntRange(min=1), default=128, help="Samples per update.")
@click.option("--lr", type=float, default=0.1, help="Learning rate.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="For the weights and the order of the samples.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: the processors that may be used]")
@_dataset_arguments
@click.option("--net", "--net-type", type=_Net(NETS), default="fastmlp", help="Whose net to train.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
@click.option("--compare-nets", is_flag=True, hidden=True, is_eager=True, expose_value=False, callback=_compare_nets)
def train(
    hidden_size: int,
    epochs: int,
    batch_size: int,
    lr: float,
    seed: int,
    threads: int | None,
    dataset: str,
    data_dir: Path | None,
    net: str,
    as_json: bool,
) -> None:
    """Train one net and measure it on the train and the test part."""
    from fastmlp.inputs import check_number
    from fastmlp.progress import EpochReporter, result_table

    try:
        check_number("--lr", lr)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    make_net = _load_net(net, threads)
    data = _load(dataset, data_dir)

    from fastmlp.contenders import fit_and_test

    contender = make_net(
        hidden_size,
        lr,
        input_size=data.x_train.shape[1],
        output_size=_classes(data),
        seed=seed,
        n_threads=threads,
    )
    click.echo(
        f"{net}: {hidden_size} hidden units on {data.name}, {len(data.x_train)} samples, {epochs} epochs", err=True
    )
    reporter = EpochReporter(epochs, len(data.x_train))
    try:
        with reporter:
            result = fit_and_test(contender, data, batch_size, epochs, callback=reporter.epoch)
    except KeyboardInterrupt:
        click.echo(f"interrupted after {reporter.finished} of {epochs} epochs", err=True)
        raise
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
    if as_json:
        parameters = {
            "hidden_size": hidden_size,
            "epochs": epochs,
            "batch_size": batch_size,
            "lr": lr,
            "seed": seed,
            "threads": threads,
            "dataset": dataset,
            "net": net,
        }
        click.echo(
            json.dumps({"schema": SCHEMA, "parameters": parameters, "environment": _environment(), "results": row})
        )
    else:
        result_table(row)


def _load_net(name: str, threads: int | None) -> Any:
    """The contender's class; its BLAS is held to the threads that are asked for, before NumPy is loaded."""
    import os

    from fastmlp import contenders

    if threads is not None and name != "fastmlp":
        os.environ.update(contenders.thread_variables(threads))
    if name == "keras":
        for variable, value in contenders.CPU_VARIABLES.items():
            os.environ.setdefault(variable, value)
    return contenders.load(name)


def _load(dataset: str, data_dir: Path | None) -> Dataset:
    from fastmlp.datasets import load_dataset

    return load_dataset(dataset, data_dir)


def _classes(data: Dataset) -> int:
    if data.class_names is not None:
        return len(data.class_names)
    return int(max(data.y_train.max(), data.y_test.max())) + 1


@main.command()
@_dataset_arguments
def data(dataset: str, data_dir: Path | None) -> None:
    """Find or fetch a dataset and say what is in it."""
    import numpy as np

    found = _load(dataset, data_dir)
    click.echo(f"dataset        {found.name}")
    for part, X, y in (("train", found.x_train, found.y_train), ("test", found.x_test, found.y_test)):
        counts = np.bincount(y, minlength=_classes(found))
        click.echo(f"{part:14} {X.shape[0]} samples of {X.shape[1]} values")
        click.echo(f"  per class    {' '.join(map(str, counts[:20]))}{' ...' if len(counts) > 20 else ''}")
        click.echo(f"  nonzero      {np.count_nonzero(X) / X.size:.1%}")
    if found.class_names is not None:
        click.echo(f"classes        {', '.join(found.class_names)}")


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def info(as_json: bool) -> None:
    """Say what fastmlp runs on: versions, CPU, threads, tile, cache."""
    environment = _environment()
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "environment": environment}))
        return
    for name, value in environment.items():
        click.echo(f"{name:16} {value}")


def _environment() -> dict[str, Any]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from fastmlp.kernels.compiled import cache_folder
    from fastmlp.kernels.simd import target
    from fastmlp.kernels.team import available_processors

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    versions = {name: installed(name) for name in ("numpy", "numba", "llvmlite", "keras", "tensorflow")}
    machine = target()
    return {
        "fastmlp": __version__,
        "python": platform.python_version(),
        **{name: value for name, value in versions.items() if value is not None},
        "platform": platform.platform(),
        "cpu": machine.cpu,
        "vector": f"{machine.width} float32",
        "registers": machine.registers,
        "fused": machine.fused,
        "widest_tile": f"{machine.max_vectors * machine.width} hidden units",
        "threads": available_processors(),
        "kernel_cache": cache_folder() or "none is writable",
    }


@main.command()
@click.option(
    "--hidden-size",
    "-H",
    "hidden_sizes",
    type=click.IntRange(min=1),
    multiple=True,
    default=(30, 128, 256, 300),
    help="Hidden units; can be given several times.",
)
def warmup(hidden_sizes: tuple[int, ...]) -> None:
    """Compile the kernels ahead, so that the first training does not wait."""
    from fastmlp.network import warmup as warm_up

    for hidden_size in hidden_sizes:
        seconds = warm_up(hidden_size)
        click.echo(f"hidden size {hidden_size}: {seconds:.2f} s", err=True)
