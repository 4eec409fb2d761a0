"""`fastmlp predict`: what a trained net sees in pictures and tables."""

from __future__ import annotations

import csv
import errno
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.options import MODEL, as_json_option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fastmlp.network import NeuralNetwork

__all__ = ["predict"]


class _Inputs(NamedTuple):
    """A file's name and its samples (n, D) float32, as the net takes them."""

    name: str
    X: NDArray[np.float32]


@click.command()
@click.argument("model", type=MODEL)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: the processors that may be used]")
@as_json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, a column for the probability of each class.")
def predict(model: Path, files: tuple[str, ...], threads: int | None, as_json: bool, as_csv: bool) -> None:
    """Say what MODEL sees in each FILE: a picture of a digit, or an .npz or CSV file of inputs; - is stdin."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    from fastmlp.files.json_safe import finite
    from fastmlp.network import NeuralNetwork

    net = NeuralNetwork.load(model, n_threads=threads)
    names = net.class_names or tuple(map(str, range(net.output_size)))
    # Everything is read before anything is printed: a bad file gives a sentence, not half an answer.
    inputs = [_read(name, net) for name in files]
    rows = [
        {
            "file": name,
            "row": row,
            "class": names[probs.argmax()],
            "probability": float(probs.max()),
            "probabilities": [float(p) for p in probs],
        }
        for name, X in inputs
        for row, probs in enumerate(net.forward(X))
    ]
    if as_json:
        parameters = {"model": str(model), "files": list(files)}
        report = {"schema": SCHEMA, "parameters": parameters, "classes": names, "results": finite(rows)}
        click.echo(json.dumps(report))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["file", "row", "class", *(f"p({name})" for name in names)])
        writer.writerows([r["file"], r["row"], r["class"], *(f"{p:.6g}" for p in r["probabilities"])] for r in rows)
    else:
        several = {name for name, X in inputs if len(X) > 1}
        for r in rows:
            place = f"{r['file']} row {r['row']}" if r["file"] in several else r["file"]
            click.echo(f"{place}: {r['class']}  ({_likeliest(names, r['probabilities'])})")


def _likeliest(names: tuple[str, ...], probabilities: list[float], limit: int = 3) -> str:
    order = sorted(range(len(names)), key=lambda k: -probabilities[k])[:limit]
    return ", ".join(f"{names[k]} {100 * probabilities[k]:.1f} %" for k in order)


def _standard_input() -> bytes:
    if sys.stdin is None:  # it was closed by whoever started us
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))
    return sys.stdin.buffer.read()


def _read(name: str, net: NeuralNetwork) -> _Inputs:
    from fastmlp.datasets.images import IMAGE_SUFFIXES, is_image, read_digit
    from fastmlp.errors import DataError

    try:
        content = _standard_input() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise DataError(f"{name} cannot be read: {error.strerror}") from None
    if name == "-":
        name = "stdin"
    if Path(name).suffix.lower() in IMAGE_SUFFIXES or is_image(content):
        if net.input_size != 784:
            raise DataError(
                f"{name} is a picture, which gives 784 inputs, and the model takes {net.input_size}: "
                "give it an .npz or CSV file of inputs"
            )
        return _Inputs(name, read_digit(content, name)[None])
    from fastmlp.datasets.inputs_only import read_inputs

    X = read_inputs(content, name)
    if X.shape[1] != net.input_size:
        hint = ": leave the column of labels out" if X.shape[1] == net.input_size + 1 else ""
        raise DataError(f"{name} has {X.shape[1]} inputs per sample and the model takes {net.input_size}{hint}")
    if net.input_scale != 1 and X.max() > 1:
        X = X * X.dtype.type(net.input_scale)
        click.echo(f"{name}: scaled by {net.input_scale:.4g}, as the model's training data were", err=True)
    return _Inputs(name, X)
