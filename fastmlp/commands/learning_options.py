"""The options that say how `fastmlp train` learns: optimiser, schedule, class weights, validation, early stopping."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fastmlp.commands.training_options import grouped
from fastmlp.errors import InvalidValueError

if TYPE_CHECKING:
    from fastmlp.engine.optimizers import Optimizer
    from fastmlp.files.model import ModelFile
    from fastmlp.training_record import Recipe

__all__ = ["LearningOptions", "learning_options", "optimizer_option"]

_Command = TypeVar("_Command", bound=Callable[..., Any])

_OPTIMIZERS = ("sgd", "momentum", "adam")
_SCHEDULES = ("constant", "step", "cosine", "plateau")
_VALIDATION_FRACTION = 0.1  # where something needs a validation part and none is named, as in scikit-learn
_OWN = ("l2", "momentum", "nesterov", "schedule", "warmup", "class_weight", "early_stopping", "patience")


optimizer_option = click.option(
    "--optimizer", type=click.Choice(_OPTIMIZERS), help="What makes steps of gradients.  [default: sgd]"
)


@dataclasses.dataclass(frozen=True)
class LearningOptions:
    """How a net learns; None is what is not given."""

    optimizer: str | None
    l2: float | None
    momentum: float | None
    nesterov: bool | None
    schedule: str | None
    warmup: int | None
    class_weight: str | None
    validation_fraction: float | None
    early_stopping: bool | None
    patience: int | None

    @property
    def given(self) -> dict[str, Any]:
        """What is given, by name."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value is not None}

    def check(self, net: str, is_resumed: bool) -> None:
        """Refuse what has no meaning for the contender `net`, or beside the other options, as wrong usage."""
        if net != "fastmlp":
            for name in _OWN:
                if name in self.given:
                    raise click.UsageError(
                        f"only fastmlp's own net takes {_option(name)}: leave it out, or --net {net}"
                    )
        if is_resumed:  # the model says the rest: see check_resume
            return
        for name, other, value in (
            ("momentum", "optimizer", "momentum"),
            ("nesterov", "optimizer", "momentum"),
            ("warmup", "schedule", "cosine"),
            ("patience", "early_stopping", True),
        ):
            if name in self.given and getattr(self, other) != value:
                needed = _option(other) if value is True else f"{_option(other)} {value}"
                raise click.UsageError(f"{_option(name)} belongs to {needed}: name that too, or leave it out")

    def check_resume(self, path: Path, model: ModelFile, recipe: Recipe) -> None:
        """Refuse what contradicts the model in `path` that is to be resumed; only its patience may be changed."""
        optimizer = model.metadata.get("optimizer") or {"name": "sgd"}  # older files know no other
        schedule = recipe.as_metadata()["schedule"] or {"name": "constant"}
        has = {
            **{name: optimizer.get(name) for name in ("l2", "momentum", "nesterov")},
            "optimizer": optimizer["name"],
            "schedule": schedule["name"],
            "warmup": schedule.get("warmup"),
            "class_weight": recipe.class_weight,
            "validation_fraction": recipe.validation_fraction,
            "early_stopping": True if recipe.early_stopping else None,
            "patience": self.patience if recipe.early_stopping else None,
        }
        for name, asked in self.given.items():
            if asked != has[name]:
                what = _option(name) if asked is True else f"{_option(name)} {asked}"
                found = "is not trained so" if has[name] is None else f"has {has[name]}"
                raise click.UsageError(f"{what} is asked for, but the model in {path} {found}: leave the option out")

    def as_optimizer(self) -> Optimizer:
        """Return our own optimiser with its settings; a setting that cannot be used is wrong usage."""
        from fastmlp.engine.optimizers import OPTIMIZERS

        settings = {name: self.given[name] for name in ("l2", "momentum", "nesterov") if name in self.given}
        try:
            return OPTIMIZERS[self.optimizer or "sgd"](**settings)
        except InvalidValueError as error:
            raise click.UsageError(str(error)) from error

    def rate(self, lr: float | None) -> float:
        """Return the learning rate `lr`, or, where that is None, the one that the optimiser has by default."""
        from fastmlp.engine.optimizers import default_lr

        return default_lr(self.as_optimizer()) if lr is None else lr

    def for_session(self, always_validated: bool = False) -> dict[str, Any]:
        """Return the arguments of a new `TrainingSession`; what needs a validation part gets one of a tenth."""
        from fastmlp.engine.schedules import CosineDecay
        from fastmlp.engine.stopping import EarlyStopping

        stopping = EarlyStopping(patience=self.patience) if self.patience is not None else bool(self.early_stopping)
        fraction = self.validation_fraction
        if fraction is None and (always_validated or stopping or self.schedule == "plateau"):
            fraction = _VALIDATION_FRACTION
        return {
            "schedule": CosineDecay(self.warmup) if self.warmup is not None else self.schedule,
            "class_weight": self.class_weight,
            "validation_fraction": fraction,
            "early_stopping": stopping,
        }


def learning_options(always_validated: bool = False) -> Callable[[_Command], _Command]:
    """Add the options of `LearningOptions`, handed on as one `learning`. The help says whether any net is validated."""
    needed = "" if always_validated else " for --early-stopping and --schedule plateau, else none"
    return grouped(
        "learning",
        LearningOptions,
        optimizer_option,
        click.option(
            "--l2", type=click.FloatRange(min=0), callback=_finite, help="Penalty on the weights.  [default: 0]"
        ),
        click.option(
            "--momentum",
            type=click.FloatRange(0, 1, max_open=True),
            callback=_finite,
            help="Of --optimizer momentum.  [default: 0.9]",
        ),
        click.option(
            "--nesterov", is_flag=True, default=None, help="Momentum as Nesterov's, with --optimizer momentum."
        ),
        click.option(
            "--schedule",
            type=click.Choice(_SCHEDULES),
            help="How --lr changes from epoch to epoch: step, a tenth after every 10; cosine, down along a wave; "
            "plateau, a fifth where the validation loss stalls for 5.  [default: constant]",
        ),
        click.option(
            "--warmup",
            type=click.IntRange(min=0),
            metavar="N",
            help="Let --schedule cosine climb to --lr in the first N epochs.  [default: 0]",
        ),
        click.option("--class-weight", type=click.Choice(["balanced"]), help="Let all classes count the same."),
        click.option(
            "--validation-fraction",
            type=click.FloatRange(0, 1, min_open=True, max_open=True),
            callback=_finite,
            help="Fraction of each class of the training data to measure after each epoch, not to train on.  [default: "
            f"{_VALIDATION_FRACTION}{needed}]",
        ),
        click.option(
            "--early-stopping",
            is_flag=True,
            default=None,
            help="Stop when the validation loss no longer falls, and keep the best epoch's net.",
        ),
        click.option(
            "--patience",
            type=click.IntRange(min=1),
            metavar="N",
            help="Epochs without a better validation loss after which --early-stopping stops.  [default: 10]",
        ),
    )


def _finite(_ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.UsageError(f"{param.opts[0]} is {value}; it must be a number")
    return value


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
