"""What people see of a sweep: a table, CSV, and a plot of accuracy against time. All from the results alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastmlp.files.spreadsheet import as_text_cell
from fastmlp.palette import SERIES
from fastmlp.plots import calm, check_picture, new_figure, save_figure, seconds_ticks
from fastmlp.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["csv_text", "plot_sweep", "print_table"]

Results = Mapping[str, Any]

_NARROWEST = 90  # columns that the table needs on a terminal, where it is never cut off
_COLUMNS = (
    "hidden_size",
    "lr",
    "epochs",
    "best_epoch",
    "train_seconds",
    "val_accuracy",
    "val_loss",
    "test_accuracy",
    "test_loss",
    "error",
)


def print_table(results: Results, console: Console) -> None:
    """Print a row for each setting that was trained, and what the test set says of the best."""
    from rich.table import Table
    from rich.text import Text

    data, best = results["data"], results["best"]
    table = Table(title=Text(f"{printable(data['name'])}, {data['n_validation']:,} samples for validation"))
    for name in ("Hidden units", "lr", "Validation accuracy", "Validation loss", "Epochs", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in results["results"]:
        cells = [str(row["hidden_size"]), f"{row['lr']:g}"]
        if "error" in row:
            table.add_row(*cells, "failed")
            continue
        cells += [f"{row['val_accuracy']:.4f}", _number(row["val_loss"]), str(row["epochs"])]
        table.add_row(*cells, f"{row['train_seconds']:.2f} s")
    console.width = max(console.width, _NARROWEST)
    console.print(table)
    for row in results["results"]:
        if "error" in row:
            line = f"{row['hidden_size']} hidden units, lr {row['lr']:g}: {printable(row['error'])}"
            console.print(line, soft_wrap=True, markup=False)
    if best is not None:
        setting = f"{best['hidden_size']} hidden units, lr {best['lr']:g}"
        told = f"test accuracy {best['test_accuracy']:.4f}, test loss {_number(best['test_loss'])}"
        console.print(f"Best: {setting}: {told}", soft_wrap=True, markup=False)


def csv_text(results: Results) -> str:
    """Return a header and a line for each setting: numbers with all digits, empty where there is none."""
    file, best = io.StringIO(), results["best"] or {}
    writer = csv.DictWriter(file, _COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in results["results"]:
        is_best = all(row[name] == best.get(name) for name in ("hidden_size", "lr"))
        line = {**row, **(best if is_best else {})}
        writer.writerow({name: as_text_cell(cell) if isinstance(cell, str) else cell for name, cell in line.items()})
    return file.getvalue()


def plot_sweep(results: Results, path: Path) -> None:
    """Draw the validation accuracy of each setting against its training time into the file `path`.

    Raises ValueError for an unknown suffix, ImportError where matplotlib is missing, OSError where `path` cannot be
    written.
    """
    check_picture(path)
    figure = new_figure(9, 5.6)
    axes, parameters = figure.subplots(), results["parameters"]
    for place, size in enumerate(parameters["hidden_sizes"]):
        rows = [row for row in results["results"] if row["hidden_size"] == size and "error" not in row]
        seconds, percent = [row["train_seconds"] for row in rows], [100 * row["val_accuracy"] for row in rows]
        colour = SERIES[place % len(SERIES)][0]
        marker = SERIES[(place + place // len(SERIES)) % len(SERIES)][1]
        axes.plot(seconds, percent, ls="", color=colour, marker=marker, ms=8, label=f"{size} hidden units")
        for row, x, y in zip(rows, seconds, percent, strict=True):
            axes.annotate(f"{row['lr']:g}", (x, y), (7, 3), textcoords="offset points", fontsize=8)
    failed = sum("error" in row for row in results["results"])
    left_out = f"; {failed} failed, not shown" if failed else ""
    figure.suptitle(
        f"Validation accuracy against training time (the number is the learning rate{left_out})\n"
        f"{printable(results['data']['name'])}, batch {parameters['batch_size']}, {parameters['optimizer']}, "
        f"epochs {parameters['epochs']}, threads {parameters['threads'] or 'as the workers have'}",
        fontsize=12, parse_math=False,
    )  # fmt: skip
    axes.set(xscale="log", xlabel="training seconds (log)", ylabel="validation accuracy (%)")
    seconds_ticks(axes.xaxis)
    calm(axes)
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    save_figure(figure, path)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
