"""What `compare` and `report` share: the form in which results are printed, and the folder for the report."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["print_results", "report_options"]

_Command = TypeVar("_Command", bound=Callable[..., Any])


def report_options(function: _Command) -> _Command:
    """Add `--json`, `--csv` and `--markdown`, handed on as one `form`, and `--output` with `--force`.

    The folder is checked before the command does anything.
    """
    options = [
        click.option(
            "--output",
            "-o",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder for the report, its plots and the raw results.",
        ),
        click.option("--force", is_flag=True, help="Replace what is in --output."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."),
        click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values and nothing else."),
        click.option("--markdown", "as_markdown", is_flag=True, help="Print a Markdown table and nothing else."),
    ]

    @functools.wraps(function)
    def with_form(
        *, output: Path | None, force: bool, as_json: bool, as_csv: bool, as_markdown: bool, **others: Any
    ) -> Any:
        forms = [name for name, wanted in (("json", as_json), ("csv", as_csv), ("markdown", as_markdown)) if wanted]
        if len(forms) > 1:
            raise click.UsageError("--json, --csv and --markdown exclude each other")
        if output:
            _check_folder(output, force)
        return function(output=output, form=forms[0] if forms else "table", **others)

    decorated: Any = with_form
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _check_folder(folder: Path, force: bool) -> None:
    """Refuse a folder that cannot be written, or that is not empty, as wrong usage; nothing is changed there."""
    from fastmlp.comparison.report.page import files_of_report
    from fastmlp.files.atomic import check_writable

    try:
        there = os.path.isdir(folder)  # noqa: PTH112 - Path.is_dir raises for a name that is too long
        if not there:
            check_writable(folder)
            folder.mkdir()
        try:
            for path in files_of_report(folder):
                check_writable(path, force=True)
        finally:
            if not there:
                folder.rmdir()
        occupied = there and any(folder.iterdir())
    except OSError as error:
        raise click.UsageError(str(error)) from error
    if occupied and not force:
        raise click.UsageError(f"{folder} is not empty; name another folder, or use --force to replace what is in it")


def print_results(results: dict[str, Any], form: str) -> None:
    """Print the results of a comparison on stdout: as "json", "csv", "markdown" or a "table" for a person."""
    if form == "json":
        click.echo(json.dumps(results, allow_nan=False))
        return
    from rich.console import Console

    from fastmlp.comparison.report import csv_text, markdown, print_tables

    if form == "table":
        print_tables(results, Console(highlight=False))
    else:
        click.echo((csv_text if form == "csv" else markdown)(results).rstrip("\n"))
