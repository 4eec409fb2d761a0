"""The results of a comparison as tables: on a terminal, in Markdown, and as comma-separated values."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fastmlp.comparison.arithmetic import counted_seconds
from fastmlp.comparison.results import ACCURACIES, PARITY
from fastmlp.files.spreadsheet import as_text_cell
from fastmlp.printable import printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = [
    "MEASURED",
    "SPEEDS",
    "TABLES",
    "cells",
    "csv_text",
    "failures",
    "markdown",
    "notes",
    "print_tables",
    "ranking",
]

Row = Mapping[str, Any]
_NOTHING = "-"
_NARROWEST = 120  # columns that a table needs on a terminal, where it is never cut off


def ranking(results: Mapping[str, Any], hidden_size: int) -> list[Row]:
    """Return the rows of one hidden size that have a result, by ratio or else by time, with those not ranked last.

    Each has what `counted_seconds` says of an epoch at that size under `counted`.
    """
    counted = counted_seconds(results, hidden_size)
    rows = [
        {**row, "counted": counted}
        for row in results["results"]
        if row["hidden_size"] == hidden_size and "error" not in row
    ]
    return sorted(rows, key=lambda row: (not row["parity"]["passed"], row["ratio"] or row["train_seconds"]))


def failures(results: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each net without a result, with the hidden sizes at which it has none."""
    sizes: dict[tuple[str, str], list[int]] = {}
    for row in results["results"]:
        if "error" in row:
            sizes.setdefault((row["net"], row["error"]), []).append(row["hidden_size"])
    every = len(results["parameters"]["hidden_sizes"])
    return [
        f"{net}{'' if len(where) == every else f' at {_listed(where)} hidden units'}: {error}"
        for (net, error), where in sizes.items()
    ]


def notes(results: Mapping[str, Any]) -> list[str]:
    """Return what a reader of the tables must know: the task, how it was measured, and what is missing."""
    parameters, data, rounds = results["parameters"], results["data"], results["rounds"]
    repeats = parameters["repeats"]
    figures = "The figures are those of a single run of each net"
    if repeats > 1:
        figures = (
            f"The figures are medians of {repeats} repeats; the intervals in brackets together contain the values of "
            "one more repeat with a probability of 95 %"
        )
    lines = [
        f"{data['name']}, {data['n_train']:,} samples: epochs {parameters['epochs']}, "
        f"batch {parameters['batch_size']}, {parameters['optimizer']} with lr {parameters['lr']:g}, "
        f"threads {parameters['threads']}. "
        f"{figures}. Time is that of the epochs, without import, first call and evaluation; its ratio to fastmlp's is "
        "the median over the epochs, in which the nets took turns.",
        f"Rounds: {rounds['run']} (planned: {rounds['planned']}), of which disturbed: {rounds['disturbed']}; at best "
        f"{results['environment']['peak_gflops']:.0f} GFLOP/s on {results['environment']['cpu']}.",
    ]
    if not results["complete"]:
        lines.append("Not complete: the comparison was interrupted, and these are the results that were finished.")
    return lines


# --- Cells ------------------------------------------------------------------------------------------------------------


def _listed(sizes: Iterable[int]) -> str:
    return ", ".join(map(str, sizes))


def _ratio(row: Row) -> str:
    if not row["parity"]["passed"]:
        return "not ranked"
    if row["ratio"] is None:
        return _NOTHING
    if row["net"] == "fastmlp":
        return "1"
    spread = row["spread"]["ratio"]
    return f"{row['ratio']:.2f}" + (f" ({spread[0]:.2f} to {spread[1]:.2f})" if spread else "")


def _seconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2f} s"


def _loss(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.4f}"


def _parity(row: Row) -> str:
    relative = row["parity"]["relative"]
    return "not a number" if relative is None else f"{relative:.1e}"


def _memory(row: Row) -> str:
    return _NOTHING if row["peak_memory_bytes"] is None else f"{row['peak_memory_bytes'] / 1e6:,.0f} MB"


def _milliseconds(value: float | None) -> str:
    return _NOTHING if value is None else f"{1000 * value:,.2f} ms"


def _times_counted(count: str) -> Callable[[Row], str]:
    return lambda row: f"{row['epoch_seconds'] / row['counted'][count]:.1f}"


def _to(accuracy: str) -> Callable[[Row], str]:
    return lambda row: _seconds(row["seconds_to_accuracy"][accuracy])


Columns = dict[str, Callable[[Row], str]]

MEASURED: Columns = {
    "Net": lambda row: str(row["net"]),
    "Time": lambda row: _seconds(row["train_seconds"]),
    "Test accuracy": lambda row: f"{row['test_accuracy']:.4f}",
    "Test loss": lambda row: _loss(row["test_loss"]),
    "Train accuracy": lambda row: f"{row['train_accuracy']:.4f}",
    "Train loss": lambda row: _loss(row["train_loss"]),
    "Time / fastmlp's": _ratio,
}
"""The original script's columns, and the ratio."""

DETAILS: Columns = {
    "Net": lambda row: str(row["net"]),
    "Import": lambda row: _seconds(row["import_seconds"]),
    "First call": lambda row: _seconds(row["compile_seconds"]),
    "Peak memory": _memory,
    **{f"To {accuracy}": _to(accuracy) for accuracy in ACCURACIES},
    "Parity": _parity,
}
"""Further columns: start-up times, memory, training seconds until a test accuracy was reached, the parity check."""

SPEEDS: Columns = {
    "Net": lambda row: str(row["net"]),
    "An epoch": lambda row: _milliseconds(row["epoch_seconds"]),
    "/ its arithmetic": _times_counted("dense"),
    "/ that of nonzeros": _times_counted("nonzeros"),
    "Score of 1 row": lambda row: _milliseconds(row["score_seconds"]["one"]),
    "Score of the test set": lambda row: _milliseconds(row["score_seconds"]["all"]),
}
"""An epoch beside its arithmetic, and the time of `score`."""

TABLES = (MEASURED, DETAILS, SPEEDS)
"""The tables of each hidden size."""

DETAILS_NOTE = (
    "An epoch / its arithmetic: as a multiple of the multiply-adds of all inputs, or of those that are not 0, at the "
    "machine's best rate. Score: the time to measure loss and accuracy. "
    "To 0.95: training seconds until this test accuracy was first reached. Parity: the relative difference of the mean "
    "loss of the first epoch from fastmlp's, from the same weights in the same order; a net with more than "
    f"{PARITY:g} is not ranked."
)


def cells(row: Row, columns: Columns) -> list[str]:
    """Return the text of each cell of a row."""
    return [text(row) for text in columns.values()]


# --- Forms ------------------------------------------------------------------------------------------------------------


def print_tables(results: Mapping[str, Any], console: Console) -> None:
    """Print the tables of each hidden size, and what a reader of them must know; nothing is ever cut off."""
    from rich.table import Table

    console.width = max(console.width, _NARROWEST)
    for size in results["parameters"]["hidden_sizes"]:
        rows = ranking(results, size)
        if not rows:
            continue
        for columns in TABLES:
            table = Table(title=f"{size} hidden units" if columns is MEASURED else None)
            for name in columns:
                table.add_column(name, justify="left" if name == "Net" else "right", no_wrap=True)
            for row in rows:
                table.add_row(*map(printable, cells(row, columns)))
            console.print(table, markup=False)
    for line in (*notes(results), DETAILS_NOTE, *failures(results)):
        console.print(printable(line), markup=False, soft_wrap=not console.is_terminal)


def markdown(results: Mapping[str, Any]) -> str:
    """Return one table of all hidden sizes in Markdown, and below it what a reader of it must know."""
    columns = {"Hidden size": lambda row: str(row["hidden_size"]), **MEASURED}
    lines = [_markdown_line(columns), "|" + "".join("---|" if name == "Net" else "--:|" for name in columns)]
    for size in results["parameters"]["hidden_sizes"]:
        lines += [_markdown_line(cells(row, columns)) for row in ranking(results, size)]
    lines += ["", *map(_markdown_text, notes(results)), *(f"- {_markdown_text(line)}" for line in failures(results))]
    return "\n".join(lines) + "\n"


def _markdown_line(texts: Iterable[str]) -> str:
    return "| " + " | ".join(map(_markdown_text, texts)) + " |"


def _markdown_text(text: str) -> str:
    """Return `text` with a backslash before what Markdown would take for something else; it is one line."""
    return re.sub(r"[\\`*_<>\[|#]", r"\\\g<0>", printable(text))


_PLAIN = (
    "train_seconds", "epoch_seconds", "import_seconds", "compile_seconds", "peak_memory_bytes", "test_accuracy",
    "test_loss", "train_accuracy", "train_loss", "ratio",
)  # fmt: skip
_WITH_INTERVAL = ("train_seconds", "epoch_seconds", "ratio")


def csv_text(results: Mapping[str, Any]) -> str:
    """Return a header and a line for each net and hidden size: numbers with all digits, empty where there is none."""
    file = io.StringIO()
    reached = [f"seconds_to_{accuracy}" for accuracy in ACCURACIES]
    scored = ["score_seconds_one", "score_seconds_all"]
    spreads = [f"{name}_{end}" for name in _WITH_INTERVAL for end in ("low", "high")]
    names = ["hidden_size", "net", "dataset", *_PLAIN, *spreads, *scored, *reached, "parity", "version", "error"]
    writer = csv.DictWriter(file, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in results["results"]:
        line = dict(row)
        if "error" not in row:
            for name in _WITH_INTERVAL:
                line[f"{name}_low"], line[f"{name}_high"] = row["spread"][name] or (None, None)
            line |= {f"score_seconds_{rows}": seconds for rows, seconds in row["score_seconds"].items()}
            line |= {f"seconds_to_{accuracy}": row["seconds_to_accuracy"][accuracy] for accuracy in ACCURACIES}
            line["parity"] = row["parity"]["relative"]
        writer.writerow({name: as_text_cell(cell) if isinstance(cell, str) else cell for name, cell in line.items()})
    return file.getvalue()
