"""What a terminal shows while nets are compared or swept through, and the table at the end of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from fastmlp.printable import printable

if TYPE_CHECKING:
    from fastmlp.comparison.comparison import ComparisonPlan, Event

__all__ = ["ComparisonReporter", "SweepReporter", "result_table"]


class ComparisonReporter:
    """Shows on stderr how far a comparison has come: a bar on a terminal, and a line for each run that ends."""

    def __init__(self, plan: ComparisonPlan) -> None:
        self._plan = plan
        self._rounds = len(plan.rounds)
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._epochs = 0  # done so far, by all runs together
        self._task = self._progress.add_task("", total=self._rounds * len(plan.modules) * plan.epochs)

    def __enter__(self) -> ComparisonReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def event(self, event: Event) -> None:
        """Show what has just happened to a run."""
        where = f"{event.hidden_size} hidden units, repeat {event.repeat + 1} of {self._plan.repeats}"
        if event.error is None:
            self._epochs += 1
            description = f"{where}: epoch {event.epoch} of {self._plan.epochs}"
            self._progress.update(self._task, completed=self._epochs, description=description)
            if event.result is None:
                return
            line = f"{event.result['train_seconds']:.2f} s, test accuracy {event.result['test_accuracy']:.4f}"
        else:
            line = f"failed: {printable(event.error)}"
        self._console.print(f"{event.net}, {where}: {line}", soft_wrap=True, markup=False)

    def round(self, done: int, in_all: int) -> None:
        """Show that `done` rounds have ended, of the `in_all` that are planned by now."""
        if in_all > self._rounds:
            self._console.print(
                f"the machine was busy: rounds below 80 % of its best rate are repeated ({in_all - done} to go)",
                soft_wrap=True,
            )
            self._rounds = in_all
        self._progress.update(
            self._task, total=self._epochs + (in_all - done) * len(self._plan.modules) * self._plan.epochs
        )


class SweepReporter:
    """Shows on stderr how far a sweep has come: a bar on a terminal, and a line for each net that is trained."""

    def __init__(self, nets: int) -> None:
        self._nets, self._done = nets, 0
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("net"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("", total=nets)

    def __enter__(self) -> SweepReporter:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def row(self, row: dict[str, Any]) -> None:
        """Show the row of a net that has just been trained, or has failed."""
        self._done += 1
        self._progress.update(self._task, completed=self._done)
        if "error" in row:
            line = f"failed: {printable(row['error'])}"
        else:
            line = f"validation accuracy {row['val_accuracy']:.4f}, {row['train_seconds']:.2f} s"
        setting = f"{row['hidden_size']} hidden units, lr {row['lr']:g}"
        self._console.print(f"{self._done}/{self._nets}: {setting}: {line}", soft_wrap=True, markup=False)


def result_table(row: dict[str, Any]) -> None:
    """Print the results of training on stdout, as a table that is whole even where the terminal is narrow."""
    # Text, because rich would take square brackets in a file's name for markup.
    table = Table(title=Text(f"{row['net']}, {row['hidden_size']} hidden units, {printable(row['dataset'])}"))
    for name in ("Time", "Test accuracy", "Test loss", "Train accuracy", "Train loss"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row(
        f"{row['train_seconds']:.2f} s",
        f"{row['test_accuracy']:.4f}",
        f"{row['test_loss']:.4f}",
        f"{row['train_accuracy']:.4f}",
        f"{row['train_loss']:.4f}",
    )
    console = Console(highlight=False)
    console.width = max(console.width, 80)
    console.print(table)
    console.print(f"Compiling, or loading from disk, took {row['compile_seconds']:.2f} s more.", soft_wrap=True)
