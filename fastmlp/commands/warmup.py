"""`fastmlp warmup`: compile the kernels ahead of time."""

from __future__ import annotations

import click

from fastmlp.commands.training_options import hidden_sizes_option

__all__ = ["warmup"]


@click.command()
@hidden_sizes_option
def warmup(hidden_sizes: tuple[int, ...]) -> None:
    """Compile the kernels ahead of time, so that the first training does not have to."""
    from fastmlp.engine.warmup import warm_up

    for hidden_size in hidden_sizes:
        seconds = warm_up(hidden_size)
        click.echo(f"hidden size {hidden_size}: {seconds:.2f} s", err=True)
