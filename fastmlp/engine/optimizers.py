"""The optimisers that a net can be trained with, and what they remember from step to step.

What a step does is in `fastmlp.kernels.steps`: formulas, sources, and the arithmetic.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array
from fastmlp.engine.settings import check_integer, check_number, check_share, check_size
from fastmlp.engine.weights import Weights
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels import steps
from fastmlp.kernels.layout import Parameters
from fastmlp.kernels.lazy import LazyAdam

__all__ = [
    "OPTIMIZERS",
    "SGD",
    "Adam",
    "Momentum",
    "Optimizer",
    "OptimizerState",
    "as_optimizer",
    "default_lr",
    "for_kernels",
    "has_lazy_form",
    "moments_of",
]


@dataclasses.dataclass(frozen=True)
class SGD:
    """Plain stochastic gradient descent, w <- w - lr g.

    Parameters
    ----------
    l2
        Penalty on the weights, not on the biases, as scikit-learn's `alpha`: a batch of B samples adds l2 / (2 B) times
        the sum of squares of W1 and W2 to its loss. The loss that a `History` holds is without it.

    Examples
    --------
    >>> SGD(l2=1e-4)
    SGD(l2=0.0001)
    """

    l2: float = 0.0

    def __post_init__(self) -> None:
        check_size("l2", self.l2)


@dataclasses.dataclass(frozen=True)
class Momentum:
    """Descent with momentum, v <- momentum v + g, w <- w - lr v; with Nesterov, w <- w - lr (g + momentum v).

    Parameters
    ----------
    momentum
        Share of the velocity v that a step keeps, from 0 to less than 1.
    nesterov
        Whether a step looks ahead, as Nesterov's does.
    l2
        Penalty on the weights, as for `SGD`.
    """

    momentum: float = 0.9
    nesterov: bool = False
    l2: float = 0.0

    def __post_init__(self) -> None:
        check_share("momentum", self.momentum)
        check_size("l2", self.l2)


@dataclasses.dataclass(frozen=True)
class Adam:
    """Adam with bias correction.

    Parameters
    ----------
    beta_1, beta_2
        Shares that a step keeps of the means of gradients, and of their squares.
    epsilon
        Added to the root of the mean square.
    l2
        Penalty on the weights, as for `SGD`.
    lazy
        An input that is 0 in all of a batch leaves its weights and their moments as they are, as PyTorch's SparseAdam
        does: another optimiser, whose steps do not grow with the number of inputs. It takes no `l2`.

    Notes
    -----
    Kingma and Ba 2015, "Adam: a method for stochastic optimization", algorithm 1.
    """

    beta_1: float = 0.9
    beta_2: float = 0.999
    epsilon: float = 1e-8
    l2: float = 0.0
    lazy: bool = False

    def __post_init__(self) -> None:
        check_share("beta_1", self.beta_1)
        check_share("beta_2", self.beta_2)
        check_number("epsilon", self.epsilon)  # with 0, a weight without any gradient would become 0 / 0
        check_size("l2", self.l2)
        if self.lazy and self.l2:
            raise InvalidValueError("Adam with lazy=True leaves weights alone that l2 is to shrink: leave out one")


Optimizer = SGD | Momentum | Adam

OPTIMIZERS: dict[str, type[SGD] | type[Momentum] | type[Adam]] = {"sgd": SGD, "momentum": Momentum, "adam": Adam}
"""The optimisers by their names."""

_LR = {SGD: 0.1, Momentum: 0.01, Adam: 0.001}
_MOMENTS: dict[type, tuple[str, ...]] = {SGD: (), Momentum: ("velocity",), Adam: ("mean", "square")}


def as_optimizer(value: str | Optimizer) -> Optimizer:
    """Return the optimiser of this name, with its default settings, or the one that is given.

    Raises InvalidValueError for another name, InvalidTypeError for what is neither.

    >>> as_optimizer("adam").beta_1
    0.9
    """
    if isinstance(value, Optimizer):
        return value
    if not isinstance(value, str):
        raise InvalidTypeError(f"optimizer is {value!r}; it must be a name or an SGD, Momentum or Adam")
    if value not in OPTIMIZERS:
        raise InvalidValueError(f"optimizer is {value!r}; it must be one of {', '.join(OPTIMIZERS)}")
    return OPTIMIZERS[value]()


def default_lr(optimizer: Optimizer) -> float:
    """Return the learning rate where none is given: 0.1, with momentum 0.01, for Adam 0.001."""
    return _LR[type(optimizer)]


def moments_of(optimizer: Optimizer) -> tuple[str, ...]:
    """Return the names of the moments that an optimiser remembers."""
    return _MOMENTS[type(optimizer)]


def has_lazy_form(optimizer: Optimizer) -> bool:
    """Whether what it does to weights without a gradient can be made up for later (`fastmlp.kernels.lazy`)."""
    return (isinstance(optimizer, SGD) and optimizer.l2 > 0) or (isinstance(optimizer, Momentum) and optimizer.l2 == 0)


class OptimizerState:
    """What an optimiser remembers: moments of the gradients, each like the weights, and the steps that were taken.

    >>> state = OptimizerState(Momentum(), Weights(5, 3, 2))
    >>> sorted(state.arrays())[0], state.steps
    ('velocity_W1', 0)
    """

    def __init__(self, optimizer: Optimizer, like: Weights) -> None:
        self.optimizer = optimizer
        sizes = (*like.shapes["W1"], *like.shapes["b2"])
        self._moments = {name: Weights(*sizes) for name in moments_of(optimizer)}
        self.steps = 0

    @property
    def packed(self) -> list[Parameters]:
        """The moments as the kernels read and write them."""
        return [moment.packed for moment in self._moments.values()]

    def for_epoch(self, lr: float) -> steps.UpdateRule:
        """Return the update rule for the steps that come next."""
        return for_kernels(self.optimizer, lr, self.steps, self.packed)

    def copy(self) -> OptimizerState:
        """Return a state of its own, with the same values."""
        copied = OptimizerState.__new__(OptimizerState)
        copied.optimizer, copied.steps = self.optimizer, self.steps
        copied._moments = {name: moment.copy() for name, moment in self._moments.items()}
        return copied

    def arrays(self) -> dict[str, Float32Array]:
        """Return the moments by names such as velocity_W1, read-only copies."""
        return {
            f"{name}_{part}": array for name, moment in self._moments.items() for part, array in moment.arrays().items()
        }

    def record(self) -> dict[str, Any]:
        """Return what a model file keeps beside the moments."""
        name = next(name for name, kind in OPTIMIZERS.items() if kind is type(self.optimizer))
        return {"name": name, **dataclasses.asdict(self.optimizer), "steps": self.steps}

    @classmethod
    def from_record(
        cls, record: Mapping[str, Any] | None, arrays: Mapping[str, Float32Array], like: Weights
    ) -> OptimizerState:
        """Return the state of a record and its moments; without a record, that of plain descent, as older files mean.

        Raises ValueError, TypeError or KeyError for what is no such record.
        """
        if record is None:
            return cls(SGD(), like)
        settings = dict(record)
        kind, n = OPTIMIZERS[settings.pop("name")], check_integer("steps", settings.pop("steps"), minimum=0)
        state = cls(kind(**settings), like)
        state.steps = n
        state.load(arrays)
        return state

    def load(self, arrays: Mapping[str, Float32Array]) -> None:
        """Set the moments, by names as in `arrays`; KeyError where one is missing, ValueError where it does not fit."""
        for name, moment in self._moments.items():
            for part in moment.shapes:
                moment[part] = arrays[f"{name}_{part}"]


def for_kernels(optimizer: Optimizer, lr: float, n_steps: int, moments: list[Parameters]) -> steps.UpdateRule:
    """Return the update rule of an optimiser, after `n_steps` steps that left these moments."""
    rate, decay = np.float32(lr), np.float32(optimizer.l2)
    if isinstance(optimizer, Momentum):
        return steps.Momentum(rate, decay, np.float32(optimizer.momentum), bool(optimizer.nesterov), *moments)
    if isinstance(optimizer, Adam):
        betas = float(optimizer.beta_1), float(optimizer.beta_2)
        kind = LazyAdam if optimizer.lazy else steps.Adam
        return kind(rate, decay, *betas, np.float32(optimizer.epsilon), n_steps, *moments)
    return steps.DescentWithDecay(rate, decay) if decay > 0 else steps.Descent(rate)
