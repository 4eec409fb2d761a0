"""`fastmlp report`: show an earlier comparison again, from its results.json."""

from __future__ import annotations

from pathlib import Path

import click

from fastmlp.commands.report_options import print_results, report_options
from fastmlp.printable import printable

__all__ = ["report"]


@click.command()
@click.argument("results", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@report_options
def report(results: Path, output: Path | None, form: str) -> None:
    """Show RESULTS, the results.json of an earlier comparison."""
    from fastmlp.comparison.report import write_report
    from fastmlp.comparison.results_file import read_results

    content = read_results(results)
    print_results(content, form)
    if output:
        click.echo(f"report written to {printable(write_report(content, output))}", err=True)
