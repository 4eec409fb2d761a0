"""The options of training, in groups that reach a command as one object each."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from fastmlp.commands.options import HIDDEN_SIZE, check_outputs, learning_rate, threads_option

__all__ = [
    "TrainingFiles",
    "TrainingOptions",
    "batch_size_option",
    "epochs_option",
    "grouped",
    "hidden_sizes_option",
    "is_given",
    "seed_option",
    "several",
    "training_files",
    "training_options",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)

batch_size_option = click.option(
    "--batch-size", "-b", type=click.IntRange(min=1), default=128, help="Samples per update."
)
seed_option = click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    help="Seed of the initial weights and of the order of the samples.",
)


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How a net is trained."""

    epochs: int
    batch_size: int
    lr: float | None  # None for that of the optimiser
    seed: int
    threads: int | None


@dataclasses.dataclass(frozen=True)
class TrainingFiles:
    """The files that a training reads and writes."""

    output: Path | None
    checkpoint_every: int | None
    resume: Path | None
    plot: Path | None
    force: bool

    @property
    def model(self) -> Path | None:
        """The model file to write: the one being resumed unless another is named."""
        return self.output or self.resume

    def check(self, net: str) -> None:
        """Refuse what cannot be read or written for the contender `net`, as wrong usage, before anything is loaded."""
        if net != "fastmlp" and self.model:
            raise click.UsageError(
                f"only fastmlp's own net can be saved and resumed: leave out --net {net}, or --output and --resume"
            )
        if self.checkpoint_every and not self.model:
            raise click.UsageError("--checkpoint-every saves to --output; name that file too")
        check_outputs([self.model], [self.plot], self.force, replaced=self.resume)


def hidden_sizes_option(function: _Command) -> _Command:
    """Add `--hidden-size` for several nets, handed on as `hidden_sizes`."""
    option = click.option(
        "--hidden-size",
        "-H",
        "hidden_sizes",
        type=str,
        multiple=True,
        callback=several(HIDDEN_SIZE),
        metavar="N,N,...",
        default=(30, 128, 256, 300),
        help="Hidden units; can be given several times.",
    )
    return option(function)


def several(kind: Any) -> Callable[[click.Context, click.Parameter, Any], tuple[Any, ...]]:
    """Return the callback of an option that can be given several times, or once with commas, or both; none twice."""

    def split(ctx: click.Context, param: click.Parameter, values: Any) -> tuple[Any, ...]:
        parts = [part.strip() for value in values for part in str(value).split(",")]
        return tuple(dict.fromkeys(kind.convert(part, param, ctx) for part in parts))

    return split


def epochs_option(told: str = "Passes over the training data.") -> Callable[[_Command], _Command]:
    """Return the option `--epochs`, with `told` as its help."""
    return click.option("--epochs", "--number-epochs", "-e", type=click.IntRange(min=1), default=20, help=told)


def training_options(epochs_help: str = "Passes over the training data.") -> Callable[[_Command], _Command]:
    """Add the options of `TrainingOptions`, handed on as one `training`."""
    return grouped(
        "training",
        TrainingOptions,
        epochs_option(epochs_help),
        batch_size_option,
        click.option(
            "--lr",
            type=float,
            callback=learning_rate,
            help="Learning rate.  [default: 0.1; for momentum 0.01, for adam 0.001]",
        ),
        seed_option,
        threads_option,
    )


def training_files() -> Callable[[_Command], _Command]:
    """Add the options of `TrainingFiles`, handed on as one `files`."""
    return grouped(
        "files",
        TrainingFiles,
        click.option("--output", "-o", type=_FILE, help="Model file to write.  [default with --resume: the same file]"),
        click.option(
            "--checkpoint-every",
            type=click.IntRange(min=1),
            metavar="N",
            help="Also save to --output after every N epochs.  [default with --resume: as before]",
        ),
        click.option(
            "--resume",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="Continue the training of this model, with the same result as without a break.",
        ),
        click.option("--plot", type=_FILE, help="Picture of loss and accuracy per epoch (.png, .svg or .pdf)."),
        click.option("--force", is_flag=True, help="Replace files that exist."),
    )


def is_given(ctx: click.Context, name: str) -> bool:
    """Whether the command line names the option, rather than leaving it to its default."""
    return ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE


def grouped(name: str, group: type, *options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """Add `options` to a command, which gets their values as one `group`, a dataclass, under `name`."""
    fields = [field.name for field in dataclasses.fields(group)]

    def add(function: _Command) -> _Command:
        @functools.wraps(function)
        def with_group(*args: Any, **values: Any) -> Any:
            grouped = group(**{field: values.pop(field) for field in fields})
            return function(*args, **{name: grouped}, **values)

        decorated: Any = with_group
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return add
