"""`fastmlp info`: show what fastmlp runs on."""

from __future__ import annotations

import json

import click

from fastmlp.commands import SCHEMA
from fastmlp.commands.options import as_json_option

__all__ = ["info"]


@click.command()
@as_json_option
def info(as_json: bool) -> None:
    """Show what fastmlp runs on: versions, CPU, threads, tile, kernel cache."""
    from fastmlp.environment import environment

    facts = environment()
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "environment": facts}))
        return
    for name, value in facts.items():
        click.echo(f"{name:16} {value}")
