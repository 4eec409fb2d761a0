"""What `FastMLPClassifier` does from epoch to epoch, as scikit-learn's `MLPClassifier` does it.

The same order of the samples for the same random state, the same learning rates, the same rules for stopping.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.history import History
from fastmlp.engine.inputs import Samples
from fastmlp.engine.optimizers import Momentum
from fastmlp.engine.training import fit as fit_weights
from fastmlp.engine.training import measure_on
from fastmlp.errors import DivergenceError
from fastmlp.network import NeuralNetwork

__all__ = ["Progress", "Rules", "Solver", "draw_weights", "fixed_outputs", "train"]

_SMALLEST_RATE = 1e-6  # at which "adaptive" gives up


def draw_weights(net: NeuralNetwork, random_state: np.random.RandomState) -> None:
    """Let a new net start as an MLPClassifier of this random state: all parameters uniform, drawn in the same order.

    Of two classes MLPClassifier has one logistic output. A net has two, of which the first is 0 and stays so.
    """

    def layer(n_in: int, n_out: int) -> tuple[Float32Array, Float32Array]:
        limit = math.sqrt(6 / (n_in + n_out))
        W = random_state.uniform(-limit, limit, (n_in, n_out))
        return W.astype(np.float32), random_state.uniform(-limit, limit, n_out).astype(np.float32)

    net.W1, net.b1 = layer(net.input_size, net.hidden_size)
    fixed = fixed_outputs(net)
    W2, b2 = layer(net.hidden_size, net.output_size - fixed)
    net.W2, net.b2 = np.pad(W2, ((0, 0), (fixed, 0))), np.pad(b2, (fixed, 0))


def fixed_outputs(net: NeuralNetwork) -> int:
    """Return how many outputs of a net are 0: the first of two, which makes the second a logistic one."""
    return 1 if net.output_size == 2 else 0


class _Orders(np.random.Generator):
    """Gives the orders of the samples that MLPClassifier draws: each epoch shuffles the order of the one before."""

    def __init__(self, random_state: np.random.RandomState) -> None:
        super().__init__(random_state._bit_generator)  # shared: what is drawn here, the random state has drawn
        self._random_state, self._order = random_state, np.empty(0, np.int64)

    def permutation(self, n: Any, axis: int = 0) -> Int64Array:  # noqa: ARG002  (NumPy's own signature)
        """Return the next order of n samples."""
        if len(self._order) != n:
            self._order = np.arange(n)
        places = np.arange(n)
        self._random_state.shuffle(places)
        self._order = self._order[places]
        return self._order


class Solver:
    """The learning rate of a net and how it goes down; `MLPClassifier` has the like as `_optimizer`.

    "constant" keeps the rate, "invscaling" divides it by (samples seen + 1) ** power_t after each epoch, "adaptive" by
    5 where training would stop otherwise.
    """

    def __init__(self, net: NeuralNetwork, schedule: str = "constant", power_t: float = 0.5) -> None:
        self._net, self._first, self._schedule, self._power_t = net, net.lr, schedule, power_t

    @property
    def learning_rate(self) -> float:
        """The rate of the epoch that comes next."""
        return self._net.lr

    def epoch_ends(self, n_seen: int) -> None:
        """Go to the rate of the next epoch, after `n_seen` samples in all."""
        if self._schedule == "invscaling":
            self._change(self._first / (n_seen + 1) ** self._power_t)

    def slows_down(self) -> bool:
        """Whether a training that would stop goes on instead, with a smaller rate, which this sets."""
        if self._schedule != "adaptive" or self.learning_rate <= _SMALLEST_RATE:
            return False
        self._change(self.learning_rate / 5)
        return True

    def _change(self, rate: float) -> None:
        """Set the rate; a velocity goes on as fast, since scikit-learn's has the rate of its gradients within."""
        factor, self._net.lr = self._net.lr / rate, rate
        if isinstance(self._net.optimizer, Momentum):
            for array in (array for moment in self._net._trainee().state.packed for array in moment):
                array *= np.float32(factor)


@dataclass
class Progress:
    """How far a training has come, over all calls that continue it; scikit-learn's attributes, without their `_`."""

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_loss_curve: list[float] = field(default_factory=list)
    best_loss: float = math.inf
    best_validation_score: float = -math.inf
    no_improvement_count: int = 0
    n_iter: int = 0
    t: int = 0

    def add(self, loss: float, score: float | None, tol: float) -> bool:
        """Add an epoch, count it if it is not better by `tol`, and return whether it has the best score so far."""
        self.loss_curve.append(loss)
        if score is None:
            stale, best = loss > self.best_loss - tol, False
            self.best_loss = min(loss, self.best_loss)
        else:
            self.validation_scores.append(score)
            stale, best = score < self.best_validation_score + tol, score > self.best_validation_score
            self.best_validation_score = max(score, self.best_validation_score)
        self.no_improvement_count = self.no_improvement_count + 1 if stale else 0
        return best


@dataclass(frozen=True)
class Rules:
    """How an estimator wants to be trained: batches, the number of epochs, and when to stop."""

    batch_size: int
    max_iter: int
    shuffle: bool
    tol: float
    n_iter_no_change: float
    verbose: bool
    incremental: bool  # one epoch, of many calls


class _Course:
    """One call of a training: after each epoch it adds to the progress and says whether to stop."""

    def __init__(self, net: NeuralNetwork, solver: Solver, progress: Progress, rules: Rules, samples: Samples) -> None:
        self._solver, self._progress, self._rules = solver, progress, rules
        self._packed = net._trainee().weights.packed
        self._best: list[Float32Array] = []  # the packed weights when the score was best
        self._n = len(samples.y)
        # A batch's loss has alpha / 2 times the squares of the weights by the weight of the batch. This is what that
        # comes to in the mean over an epoch, for one square.
        total = self._n if samples.weights is None else float(samples.weights.sum(dtype=np.float64))
        self._penalty = 0.5 * net.optimizer.l2 * -(-self._n // rules.batch_size) / total
        self._squares = self._sum_of_squares()

    def __call__(self, epoch: int, history: History) -> bool:
        before, self._squares = self._squares, self._sum_of_squares()
        loss = history.loss[-1] + self._penalty * (before + self._squares) / 2
        score = history.val_accuracy[-1] if history.val_accuracy else None
        progress, rules = self._progress, self._rules
        progress.n_iter = epoch
        progress.t += self._n
        self._say(f"Iteration {epoch}, loss = {loss:.8f}")
        if score is not None:
            progress.validation_loss_curve.append(history.val_loss[-1])
            self._say(f"Validation score: {score:f}")
        if progress.add(loss, score, rules.tol):
            self._best = [array.copy() for array in self._packed]
        self._solver.epoch_ends(progress.t)
        return progress.no_improvement_count > rules.n_iter_no_change and not self._goes_on(score is None)

    def restore_best(self) -> None:
        """Put back the weights that had the best score, if there was one."""
        for array, kept in zip(self._packed, self._best, strict=False):
            array[...] = kept

    def _goes_on(self, by_loss: bool) -> bool:
        """Whether a training that does not get better goes on, with a smaller learning rate."""
        what, rules = "Training loss" if by_loss else "Validation score", self._rules
        stale = f"{what} did not improve more than tol={rules.tol:f} for {rules.n_iter_no_change} consecutive epochs."
        if not self._solver.slows_down():
            self._say(f"{stale} Stopping.")
            return False
        self._say(f"{stale} Setting learning rate to {self._solver.learning_rate:f}")
        self._progress.no_improvement_count = 0
        return True

    def _sum_of_squares(self) -> float:
        if self._penalty == 0:
            return 0.0
        return sum(float(np.square(W).sum(dtype=np.float64)) for W in (self._packed.W1, self._packed.W2))

    def _say(self, text: str) -> None:
        if self._rules.verbose:
            print(text)  # noqa: T201  (`verbose` asks for it)


def train(
    net: NeuralNetwork,
    solver: Solver,
    progress: Progress,
    rules: Rules,
    samples: Samples,
    held_back: Samples | None,
    random_state: np.random.RandomState,
) -> None:
    """Train the net until it converges or `max_iter` is reached, which is warned of; then it has its best weights.

    Ctrl-C ends the training with a warning, after which the net is that of the last full epoch. Raises ValueError,
    in scikit-learn's words, where weights are no longer finite.
    """
    course = _Course(net, solver, progress, rules, samples)
    trainee = replace(net._trainee(), rng=_Orders(random_state), loss_limit=math.inf, fixed_outputs=fixed_outputs(net))
    measure = None if held_back is None else measure_on(trainee.weights, held_back, trainee.n_threads)
    options = FitOptions(rules.batch_size, rules.max_iter, rules.shuffle, course)
    progress.n_iter = 0
    try:
        fit_weights(trainee, samples, options, measure)
    except KeyboardInterrupt:
        warnings.warn("Training interrupted by user.", stacklevel=4)
    except DivergenceError:
        raise ValueError(
            "Solver produced non-finite parameter weights. The input data may contain large values and need to be "
            "preprocessed."
        ) from None
    course.restore_best()
    if progress.n_iter == rules.max_iter and not rules.incremental:
        warnings.warn(
            f"Stochastic Optimizer: Maximum iterations ({rules.max_iter}) reached and the optimization hasn't "
            "converged yet.",
            ConvergenceWarning,
            stacklevel=4,
        )
