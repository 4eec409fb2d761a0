"""How a `fit` trains: the options that it was given, checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from numpy.typing import ArrayLike

from fastmlp.caller import warn_caller
from fastmlp.engine.class_weights import ClassWeight
from fastmlp.engine.history import Callback, History
from fastmlp.engine.parts import Parts
from fastmlp.engine.schedules import CosineDecay, Schedule, Standing, as_schedule
from fastmlp.engine.settings import check_integer
from fastmlp.engine.stopping import EarlyStopping, as_early_stopping
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["FitOptions", "FitSettings", "check_known"]


class FitSettings(TypedDict, total=False):
    """The settings of `NeuralNetwork.fit`, which says what they mean; what is not given has its default there."""

    sample_weight: ArrayLike | None
    class_weight: ClassWeight | None
    shuffle: bool
    schedule: str | Schedule | None
    validation: Sequence[ArrayLike] | Parts | None
    early_stopping: bool | EarlyStopping
    callback: Callback | None


def check_known(settings: Mapping[str, object]) -> None:
    """Raise TypeError, in Python's own words, for a setting that `fit` does not have.

    >>> check_known({"epochs": 3})
    Traceback (most recent call last):
        ...
    TypeError: fit() got an unexpected keyword argument 'epochs'
    """
    for name in settings:
        if name not in FitSettings.__annotations__:
            raise TypeError(f"fit() got an unexpected keyword argument {name!r}")


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """How a `fit` trains: checked, whatever they were given as."""

    batch_size: int
    number_epochs: int
    shuffle: bool
    callback: Callback | None
    schedule: Schedule | None = None
    early_stopping: EarlyStopping | None = None

    @classmethod
    def checked(
        cls,
        batch_size: Any,
        number_epochs: Any,
        shuffle: bool,
        callback: Callback | None,
        schedule: Any = None,
        early_stopping: Any = None,
    ) -> FitOptions:
        """Return the options; raises InvalidValueError or InvalidTypeError for what cannot be used."""
        if callback is not None and not callable(callback):
            raise InvalidTypeError(f"callback is {callback!r}; it must be a function of (epoch, history)")
        return cls(
            check_integer("batch_size", batch_size),
            check_integer("number_epochs", number_epochs),
            shuffle,
            callback,
            as_schedule(schedule),
            as_early_stopping(early_stopping),
        )

    @classmethod
    def of(cls, batch_size: Any, number_epochs: Any, settings: FitSettings) -> FitOptions:
        """Return the options of a `fit` with these settings; raises as `checked`, and TypeError for an unknown one."""
        check_known(settings)
        callback, schedule = settings.get("callback"), settings.get("schedule")
        shuffle, stopping = settings.get("shuffle", True), settings.get("early_stopping")
        return cls.checked(batch_size, number_epochs, shuffle, callback, schedule, stopping)

    def check(self, epochs: int, validated: bool) -> None:
        """Raise InvalidValueError for too few `epochs` in all, and where validation is needed and there is none."""
        if isinstance(self.schedule, CosineDecay) and self.schedule.warmup >= epochs:
            raise InvalidValueError(f"warmup is {self.schedule.warmup} of {epochs} epochs in all; it must be fewer")
        if not validated and self.early_stopping is not None:
            raise InvalidValueError("early_stopping needs samples that the net does not train on: give validation too")
        if not validated and self.schedule is not None and self.schedule.needs_validation:
            raise InvalidValueError(f"{self.schedule} looks at the validation loss: give validation too")

    def rate(self, lr: float, history: History, epochs: int) -> float:
        """Return the learning rate of the epoch after `history`, of `epochs` in all, where that of the net is `lr`."""
        if self.schedule is None:
            return lr
        return self.schedule.rate(Standing(lr, len(history.loss) + 1, epochs, history.val_loss))

    def for_samples(self, n: int) -> FitOptions:
        """Return the options for n samples: a batch holds at most all of them, and a warning says so."""
        if self.batch_size <= n:
            return self
        warn_caller(f"batch_size {self.batch_size} is larger than the data: {n} samples make one batch")
        return dataclasses.replace(self, batch_size=n)
