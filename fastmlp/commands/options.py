"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from fastmlp.datasets.choice import PREPROCESS, DatasetChoice
from fastmlp.errors import InvalidValueError
from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = [
    "HIDDEN_SIZE",
    "MODEL",
    "as_json_option",
    "check_outputs",
    "dataset_options",
    "header_option",
    "learning_rate",
    "load_data",
    "refuse_sparse",
    "refuse_to_scale_sparse",
    "tell_of_scaling",
    "threads_option",
]

_Command = TypeVar("_Command", bound=Callable[..., Any])

HIDDEN_SIZE = click.IntRange(min=1)
MODEL = click.Path(exists=True, dir_okay=False, path_type=Path)
"""A model file that is there."""


threads_option = click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Number of threads.  [default: FASTMLP_NUM_THREADS, or else one for each processor that may be used]",
)


def header_option(function: _Command) -> _Command:
    """Add `--header/--no-header`, None where neither is given."""
    option = click.option(
        "--header/--no-header",
        default=None,
        help="Whether the first row of a CSV names its columns.  [default: told by the content]",
    )
    return option(function)


def load_data(choice: DatasetChoice, for_testing: bool = False) -> Dataset:
    """Return the chosen data, all rows of a file where it is for testing; a wrong option is wrong usage."""
    try:
        return choice.load_for_testing() if for_testing else choice.load()
    except InvalidValueError as error:
        raise click.UsageError(str(error)) from error


def _column(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | int | None:
    """A whole number counts columns; anything else is a name."""
    if value is None:
        return None
    try:
        return int(value)
    except ValueError:
        return value


def dataset_options(
    default: str | None = "auto", unset: str = "", *, for_training: bool = False
) -> Callable[[_Command], _Command]:
    """Add `--dataset`, `--data-dir` and the options of a person's own files, handed on as one `choice`.

    Where `default` is None and nothing is named, `choice` is None; `unset` says in the help what that means. Where
    it is `for_training`, there is `--preprocess` too.
    """

    def add(function: _Command) -> _Command:
        import functools

        @functools.wraps(function)
        def with_choice(
            *args: Any,
            dataset: str | None,
            data_dir: Path | None,
            test: str | None,
            test_fraction: float | None,
            label_column: str | int | None,
            header: bool | None,
            preprocess: str | None = None,
            **others: Any,
        ) -> Any:
            choice = None
            named = click.get_current_context().get_parameter_source("data_dir") is ParameterSource.COMMANDLINE
            if dataset is None and named:
                dataset = "auto"  # which takes what is in that folder, and nothing else
            if dataset is not None:
                choice = DatasetChoice(dataset, data_dir, test_fraction, label_column, test, header, preprocess)
            elif any(option is not None for option in (test, test_fraction, label_column, header, preprocess)):
                own = "--label-column, --header and --preprocess" if for_training else "--label-column and --header"
                raise click.UsageError(f"--test, --test-fraction, {own} belong to --dataset PATH: name that too")
            return function(*args, choice=choice, **others)

        decorated: Any = with_choice
        options = _options_of_choice(default, unset) + [_preprocess_option] * for_training
        for option in reversed(options):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return add


def refuse_sparse(data: Dataset, who_takes: str) -> None:
    """Refuse sparse data as wrong usage where only dense data is taken."""
    from fastmlp.engine.sparse_matrices import is_sparse

    if is_sparse(data.x_train):
        raise click.UsageError(f"{who_takes} no sparse data, such as {data.name}: train our own net on it")


def refuse_to_scale_sparse(choice: DatasetChoice) -> None:
    """Refuse, as wrong usage, a --preprocess that would change the chosen data, which is sparse and stays as it is."""
    if choice.preprocess not in (None, "none"):
        raise click.UsageError(
            f"--preprocess {choice.preprocess} is for tables, and {printable(choice.dataset)} is sparse: its values "
            "stay as they are, so scale them before they are written, and leave --preprocess out"
        )


def tell_of_scaling(data: Dataset) -> None:
    """Say on stderr where the inputs of data are to be standardised, and how to leave them alone."""
    if data.in_own_units:
        told = f"{printable(data.name)}: the {data.x_train.shape[1]} inputs are standardised by the training part"
        click.echo(f"{told}; --preprocess none leaves them as they are", err=True)


_preprocess_option = click.option(
    "--preprocess",
    type=click.Choice(PREPROCESS),
    help="What is done to a table of your own: scale standardises columns of numbers; auto also encodes text and fills "
    "in missing values, with scikit-learn; none leaves all as it is.  [default: scale]",
)


def _options_of_choice(default: str | None, unset: str) -> list[Callable[[_Command], _Command]]:
    return [
        click.option(
            "--dataset",
            default=default,
            metavar="auto|mnist|synthetic|PATH",
            help="Data: auto is MNIST, or synthetic digits; PATH is an .npz, a table, an IDX folder, an svmlight "
            "file, or - for stdin"
            + (", or data in parts, as 'parts/*.npz'." if unset else ".")
            + (f"  [default: {unset}]" if unset else ""),
        ),
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, readable=False),  # load_mnist says what is wrong, with exit code 3
            envvar="FASTMLP_DATA_DIR",
            show_envvar=True,
            help="Folder that holds the four MNIST files; it is only read.",
        ),
        click.option(
            "--test",
            metavar="PATH",
            help="File of your own to test on.  [default: a part of the data]",
        ),
        click.option(
            "--test-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            help="Fraction of each class of your own data to hold back for testing.  [default: 1/7]",
        ),
        click.option(
            "--label-column",
            callback=_column,
            metavar="NAME|NUMBER",
            help="Column of a CSV with the labels; 1 is the first, -1 the last.  [default: by name, else the last]",
        ),
        header_option,
    ]


def as_json_option(function: _Command) -> _Command:
    """Add `--json`."""
    option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
    return option(function)


def learning_rate(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    """Refuse a learning rate that is not a number above 0 before anything is loaded."""
    from fastmlp.engine.settings import check_number

    try:
        return None if value is None else check_number("--lr", value)
    except InvalidValueError as error:
        raise click.UsageError(str(error)) from error


def check_outputs(
    files: Sequence[Path | None], pictures: Sequence[Path | None], force: bool, replaced: Path | None = None
) -> None:
    """Refuse files and pictures that cannot be written, as wrong usage, before anything is loaded.

    The file `replaced` may be there even without `force`.
    """
    from fastmlp.files.atomic import check_writable

    seen = set()
    try:
        for path in (*files, *pictures):
            if path is not None:
                check_writable(path, force or path == replaced)
                if path.resolve() in seen:
                    raise InvalidValueError(f"{path} is named for two outputs; name another file for one of them")
                seen.add(path.resolve())
        for path in pictures:
            if path is not None:
                from fastmlp.plots import check_picture

                check_picture(path)
    except (InvalidValueError, OSError) as error:
        raise click.UsageError(str(error)) from error
