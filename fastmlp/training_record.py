"""What a model file keeps of the training that made the model: how it was trained, and how that went."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

from fastmlp.engine.class_weights import ClassWeight, check_class_weight
from fastmlp.engine.history import PER_EPOCH, History
from fastmlp.engine.schedules import SCHEDULES, Schedule, as_schedule
from fastmlp.engine.settings import check_integer, check_number
from fastmlp.engine.stopping import EarlyStopping, as_early_stopping
from fastmlp.errors import InvalidValueError, ModelFileError
from fastmlp.files.model import ModelFile

__all__ = ["Recipe", "TrainingRecord", "check_dataset"]

_LATER = ("lr",)  # of what a history has of each epoch: older files lack it


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a session trains a net: checked, whatever it was given as."""

    batch_size: int
    schedule: Schedule | None = None
    class_weight: ClassWeight | None = None
    validation_fraction: float | None = None
    early_stopping: EarlyStopping | None = None

    @classmethod
    def checked(cls, batch_size: Any, n_classes: int, **others: Any) -> Recipe:
        """Return the recipe for a net of `n_classes`; raises InvalidValueError or InvalidTypeError for what is none.

        >>> Recipe.checked(128, 10, schedule="step").schedule
        StepDecay(every=10, factor=0.1)
        """
        fraction = others.get("validation_fraction")
        recipe = cls(
            check_integer("batch_size", batch_size),
            as_schedule(others.get("schedule")),
            check_class_weight(others.get("class_weight"), n_classes),
            None if fraction is None else _check_fraction(fraction),
            as_early_stopping(others.get("early_stopping")),
        )
        needs = "early_stopping" if recipe.early_stopping else None
        if recipe.schedule is not None and recipe.schedule.needs_validation:
            needs = f"the schedule {recipe.schedule}"
        if needs and fraction is None:
            raise InvalidValueError(
                f"{needs} needs a validation_fraction, 0.1 for example: the test set must have no say in the training"
            )
        return recipe

    def as_metadata(self) -> dict[str, Any]:
        """Return what a model file keeps of it."""
        schedule: dict[str, Any] | None = None
        if self.schedule is not None:
            name = next(name for name, kind in SCHEDULES.items() if kind is type(self.schedule))
            schedule = {"name": name, **dataclasses.asdict(self.schedule)}
        weights = self.class_weight
        return {
            "batch_size": self.batch_size,
            "schedule": schedule,
            "class_weight": weights if isinstance(weights, str | None) else {str(k): w for k, w in weights.items()},
            "validation_fraction": self.validation_fraction,
            "early_stopping": self.early_stopping and dataclasses.asdict(self.early_stopping),
        }

    @classmethod
    def from_metadata(cls, training: Mapping[str, Any], n_classes: int) -> Recipe:
        """Return the recipe that a model file has; raises ValueError, TypeError or KeyError where it has none."""
        schedule, weights, stopping = (training.get(name) for name in ("schedule", "class_weight", "early_stopping"))
        if schedule is not None:
            kind = SCHEDULES[schedule["name"]]
            assert kind is not None
            schedule = kind(**{name: value for name, value in schedule.items() if name != "name"})
        return cls.checked(
            training["batch_size"],
            n_classes,
            schedule=schedule,
            class_weight={int(k): w for k, w in weights.items()} if isinstance(weights, dict) else weights,
            validation_fraction=training.get("validation_fraction"),
            early_stopping=stopping and EarlyStopping(**stopping),
        )


@dataclasses.dataclass(frozen=True)
class TrainingRecord:
    """What a model file keeps of the session that trained the model: enough to resume it.

    `dataset` says where the data came from: a mapping with a `source` and whatever else is needed to load them again,
    or None where that was not said. `spare` is the record of a `fastmlp.engine.stopping.Spare`, with early stopping.
    """

    history: History
    recipe: Recipe
    checkpoint_every: int | None = None
    dataset: Mapping[str, Any] | None = None
    spare: Mapping[str, Any] | None = None

    @property
    def batch_size(self) -> int:
        """Samples of a batch."""
        return self.recipe.batch_size

    @property
    def is_unfinished(self) -> bool:
        """Whether the model is its last epoch, and its training was to end with the best one in its place."""
        return self.spare is not None and self.spare.get("holds") == "best"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], model: ModelFile) -> TrainingRecord:
        """Return the record in a model that `read_model` gave; `path` is for the message. Raises ModelFileError."""
        training: Any = model.metadata.get("training")
        try:
            every, spare = training.get("checkpoint_every"), training.get("spare")
            recipe = Recipe.from_metadata(training, len(model.arrays["b2"]))
            if isinstance(spare, dict) != (recipe.early_stopping is not None):
                raise InvalidValueError("early stopping needs a spare")
            return cls(
                _history_of(training["history"], check_integer("epochs", training["epochs"])),
                recipe,
                None if every is None else check_integer("checkpoint_every", every),
                check_dataset(training.get("dataset")),
                spare,
            )
        except (AssertionError, AttributeError, KeyError, OverflowError, TypeError, ValueError):
            raise ModelFileError(f"{path} does not say how it was trained, so its training cannot be resumed") from None

    def as_metadata(self) -> dict[str, Any]:
        """Return the record as `NeuralNetwork.save` takes it."""
        history = {name: getattr(self.history, name) for name in (*PER_EPOCH, "best_epoch", "stopped_early")}
        return {
            "epochs": len(self.history.loss),
            **self.recipe.as_metadata(),
            "checkpoint_every": self.checkpoint_every,
            "dataset": self.dataset,
            "spare": self.spare,
            "history": history,
        }


def _history_of(kept: Mapping[str, Any], epochs: int) -> History:
    """Return the history of so many epochs that a model file has; raises ValueError, TypeError or KeyError."""
    series: dict[str, Any] = {
        name: [math.nan] * epochs if name in _LATER and name not in kept else _as_numbers(kept[name])
        for name in PER_EPOCH
    }
    if {len(values) for values in series.values()} != {epochs}:
        raise InvalidValueError("history must have one value per epoch")
    best = kept.get("best_epoch")
    if best is not None and check_integer("best_epoch", best) > epochs:
        raise InvalidValueError("best_epoch must be one of the epochs")
    return History(**series, best_epoch=best, stopped_early=kept.get("stopped_early") is True)


def _as_numbers(values: Sequence[float | None]) -> list[float]:
    """Return the values of a history in a file, where null stands for what JSON cannot hold."""
    return [math.nan if value is None else float(value) for value in values]


def _check_fraction(value: Any) -> float:
    if check_number("validation_fraction", value) >= 1:
        raise InvalidValueError(f"validation_fraction is {value}; it must lie between 0 and 1")
    return float(value)


def check_dataset(dataset: Any) -> Mapping[str, Any] | None:
    """Return `dataset`, the record of where data came from; TypeError or ValueError says what was wrong."""
    if dataset is not None and not (isinstance(dataset, Mapping) and isinstance(dataset.get("source"), str)):
        raise InvalidValueError(f"dataset is {dataset!r}; it must be a mapping whose 'source' is a string")
    return dataset
