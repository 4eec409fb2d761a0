"""`fastmlp warmup`: compile the kernels in advance."""

from __future__ import annotations

import click

from fastmlp.commands.options import HIDDEN_SIZE

__all__ = ["warmup"]


@click.command()
@click.option(
    "--hidden-size",
    "-H",
    "hidden_sizes",
    type=HIDDEN_SIZE,
    multiple=True,
    default=(30, 128, 256, 300),
    help="Hidden units; can be given several times.",
)
def warmup(hidden_sizes: tuple[int, ...]) -> None:
    """Compile the kernels in advance, so that the first training need not wait for that."""
    from fastmlp.network import warmup as warm_up

    for hidden_size in hidden_sizes:
        seconds = warm_up(hidden_size)
        click.echo(f"hidden size {hidden_size}: {seconds:.2f} s", err=True)
