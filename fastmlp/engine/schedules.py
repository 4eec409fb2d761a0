"""Schedules of the learning rate: which rate an epoch has.

The rate changes from epoch to epoch, not within one. It depends on nothing but the net's `lr`, the number of the epoch,
the number of all epochs, and the validation losses so far, which a model file keeps: a training that is resumed goes on
with the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from fastmlp.engine.settings import check_integer, check_number, check_size
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["SCHEDULES", "CosineDecay", "ReduceOnPlateau", "Schedule", "Standing", "StepDecay", "as_schedule"]


class Standing(NamedTuple):
    """Where a training stands before an epoch.

    `lr` is the learning rate of the net, `epoch` the number of the epoch, from 1, of `epochs` in all, and `val_loss`
    the validation loss of each epoch before it, where that was measured.
    """

    lr: float
    epoch: int
    epochs: int
    val_loss: Sequence[float] = ()


@dataclass(frozen=True)
class StepDecay:
    """The rate is multiplied by a factor after every so many epochs: lr factor^floor((epoch - 1) / every).

    Parameters
    ----------
    every
        Epochs between two falls.
    factor
        Between 0 and 1.

    Examples
    --------
    >>> [StepDecay(every=2, factor=0.5).rate(Standing(0.1, epoch, 6)) for epoch in range(1, 7)]
    [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    """

    every: int = 10
    factor: float = 0.1

    needs_validation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_integer("every", self.every)
        _check_factor(self.factor)

    def rate(self, now: Standing) -> float:
        """Return the rate of the epoch that comes now.

        Parameters
        ----------
        now
            Where the training stands: lr, epoch, epochs and val_loss.

        Returns
        -------
        float
            The learning rate.
        """
        return float(now.lr * self.factor ** ((now.epoch - 1) // self.every))


@dataclass(frozen=True)
class CosineDecay:
    """The rate falls along half a wave of the cosine.

    Parameters
    ----------
    warmup
        Epochs at the beginning in which the rate climbs in equal steps.

    Notes
    -----
    With T epochs in all, of which the first w are the warm-up, the rate of epoch t + 1 is::

        lr (t + 1) / (w + 1)                             for t < w
        lr (1 + cos(pi (t - w) / (T - w))) / 2           from then on.

    A training that is later taken on to more epochs goes on along the curve of the new T. Source: Loshchilov and Hutter
    2017, "SGDR: stochastic gradient descent with warm restarts", equation 5.

    Examples
    --------
    >>> [round(CosineDecay(warmup=1).rate(Standing(0.1, epoch, 5)), 4) for epoch in range(1, 6)]
    [0.05, 0.1, 0.0854, 0.05, 0.0146]
    """

    warmup: int = 0

    needs_validation: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_integer("warmup", self.warmup, minimum=0)

    def rate(self, now: Standing) -> float:
        """Return the rate of the epoch that comes now.

        Parameters
        ----------
        now
            Where the training stands: lr, epoch, epochs and val_loss.

        Returns
        -------
        float
            The learning rate.
        """
        t = now.epoch - 1
        if t < self.warmup:
            return float(now.lr * (t + 1) / (self.warmup + 1))
        return float(now.lr * (1 + math.cos(math.pi * (t - self.warmup) / (now.epochs - self.warmup))) / 2)


@dataclass(frozen=True)
class ReduceOnPlateau:
    """The rate is multiplied by a factor when the validation loss stalls, as by Keras's ReduceLROnPlateau.

    Parameters
    ----------
    factor
        Between 0 and 1; the default is that of scikit-learn's "adaptive" rate.
    patience
        Epochs in a row that are not better than the best one, after which the rate falls and the count begins anew. The
        default is half of that of `EarlyStopping`, so that a lower rate is tried before training ends.
    min_gain
        What the loss must fall by to be better.
    lowest
        Rate below which it never falls.

    Examples
    --------
    >>> ReduceOnPlateau(factor=0.5, patience=2).rate(Standing(0.1, 5, 9, [1.0, 0.8, 0.9, 0.8]))
    0.05
    """

    factor: float = 0.2
    patience: int = 5
    min_gain: float = 1e-4
    lowest: float = 0.0

    needs_validation: ClassVar[bool] = True

    def __post_init__(self) -> None:
        _check_factor(self.factor)
        check_integer("patience", self.patience)
        check_size("min_gain", self.min_gain)
        check_size("lowest", self.lowest)

    def rate(self, now: Standing) -> float:
        """Return the rate of the epoch that comes now.

        Parameters
        ----------
        now
            Where the training stands: lr, epoch, epochs and val_loss.

        Returns
        -------
        float
            The learning rate.
        """
        best, waited, falls = math.inf, 0, 0
        for loss in now.val_loss:
            if loss < best - self.min_gain:  # never where it is NaN
                best, waited = loss, 0
                continue
            waited += 1
            if waited == self.patience:
                waited, falls = 0, falls + 1
        return float(max(now.lr * self.factor**falls, min(now.lr, self.lowest)))


Schedule = StepDecay | CosineDecay | ReduceOnPlateau

SCHEDULES: dict[str, type[StepDecay] | type[CosineDecay] | type[ReduceOnPlateau] | None] = {
    "constant": None,
    "step": StepDecay,
    "cosine": CosineDecay,
    "plateau": ReduceOnPlateau,
}
"""The schedules by their names."""


def as_schedule(value: Any) -> Schedule | None:
    """Return the schedule of this name, with its default settings, or the one that is given; None for a constant rate.

    Raises InvalidValueError for another name, InvalidTypeError for what is neither.

    >>> as_schedule("step").every
    10
    """
    if value is None or isinstance(value, Schedule):
        return value
    if not isinstance(value, str):
        raise InvalidTypeError(f"schedule is {value!r}; it must be a name or a StepDecay, CosineDecay, ReduceOnPlateau")
    if value not in SCHEDULES:
        raise InvalidValueError(f"schedule is {value!r}; it must be one of {', '.join(SCHEDULES)}")
    kind = SCHEDULES[value]
    return None if kind is None else kind()


def _check_factor(value: Any) -> None:
    if check_number("factor", value) >= 1:
        raise InvalidValueError(f"factor is {value}; it must lie between 0 and 1, for the rate to fall")
