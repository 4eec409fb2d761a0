"""`fastmlp info`: show what fastmlp runs on, or what a model file says of its net."""

from __future__ import annotations

import json
from pathlib import Path

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.options import MODEL, as_json_option

__all__ = ["info"]


@click.command()
@click.argument("model", type=MODEL, required=False)
@as_json_option
def info(model: Path | None, as_json: bool) -> None:
    """Show what fastmlp runs on: versions, CPU, threads, tile, kernel cache; or how the net in MODEL was made."""
    if model is not None:
        from fastmlp.commands.recipe import print_recipe, recipe_of

        recipe = recipe_of(model)
        if as_json:
            click.echo(json.dumps({"schema": SCHEMA, "parameters": {"model": str(model)}, "results": recipe}))
        else:
            print_recipe(recipe)
        return
    from fastmlp.environment import environment

    facts = environment()
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "environment": facts}))
        return
    for name, value in facts.items():
        click.echo(f"{name:16} {value}")
