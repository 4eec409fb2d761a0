"""Training: what an epoch does, what it remembers, and how it can fail."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array
from fastmlp.errors import DivergenceError
from fastmlp.kernels.epoch import Outcome, Plan, Scratch, train_epoch
from fastmlp.kernels.layout import Parameters, empty_parameters
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.simd import Lanes
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.team import Member, run_team

__all__ = ["History", "TrainingRun", "compile_inputs", "compile_training", "outcome_of"]


@dataclass
class History:
    """What happened in each epoch of a `fit`.

    `loss` and `accuracy` are means over the epoch's samples, each batch taken before its update; `seconds` is the
    time of the epoch without compilation, which stands in `compile_seconds`; `val_loss` and `val_accuracy` are measured
    after the epoch when `validation` is given.
    """

    loss: list[float] = field(default_factory=list)
    accuracy: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    val_loss: list[float] = field(default_factory=list)
    val_accuracy: list[float] = field(default_factory=list)
    compile_seconds: float = 0.0


class TrainingRun:
    """One `fit` under way: the inputs as the kernels take them, and the memory that its epochs share."""

    def __init__(
        self,
        parameters: Parameters,
        lanes: Lanes,
        output_size: int,
        X: Float32Array | SparseRows,
        y: NDArray[np.int64],
        *,
        batch_size: int,
        n_threads: int,
    ) -> None:
        self._parameters, self._lanes, self._output_size = parameters, lanes, output_size
        self._X, self._y, self._batch_size = X, y, batch_size
        self._n_threads = min(n_threads, len(parameters.W1))
        self._outcome = outcome_of(len(y))
        self._scratch = Scratch.of(parameters, X, batch_size, self._n_threads)
        self._before = Parameters(*(array.copy() for array in parameters))

    def epoch(self, order: NDArray[np.int64], lr: float) -> tuple[float, float]:
        """Train once through `order` (n,); return mean loss and accuracy, each batch taken before its update.

        Raises DivergenceError. After it, and after Ctrl-C, the parameters are those from before the epoch.
        """
        self._before.copy_from(self._parameters)
        plan = Plan(order, self._y[order], self._batch_size, np.float32(lr), self._output_size)

        def train(member: Member) -> None:
            train_epoch(self._parameters, self._outcome, self._scratch, self._X, plan, member, self._lanes)

        try:
            run_team(self._n_threads, train, inline=False)
            loss = float(self._outcome.losses.mean(dtype=np.float64))
            finite = all(np.isfinite(array).all() for array in self._parameters)
            if not finite or not loss <= 100 * math.log(max(self._output_size, 2)):
                raise DivergenceError(
                    f"the mean loss is {loss:.3g} at learning rate {lr:g}; "
                    "try a smaller lr, or scale the inputs to about 0..1"
                )
        except BaseException:
            self._parameters.copy_from(self._before)
            raise
        return loss, float(self._outcome.hits.mean())


def outcome_of(n: int) -> Outcome:
    """Room for the losses and hits of n samples."""
    return Outcome(np.zeros(n, np.float32), np.zeros(n, np.bool_))


def compile_inputs() -> None:
    """Compile, or load from disk, the kernels that take inputs in."""
    one = np.ones((1, 1), np.float32)
    counts, _ = nonzeros_by_row(one, 1)
    to_sparse_rows(one, counts, 1)


def compile_training(lanes: Lanes, sparse: bool) -> None:
    """Compile, or load from disk, the training kernel for this tile: run it on one sample."""
    one = np.ones((1, 1), np.float32)
    X = to_sparse_rows(one, np.ones(1, np.int64), 1) if sparse else one
    parameters = empty_parameters(1, 1, 1)
    parameters = Parameters(
        np.zeros((1, 1, lanes.units), np.float32),
        np.zeros((1, lanes.units), np.float32),
        np.zeros((1, 4, lanes.units), np.float32),
        parameters.b2,
    )
    scratch = Scratch.of(parameters, X, 1, 1)
    plan = Plan(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, np.float32(0), 1)
    run_team(
        1,
        lambda member: train_epoch(parameters, outcome_of(1), scratch, X, plan, member, lanes),
    )
