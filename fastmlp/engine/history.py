"""What is remembered of a training: a value of each epoch, and how it ended."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

from fastmlp import html

__all__ = ["PER_EPOCH", "Callback", "History"]

PER_EPOCH = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy", "lr")
"""What a `History` has a list of, with a value of each epoch."""


@dataclass
class History:
    """What happened in each epoch of a `fit`: lists with a value per epoch, and how it ended.

    Attributes
    ----------
    loss, accuracy
        Means over the epoch's samples, each batch taken before its update.
    seconds
        Time of the epoch, without compilation.
    val_loss, val_accuracy
        Measured after the epoch, where `validation` was given.
    lr
        Learning rate of the epoch; NaN where an older model file does not say it.
    compile_seconds
        Time for compiling kernels, or loading them from disk.
    best_epoch
        With early stopping, the number of the epoch, from 1, whose weights the net has in the end.
    stopped_early
        Whether early stopping ended the training.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    lr: list[float] = field(default_factory=list)
    compile_seconds: float = 0.0
    best_epoch: int | None = None
    stopped_early: bool = False

    def _repr_html_(self) -> str:
        rows = [("Epochs", f"{len(self.loss):,}{', stopped early' if self.stopped_early else ''}")]
        if self.best_epoch is not None:
            rows.append(("Best epoch", f"{self.best_epoch:,}"))
        if self.loss:
            rows.append(("Last epoch", self._last("loss", "accuracy")))
        if self._validated:
            rows.append(("Validation", self._last("val_loss", "val_accuracy")))
        if self.lr:
            rates = [f"{rate:.4g}" for rate in (self.lr[0], self.lr[-1])]
            rows.append(("Learning rate", " to ".join(dict.fromkeys(rates))))
        rows.append(("Time", f"{sum(self.seconds):,.2f} s, and compiling {self.compile_seconds:,.2f} s"))
        return html.table("Training", rows) + self._curves()

    def _curves(self) -> str:
        """The loss and the accuracy of each epoch, as pictures for a notebook."""
        losses, accuracies = [html.Curve("train", self.loss)], [html.Curve("train", self.accuracy)]
        if self._validated:
            losses.append(html.Curve("validation", self.val_loss))
            accuracies.append(html.Curve("validation", self.val_accuracy))
        return f"<div>{html.curves('Loss', losses)} {html.curves('Accuracy', accuracies, as_percent=True)}</div>"

    @property
    def _validated(self) -> bool:
        """Whether there is a value; a `TrainingSession` that measures nothing puts NaN in both lists."""
        return not all(math.isnan(value) for value in (*self.val_loss, *self.val_accuracy))

    def _last(self, loss: str, accuracy: str) -> str:
        """The last values of these two lists, either of which may be empty."""
        losses, accuracies = getattr(self, loss)[-1:], getattr(self, accuracy)[-1:]
        told = [f"loss {html.number(value)}" for value in losses]
        return ", ".join(told + [f"accuracy {html.percent(value)}" for value in accuracies])


Callback = Callable[[int, History], bool | None]
"""Called after each epoch with its number, from 1, and the history so far; True ends the training."""
