"""`fastmlp data`: what a dataset holds, and how it was read."""

from __future__ import annotations

import click

from fastmlp.commands.options import dataset_options, load_data
from fastmlp.commands.training_options import is_given
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.printable import printable, shown

__all__ = ["data"]

_MOST_NAMES = 10


@click.command()
@click.argument("path", required=False)
@dataset_options()
@click.pass_context
def data(ctx: click.Context, path: str | None, choice: DatasetChoice) -> None:
    """Find or download a dataset and say what is in it, and how it was read; PATH is short for --dataset PATH."""
    if path is not None:
        if is_given(ctx, "dataset"):
            raise click.UsageError(f"{path} and --dataset {choice.dataset} are two datasets; name one")
        choice = choice._replace(dataset=path)
    found = load_data(choice)

    import numpy as np

    def line(what: str, told: str) -> None:
        click.echo(f"{what:14} {printable(told)}")

    line("dataset", found.name)
    for what, told in found.notes:
        line(what, told)
    for part, X, y in (("train", found.x_train, found.y_train), ("test", found.x_test, found.y_test)):
        counts = np.bincount(y, minlength=found.n_classes)
        line(part, f"{X.shape[0]} samples of {X.shape[1]} values")
        line("  per class", f"{' '.join(map(str, counts[:20]))}{' ...' if len(counts) > 20 else ''}")
        line("  nonzero", f"{np.count_nonzero(X) / X.size:.1%}")
    if found.feature_names is not None:
        line("inputs", shown(found.feature_names, _MOST_NAMES))
    if found.class_names is not None:
        line("classes", ", ".join(found.class_names))
