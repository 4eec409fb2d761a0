"""`fastmlp import`: turn a Keras model that computes the same into a model file."""

from __future__ import annotations

from pathlib import Path

import click

from fastmlp.commands.options import MODEL, check_outputs
from fastmlp.printable import printable

__all__ = ["import_"]


@click.command(name="import")
@click.argument("keras_file", type=MODEL)
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def import_(keras_file: Path, output: Path, force: bool) -> None:
    """Turn KERAS_FILE (.keras) into a model file; it must have one hidden ReLU layer and one softmax layer.

    Scaling layers before them are folded into the net, and Dropout is left out.
    """
    check_outputs([output], [], force)
    from fastmlp.keras_import import from_keras

    net = from_keras(keras_file)
    net.save(output)
    click.echo(
        f"{net.input_size} inputs, {net.hidden_size} hidden units, {net.output_size} classes: "
        f"written to {printable(output)}",
        err=True,
    )
    if net.input_scale != 1:
        click.echo(f"the net takes inputs that are scaled by {net.input_scale:.4g} first, as the model did", err=True)
