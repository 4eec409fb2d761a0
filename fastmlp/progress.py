"""How far a training has come: a bar in a terminal, a bar and curves in a notebook, a line per epoch elsewhere."""

from __future__ import annotations

import math
import sys
import time
from typing import Any, Protocol

from fastmlp import html
from fastmlp.engine.history import Callback, History
from fastmlp.engine.watching import Watcher

__all__ = ["ProgressBar"]

_BEFORE = "compiling or loading the kernels"
_SECONDS_BETWEEN = 0.1  # two updates of a notebook: more would only make it slow


class ProgressBar(Watcher):
    """A callback that shows how far training has come: epoch, loss, accuracy, samples per second, and the time left.

    In a terminal it is a bar on stderr. In a notebook it is a bar, and the curves of loss and accuracy so far, in the
    output of the cell. Elsewhere, such as in a log file, it is a line on stderr for each epoch.

    However the training ends, also by an error or Ctrl-C, terminal and notebook are left as they should be. The same
    bar can be used for one training after another, not for two at the same time.

    Parameters
    ----------
    callback
        Called as any callback, after the epoch has been shown. Where it returns True, `fit` ends the training; a
        `TrainingSession` does not.

    Examples
    --------
    >>> import contextlib, io, re
    >>> import numpy as np
    >>> from fastmlp import NeuralNetwork, ProgressBar
    >>> net = NeuralNetwork(hidden_size=2, input_size=2, output_size=2, seed=0)
    >>> with contextlib.redirect_stderr(io.StringIO()) as log:
    ...     history = net.fit(np.eye(2), [0, 1], number_epochs=2, batch_size=2, callback=ProgressBar())
    >>> [line.partition(",")[0] for line in log.getvalue().splitlines()]
    ['epoch 1/2: loss 0.7140', 'epoch 2/2: loss 0.7117']
    """

    def __init__(self, callback: Callback | None = None) -> None:
        self._callback = callback
        self._display: _Display | None = None

    def start(self, epochs: int, samples: int, done: int = 0) -> None:
        """Show that a training begins; whatever trains calls it.

        Parameters
        ----------
        epochs
            Epochs that there are to be in all.
        samples
            Samples of an epoch.
        done
            Epochs that were done before.
        """
        self._display = _display(epochs, samples, done)

    def __call__(self, epoch: int, history: History) -> bool | None:
        """Show an epoch that has ended, and call the callback.

        Parameters
        ----------
        epoch
            Its number, from 1.
        history
            That of all epochs so far.

        Returns
        -------
        bool or None
            What the callback returned.
        """
        display = self._display or _Lines(None, None)  # called by a function that `fit` does not know for a watcher
        display.show(epoch, history)
        return None if self._callback is None else self._callback(epoch, history)

    def stop(self) -> None:
        """Show that the training has ended; whatever trains calls it."""
        display, self._display = self._display, None
        if display is not None:
            display.close()


class _Display(Protocol):
    """What is shown of a training, on one kind of screen."""

    def show(self, epoch: int, history: History) -> None:
        """Show an epoch that has ended."""

    def close(self) -> None:
        """Show that the training has ended, and leave the screen to others."""


def _display(epochs: int, samples: int, done: int) -> _Display:
    if _in_notebook():
        return _Notebook(epochs, samples, done)
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    return _Terminal(console, epochs, samples, done) if console.is_terminal else _Lines(epochs, samples)


def _in_notebook() -> bool:
    """Whether the code runs in the kernel of a notebook, which has loaded IPython and shows HTML."""
    ipython = sys.modules.get("IPython")
    return ipython is not None and getattr(ipython.get_ipython(), "kernel", None) is not None


def _line(history: History, samples: int | None) -> str:
    """The last epoch in words."""
    line = f"loss {history.loss[-1]:.4f}, accuracy {history.accuracy[-1]:.4f}"
    if samples is not None and history.seconds[-1] > 0:
        line += f", {samples / history.seconds[-1]:,.0f} samples/s"
    if len(set(history.lr[-2:])) > 1:
        line += f", lr now {history.lr[-1]:.3g}"
    return line


class _Lines:
    """A line per epoch on stderr; None stands for what is not known where nobody has said that a training begins."""

    def __init__(self, epochs: int | None, samples: int | None) -> None:
        from rich.console import Console

        self._of, self._samples = "" if epochs is None else f"/{epochs}", samples
        self._console = Console(stderr=True, highlight=False)

    def show(self, epoch: int, history: History) -> None:
        self._console.print(f"epoch {epoch}{self._of}: {_line(history, self._samples)}", soft_wrap=True)

    def close(self) -> None:
        pass


class _Terminal:
    """A bar."""

    def __init__(self, console: Any, epochs: int, samples: int, done: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._progress = Progress(TextColumn("epoch"), MofNCompleteColumn(), *columns, console=console)
        self._task = self._progress.add_task(_BEFORE, total=epochs, completed=done)
        self._samples = samples
        self._progress.start()

    def show(self, epoch: int, history: History) -> None:
        self._progress.update(self._task, completed=epoch, description=_line(history, self._samples))

    def close(self) -> None:
        self._progress.stop()


class _Notebook:
    """A bar with curves in the output of a cell, which is written again as the training goes on."""

    def __init__(self, epochs: int, samples: int, done: int) -> None:
        from IPython.display import display

        self._epochs, self._samples, self._epoch = epochs, samples, done
        self._history: History | None = None
        self._first: tuple[int, float] | None = None  # the epoch that ended first, and when
        self._updated = time.monotonic()
        show: Any = display
        self._handle = show(self._content(self._line()), raw=True, display_id=True)

    def show(self, epoch: int, history: History) -> None:
        now = time.monotonic()
        self._epoch, self._history = epoch, history
        self._first = self._first or (epoch, now)
        if now - self._updated >= _SECONDS_BETWEEN:
            self._update(self._line() + self._time_left(now, *self._first))

    def close(self) -> None:
        if self._epoch >= self._epochs:
            self._update(self._line())
        elif self._history is None:
            self._update("stopped before the end of an epoch")
        else:
            self._update(f"stopped after {self._line()}")

    def _line(self) -> str:
        told = _BEFORE if self._history is None else _line(self._history, self._samples)
        return f"epoch {self._epoch:,} of {self._epochs:,}: {told}"

    def _time_left(self, now: float, first: int, then: float) -> str:
        """How long the other epochs will take if they are like those after the first, of which no time is known."""
        if self._epoch == first:
            return ""
        seconds = math.ceil((now - then) / (self._epoch - first) * (self._epochs - self._epoch))
        return f", {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d} left"

    def _update(self, told: str) -> None:
        self._handle.update(self._content(told), raw=True)
        self._updated = time.monotonic()

    def _content(self, told: str) -> dict[str, str]:
        bar = f'<progress value="{self._epoch}" max="{self._epochs}" aria-label="epochs"></progress>'
        curves = "" if self._history is None else self._history._curves()
        return {"text/html": f"<div>{bar} {html.text(told)}</div>{curves}", "text/plain": told}
