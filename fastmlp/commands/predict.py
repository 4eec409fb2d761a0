"""`fastmlp predict`: what a trained net sees in pictures and tables."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.compile_notice import compile_notice
from fastmlp.commands.options import MODEL, as_json_option, header_option, threads_option
from fastmlp.files.spreadsheet import as_text_cell
from fastmlp.printable import printable

__all__ = ["predict"]

_MOST_CLASSES = 3  # listed for each sample


@click.command()
@click.argument("model", type=MODEL)
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@threads_option
@header_option
@as_json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, with a column for the probability of each class.")
def predict(
    model: Path, files: tuple[str, ...], threads: int | None, header: bool | None, as_json: bool, as_csv: bool
) -> None:
    """Say what MODEL sees in each FILE: a picture of a digit, an .npz, a table or an svmlight file; - is stdin."""
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    from fastmlp.datasets.choice import DatasetChoice
    from fastmlp.datasets.standard_input import named_source
    from fastmlp.files.json_safe import json_safe
    from fastmlp.files.model import read_model
    from fastmlp.model_inputs import class_names, read_inputs
    from fastmlp.network import NeuralNetwork

    content = read_model(model)
    net = NeuralNetwork.from_file(model, content, n_threads=threads)
    names = class_names(net)
    trained_on = DatasetChoice.from_training(content.metadata.get("training"))
    label_column = trained_on and trained_on.label_column
    # Everything is read before anything is printed: a bad file gives a sentence, not half an answer.
    first_column = trained_on and trained_on.first_column
    told: dict[str, Any] = {"label_column": label_column, "header": header, "first_column": first_column}
    inputs = [read_inputs(named_source(name), net, **told) for name in files]
    for name, _, factor in inputs:
        if factor != 1:
            click.echo(f"{printable(name)}: scaled by {factor:.4g}, as the model's training data was", err=True)
    with compile_notice():
        rows = [
            {
                "file": name,
                "row": row,
                "class": _likeliest(probs.tolist(), names),
                "probability": float(probs.max()),
                "probabilities": [float(p) for p in probs],
            }
            for name, X, _ in inputs
            for row, probs in enumerate(net.forward(X))
        ]
    if as_json:
        parameters = {"model": str(model), "files": list(files)}
        report = {"schema": SCHEMA, "parameters": parameters, "classes": names, "results": json_safe(rows)}
        click.echo(json.dumps(report))
    elif as_csv:
        _print_csv(rows, names)
    else:
        _print_lines(rows, names, several={name for name, X, _ in inputs if X.shape[0] > 1})


def _likeliest(probabilities: list[float], names: tuple[str, ...]) -> str | None:
    """Return the likeliest class; None where there are no probabilities, as the net's outputs overflow float32."""
    return None if math.isnan(probabilities[0]) else names[probabilities.index(max(probabilities))]


def _print_csv(rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(["file", "row", "class", *(f"p({name})" for name in names)])
    writer.writerows(
        [as_text_cell(r["file"]), r["row"], as_text_cell(r["class"] or ""), *(f"{p:.6g}" for p in r["probabilities"])]
        for r in rows
    )


def _print_lines(rows: list[dict[str, Any]], names: tuple[str, ...], several: set[str]) -> None:
    """Print a line for each row with its likeliest classes; the row's number only for files in `several`."""
    for r in rows:
        place = f"{r['file']} row {r['row']}" if r["file"] in several else r["file"]
        if r["class"] is None:
            click.echo(f"{printable(place)}: no answer, as the net's outputs overflow float32")
            continue
        probabilities = r["probabilities"]
        likeliest = sorted(range(len(names)), key=lambda k: -probabilities[k])[:_MOST_CLASSES]
        told = ", ".join(f"{printable(names[k])} {100 * probabilities[k]:.1f} %" for k in likeliest)
        click.echo(f"{printable(place)}: {printable(r['class'])}  ({told})")
