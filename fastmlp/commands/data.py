"""`fastmlp data`: what a dataset holds."""

from __future__ import annotations

import click

from fastmlp.commands.options import dataset_options, load_data
from fastmlp.datasets.choice import DatasetChoice
from fastmlp.printable import printable

__all__ = ["data"]


@click.command()
@dataset_options()
def data(choice: DatasetChoice) -> None:
    """Find or download a dataset and say what is in it."""
    found = load_data(choice)

    import numpy as np

    click.echo(f"dataset        {printable(found.name)}")
    for part, X, y in (("train", found.x_train, found.y_train), ("test", found.x_test, found.y_test)):
        counts = np.bincount(y, minlength=found.n_classes)
        click.echo(f"{part:14} {X.shape[0]} samples of {X.shape[1]} values")
        click.echo(f"  per class    {' '.join(map(str, counts[:20]))}{' ...' if len(counts) > 20 else ''}")
        click.echo(f"  nonzero      {np.count_nonzero(X) / X.size:.1%}")
    if found.class_names is not None:
        click.echo(f"classes        {printable(', '.join(found.class_names))}")
