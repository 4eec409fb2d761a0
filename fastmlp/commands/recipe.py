"""What a model file says of its net: sizes, classes, what is done to its inputs, and how it was trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fastmlp.printable import printable, shown

if TYPE_CHECKING:
    from fastmlp.network import NeuralNetwork

__all__ = ["print_recipe", "recipe_of"]

_MOST_INPUTS = 20  # listed; --json has all
_MOST_CLASSES = 20
_SETTINGS = {
    "schedule": "schedule",
    "class_weight": "class weight",
    "validation_fraction": "validation",
    "early_stopping": "early stopping",
}
_MEASURED = ("loss", "accuracy", "val_loss", "val_accuracy")


def recipe_of(path: Path) -> dict[str, Any]:
    """Return all that the model file `path` says of its net, but for the weights, as JSON can hold it.

    Raises ModelFileError for a file that holds no model, OSError where it cannot be opened.
    """
    from fastmlp.files.json_safe import json_safe
    from fastmlp.files.model import read_model
    from fastmlp.model_inputs import class_names
    from fastmlp.network import NeuralNetwork

    content = read_model(path)
    net = NeuralNetwork.from_file(path, content)
    facts = {
        "model": str(path),
        "format": content.metadata["format"],
        "fastmlp": content.metadata.get("fastmlp"),
        "input_size": net.input_size,
        "hidden_size": net.hidden_size,
        "output_size": net.output_size,
        "classes": class_names(net),
        "init": net.init,
        "seed": net.seed,
        "lr": net.lr,
        "optimizer": content.metadata.get("optimizer") or {"name": "sgd"},
        "input_scale": net.input_scale,
        "input_limit": net.scaling and net.scaling.limit,
        "table_columns": net.table_columns and [column._asdict() for column in net.table_columns],
        "inputs": _inputs(net),
        "training": _training(content.metadata.get("training")),
    }
    safe: dict[str, Any] = json_safe(facts)
    return safe


def _inputs(net: NeuralNetwork) -> list[dict[str, Any]]:
    """Return the name, centre and spread of each input, None for what it does not have."""
    names = net.feature_names or [None] * net.input_size
    nothing: list[Any] = [None] * net.input_size
    centres, spreads = (nothing, nothing) if net.scaling is None else (part.tolist() for part in net.scaling[:2])
    return [
        {"name": name, "centre": centre, "spread": spread}
        for name, centre, spread in zip(names, centres, spreads, strict=True)
    ]


def _training(training: Any) -> Any:
    """Return the record of the training, with the last values of its history; None where there is none."""
    if not isinstance(training, dict):
        return None
    history = training.get("history")
    last = {
        name: series[-1]
        for name, series in (history.items() if isinstance(history, dict) else ())
        if isinstance(series, list) and series
    }
    return {**training, "history": last}


def print_recipe(recipe: dict[str, Any]) -> None:
    """Print what `recipe_of` returned."""

    def line(what: str, told: str) -> None:
        click.echo(f"{what:16} {printable(told)}")

    line("model", f"{recipe['model']} (format {recipe['format']}, fastmlp {recipe['fastmlp']})")
    line(
        "sizes", f"{recipe['input_size']} inputs, {recipe['hidden_size']} hidden units, {recipe['output_size']} classes"
    )
    line("classes", shown(recipe["classes"], _MOST_CLASSES))
    line("initial weights", f"{recipe['init']}, seed {recipe['seed']}")
    settings = dict(recipe["optimizer"])
    name = settings.pop("name", "sgd")
    line("optimizer", ", ".join([name, f"lr {recipe['lr']:g}", *(f"{key} {value}" for key, value in settings.items())]))
    _print_training(recipe["training"], line)
    for column in recipe["table_columns"] or ():
        if column["categories"] is not None:
            texts = shown((text or "(missing)" for text in column["categories"]), _MOST_CLASSES)
            line("text", f"{column['name']} is one of {texts}")
        elif column["fill"] is not None:
            line("missing", f"{column['name']} becomes {column['fill']:g} where it is missing")
    if recipe["input_scale"] != 1:
        line("inputs", f"the original values multiplied by {recipe['input_scale']:.6g}")
    if recipe["input_limit"] is not None:
        line("inputs", f"(value - centre) / spread, cut off beyond {recipe['input_limit']:g}:")
    for number, each in enumerate(recipe["inputs"][:_MOST_INPUTS], 1):
        told = each["name"] or f"column {number}"
        if recipe["input_limit"] is not None:
            told += f": centre {each['centre']:.6g}, spread {each['spread']:.6g}"
        if each["name"] is not None or recipe["input_limit"] is not None:
            line(f"  {number}", told)
    if len(recipe["inputs"]) > _MOST_INPUTS:
        line("  ...", f"and {len(recipe['inputs']) - _MOST_INPUTS} more; --json has all")


def _print_training(training: Any, line: Any) -> None:
    if training is None:
        line("training", "not recorded")
        return
    dataset = training.get("dataset")
    source = f" on {dataset.get('name')} ({dataset.get('source')})" if isinstance(dataset, dict) else ""
    line("training", f"{training.get('epochs')} epochs, batches of {training.get('batch_size')}{source}")
    for what in _SETTINGS:
        value = training.get(what)
        if value is not None:
            parts = [f"{key} {part}" for key, part in value.items()] if isinstance(value, dict) else [str(value)]
            line(_SETTINGS[what], ", ".join(parts))
    history = training["history"]
    told = [f"{name} {history[name]:.4f}" for name in _MEASURED if isinstance(history.get(name), float)]
    if told:
        line("last epoch", ", ".join(told))
