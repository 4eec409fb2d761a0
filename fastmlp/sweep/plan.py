"""What a sweep trains: the grid, and what all its nets have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from fastmlp.engine.optimizers import Optimizer
from fastmlp.training_record import Recipe

__all__ = ["Setting", "SweepPlan", "best_of"]


class Setting(NamedTuple):
    """What differs between the nets of a sweep."""

    hidden_size: int
    lr: float

    def __str__(self) -> str:
        return f"{self.hidden_size} hidden units, lr {self.lr:g}"


@dataclass(frozen=True)
class SweepPlan:
    """A grid of settings, and how each net is trained.

    `recipe` is that of a `TrainingSession`, with a validation fraction.

    >>> from fastmlp.engine.optimizers import SGD
    >>> recipe = Recipe.checked(128, 10, validation_fraction=0.1)
    >>> plan = SweepPlan([30, 100], [0.1, 0.3], recipe, epochs=20, optimizer=SGD(), seed=0)
    >>> [str(setting) for setting in plan.settings][:2]
    ['30 hidden units, lr 0.1', '30 hidden units, lr 0.3']
    """

    hidden_sizes: Sequence[int]
    lrs: Sequence[float]
    recipe: Recipe
    epochs: int
    optimizer: Optimizer
    seed: int

    @property
    def settings(self) -> list[Setting]:
        """All settings of the grid, each once, hidden size by hidden size."""
        return [Setting(*each) for each in product(dict.fromkeys(self.hidden_sizes), dict.fromkeys(self.lrs))]


def best_of(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Return the row with the highest validation accuracy, of equal ones that with the lowest loss, then the first.

    None where no row has a result.

    >>> rows = [{"val_accuracy": 0.9, "val_loss": 0.4}, {"error": "diverged"}, {"val_accuracy": 0.9, "val_loss": 0.3}]
    >>> best_of(rows)["val_loss"]
    0.3
    """
    measured = [row for row in rows if "error" not in row]
    return min(measured, key=_badness, default=None)


def _badness(row: Mapping[str, Any]) -> tuple[float, float]:
    loss = row["val_loss"]
    return -row["val_accuracy"], loss if math.isfinite(loss) else math.inf
