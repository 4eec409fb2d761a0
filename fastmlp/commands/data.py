"""`fastmlp data`: what a dataset holds, and how it was read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from fastmlp.commands.options import dataset_options, load_data
from fastmlp.commands.training_options import is_given
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.printable import printable, shown

if TYPE_CHECKING:
    from fastmlp.datasets import Dataset

__all__ = ["data"]

_MOST_NAMES = 10


@click.command()
@click.argument("path", required=False)
@dataset_options(for_training=True)
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
        line("  nonzero", _told_of_nonzeros(X))
    if found.in_own_units and choice.preprocess != "none":
        line("preprocess", _told_of_scaling(found))
    if found.feature_names is not None:
        line("inputs", shown(found.feature_names, _MOST_NAMES))
    if found.class_names is not None:
        line("classes", ", ".join(found.class_names))


def _told_of_nonzeros(X: Any) -> str:
    """Return how many of the inputs are not 0: of sparse ones, in a sample."""
    import numpy as np

    from fastmlp.engine.sparse_matrices import is_sparse

    if is_sparse(X):
        return f"{X.nnz / max(1, X.shape[0]):.1f} of a sample's values"
    return f"{np.count_nonzero(X) / X.size:.1%}"


def _told_of_scaling(found: Dataset) -> str:
    """Return what `train` would do to the inputs, by the training part."""
    from fastmlp.engine.scaling import Scaling

    centre, spread, limit = Scaling.of(found.x_train)
    names = found.feature_names or [f"column {number}" for number in range(1, len(centre) + 1)]
    each = shown((f"{name}: {c:.4g}, {s:.4g}" for name, c, s in zip(names, centre, spread, strict=True)), _MOST_NAMES)
    return f"train standardises, (value - centre) / spread, cut off beyond {limit:g}; centre and spread of {each}"
