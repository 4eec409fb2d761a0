"""What a person sees while a net trains, and at its end."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from fastmlp.network import History

__all__ = ["EpochReporter", "result_table"]


class EpochReporter:
    """Tells of each epoch on stderr: a bar on a terminal, a plain line per epoch elsewhere."""

    def __init__(self, epochs: int, samples: int, done: int = 0) -> None:
        self._epochs, self._samples = epochs, samples
        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("compiling or loading the kernels", total=epochs, completed=done)

    def __enter__(self) -> EpochReporter:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def epoch(self, epoch: int, history: History) -> None:
        """Report the epoch that has just ended; to be given to `fit` as its callback."""
        rate = self._samples / history.seconds[-1]
        line = f"loss {history.loss[-1]:.4f}, accuracy {history.accuracy[-1]:.4f}, {rate:,.0f} samples/s"
        if self._console.is_terminal:
            self._progress.update(self._task, completed=epoch, description=line)
        else:
            self._console.print(f"epoch {epoch}/{self._epochs}: {line}", soft_wrap=True)


def result_table(row: dict[str, Any]) -> None:
    """Print the table of a training run on stdout; it is never cut, however narrow the terminal."""
    # A file's name may hold square brackets, which rich would take for markup.
    table = Table(title=Text(f"{row['net']}, {row['hidden_size']} hidden units, {row['dataset']}"))
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
