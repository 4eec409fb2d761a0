"""Early stopping: the training ends when other samples see no gain, and the net is what it was at its best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastmlp.arrays import Float32Array
from fastmlp.engine.history import History
from fastmlp.engine.optimizers import OptimizerState
from fastmlp.engine.settings import check_integer, check_size
from fastmlp.engine.weights import Weights
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels.interrupts import HeldBack

__all__ = ["EarlyStopping", "Spare", "as_early_stopping"]


@dataclass(frozen=True)
class EarlyStopping:
    """Training ends when the validation samples see no gain; the net is then as it was after its best epoch.

    Parameters
    ----------
    monitor
        What is looked at on the validation samples: "loss" or "accuracy".
    patience
        Epochs in a row that are not better than the best one, after which the training ends.
    min_gain
        What an epoch must gain to be better. A loss that is NaN never is.

    Examples
    --------
    >>> EarlyStopping(patience=3)
    EarlyStopping(monitor='loss', patience=3, min_gain=0.0)
    """

    monitor: Literal["loss", "accuracy"] = "loss"
    patience: int = 10
    min_gain: float = 0.0

    def __post_init__(self) -> None:
        if self.monitor not in ("loss", "accuracy"):
            raise InvalidValueError(f"monitor is {self.monitor!r}; it must be 'loss' or 'accuracy'")
        check_integer("patience", self.patience)
        check_size("min_gain", self.min_gain)

    def is_best(self, history: History) -> bool:
        """Whether the last epoch is better than the best one of those before.

        Parameters
        ----------
        history
            Of all epochs; `best_epoch` is still that of the epochs before.

        Returns
        -------
        bool
            True also for the first epoch, if what is monitored is finite.
        """
        values = history.val_accuracy if self.monitor == "accuracy" else history.val_loss
        if history.best_epoch is None:
            return math.isfinite(values[-1])
        gain = values[-1] - values[history.best_epoch - 1]
        return (gain if self.monitor == "accuracy" else -gain) > self.min_gain

    def is_over(self, history: History) -> bool:
        """Whether as many epochs as `patience` says have gone by since the best one.

        Parameters
        ----------
        history
            Of all epochs, with the `best_epoch`.

        Returns
        -------
        bool
            Whether the training ends.
        """
        return len(history.loss) - (history.best_epoch or 0) >= self.patience


def as_early_stopping(value: Any) -> EarlyStopping | None:
    """Return `EarlyStopping()` for True, None for False and None, and an `EarlyStopping` as it is.

    Raises InvalidTypeError for anything else.
    """
    if isinstance(value, EarlyStopping):
        return value
    if value is None or isinstance(value, bool):
        return EarlyStopping() if value else None
    raise InvalidTypeError(f"early_stopping is {value!r}; it must be True, False, or an EarlyStopping(patience=...)")


class Spare:
    """A second net beside the one in training: it keeps the best epoch while that one has the last, or the reverse.

    Either is whole at any time: weights, moments and steps are those after one epoch. The random numbers belong to
    neither, they go on.

    `holds` says which of the two is kept here; None where there is no best epoch yet, and the net has the last.
    """

    def __init__(self, weights: Weights, state: OptimizerState) -> None:
        self._states = state, state.copy()
        self._kept_weights = weights.copy()
        ours, theirs = [self._kept_weights.packed, *self._states[1].packed], [weights.packed, *state.packed]
        self._pairs = [pair for sets in zip(theirs, ours, strict=True) for pair in zip(*sets, strict=True)]
        self.holds: Literal["best", "last"] | None = None

    def keep_best(self) -> None:
        """Keep the net as it is, after its best epoch. To be called where Ctrl-C is held back."""
        state, kept_state = self._states
        for array, kept in self._pairs:
            kept[...] = array
        kept_state.steps = state.steps
        self.holds = "best"

    def put(self, which: Literal["best", "last"]) -> None:
        """Have the net as it was after its best epoch, or its last, and the other one here."""
        state, kept_state = self._states
        with HeldBack():
            if self.holds == which:
                for array, kept in self._pairs:
                    array[...], kept[...] = kept.copy(), array.copy()
                state.steps, kept_state.steps = kept_state.steps, state.steps
                self.holds = "last" if which == "best" else "best"

    def arrays(self) -> dict[str, Float32Array]:
        """Return what is kept, by names such as best_W1, read-only copies."""
        if self.holds is None:
            return {}
        arrays = self._kept_weights.arrays() | self._states[1].arrays()
        return {f"{self.holds}_{name}": array for name, array in arrays.items()}

    def record(self) -> dict[str, Any]:
        """Return what a model file keeps beside the arrays."""
        return {"holds": self.holds, "steps": self._states[1].steps}

    def load(self, record: Mapping[str, Any], arrays: Mapping[str, Float32Array]) -> None:
        """Keep what a model file has. Raises ValueError, TypeError or KeyError for what is no such record."""
        holds = record["holds"]
        if holds not in (None, "best", "last"):
            raise InvalidValueError(f"holds is {holds!r}")
        self._states[1].steps = check_integer("steps", record["steps"], minimum=0)
        if holds is not None:
            prefix = f"{holds}_"
            ours = {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}
            for name in self._kept_weights.shapes:
                self._kept_weights[name] = ours[name]
            self._states[1].load(ours)
        self.holds = holds
