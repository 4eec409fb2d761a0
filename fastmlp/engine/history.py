"""What is remembered of a training: a value of each epoch, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

__all__ = ["PER_EPOCH", "Callback", "History"]

PER_EPOCH = ("loss", "accuracy", "seconds", "val_loss", "val_accuracy", "lr")
"""What a `History` has a list of, with a value of each epoch."""


@dataclass
class History:
    """What happened in each epoch of a `fit`.

    `loss` and `accuracy` are means over the epoch's samples, each batch taken before its update; `seconds` is the
    time of the epoch without compilation, which stands in `compile_seconds`; `val_loss` and `val_accuracy` are measured
    after the epoch when `validation` is given; `lr` is the learning rate of the epoch, NaN where an older model file
    does not say it. With early stopping, `best_epoch` is the number of the epoch, from 1, whose weights the net has in
    the end, and `stopped_early` says whether it ended the training.
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


Callback = Callable[[int, History], bool | None]
"""Called after each epoch with its number, from 1, and the history so far; True ends the training."""
