"""`fastmlp export`: write a trained net for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from fastmlp.commands.options import MODEL, check_outputs
from fastmlp.printable import printable

__all__ = ["export"]

_SUFFIXES = {"onnx": ".onnx", "keras": ".keras", "c": ".h"}


@click.command()
@click.argument("model", type=MODEL)
@click.option("--to", "kind", type=click.Choice(list(_SUFFIXES)), required=True, help="Format to write.")
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def export(model: Path, kind: str, output: Path, force: bool) -> None:
    """Write MODEL as an ONNX or Keras file or a C header, whose input is exactly what `forward` takes."""
    if output.suffix.lower() != _SUFFIXES[kind]:
        raise click.UsageError(f"{output}: the file's name must end in {_SUFFIXES[kind]}")
    check_outputs([output], [], force)
    from fastmlp.export import to_c, to_keras, to_onnx
    from fastmlp.network import NeuralNetwork

    net = NeuralNetwork.load(model)
    {"onnx": to_onnx, "keras": to_keras, "c": to_c}[kind](net, output)
    click.echo(f"written to {printable(output)}", err=True)
    if net.table_columns is not None:
        click.echo("its inputs are numbers, text encoded and missing ones filled in: see fastmlp info", err=True)
    if net.input_scale != 1:
        click.echo(f"its inputs are the original values multiplied by {net.input_scale:.6g}", err=True)
