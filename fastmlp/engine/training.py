"""Training: the epochs of a `fit`, what is remembered of them, and how they can fail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score, mean_of, score
from fastmlp.engine.inputs import Rows, Samples, count_nonzeros
from fastmlp.engine.optimizers import SGD, Adam, Optimizer, OptimizerState, for_kernels, has_lazy_form, moments_of
from fastmlp.engine.pace import Pace
from fastmlp.engine.sparse_inputs import SparseInputs
from fastmlp.engine.stopping import Spare
from fastmlp.engine.stopwatch import Stopwatch
from fastmlp.engine.weights import Weights
from fastmlp.errors import DivergenceError
from fastmlp.kernels.epoch import EpochPlan, EpochScratch, train_epoch
from fastmlp.kernels.hidden import Inputs, forms_by_speed, in_form, sparse_form
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.kernels.layout import Parameters, empty_parameters
from fastmlp.kernels.lazy import lazily
from fastmlp.kernels.packing import sparse_pays
from fastmlp.kernels.softmax import Outcome
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.team import Member, run_team
from fastmlp.kernels.tiles import Lanes
from fastmlp.kernels.wide import WideRows
from fastmlp.machine import available_processors

__all__ = ["Measure", "Trainee", "compile_for", "compile_training", "fit", "measure_on"]

_FEW = 16  # samples: enough for a forward pass to look whether their zeros are worth skipping


Measure = Callable[[], Score]
"""Called after the training of each epoch, and part of it: says how good the net is on other samples."""


@dataclass(frozen=True)
class Trainee:
    """What a `fit` trains: the weights, by an optimiser with its state; the generator that orders the samples.

    A mean loss beyond `loss_limit` times ln C, that of guessing, is divergence. The first `fixed_outputs` learn
    nothing.
    """

    weights: Weights
    state: OptimizerState
    rng: np.random.Generator
    lr: Callable[[], float]
    n_threads: int
    loss_limit: float = 100.0
    fixed_outputs: int = 0


def measure_on(weights: Weights, validation: Samples, n_threads: int) -> Measure:
    """Return what measures `weights` on the `validation` samples. Raises InvalidValueError for NaN or infinity."""
    count_nonzeros(validation.X, n_threads, "validation X")
    # Compiled, or loaded from disk, now, with weights of 0: an epoch could not be interrupted in the compiler.
    like = Weights(*weights.shapes["W1"], *weights.shapes["b2"])
    score(like, Samples(validation.X[:_FEW], validation.y[:_FEW]), 1)
    return lambda: score(weights, validation, n_threads)


def fit(
    trainee: Trainee,
    samples: Samples,
    options: FitOptions,
    measure: Measure | None = None,
    history: History | None = None,
    spare: Spare | None = None,
) -> History:
    """Train for the epochs of `options`, each followed by `measure`; return `history`, or a new one, with them added.

    Raises DivergenceError. After it, after Ctrl-C, and after an error of `measure`, weights, generator and history are
    all three those after the last full epoch: they change together, in `_Run.epoch`. With early stopping, the net is
    then, and in the end, as it was after its best epoch, and `spare` keeps the last: a training that is given the same
    spare again goes on from there.
    """
    history = History() if history is None else history
    epochs = len(history.loss) + options.number_epochs
    options.check(epochs, validated=measure is not None)
    options = options.for_samples(len(samples.y))
    if options.early_stopping is not None and spare is None:
        spare = Spare(trainee.weights, trainee.state)
    watch = Stopwatch()
    try:
        if spare is not None:
            spare.put("last")
        run = _Run(trainee, samples, options, watch, spare)
        history.compile_seconds += watch.seconds["compile"]
        packing = watch.seconds["pack"]  # is time of the first epoch
        for epoch in range(1, options.number_epochs + 1):
            run.epoch(history, measure, options.rate(trainee.lr(), history, epochs), packing if epoch == 1 else 0.0)
            answer = None if options.callback is None else options.callback(epoch, history)
            ended = isinstance(answer, (bool, np.bool_)) and answer  # not 12, of a callback that ends in file.write
            if ended or history.stopped_early:
                break
    finally:
        if spare is not None:
            spare.put("best")
    return history


def compile_for(trainee: Trainee, samples: Samples, options: FitOptions, validation: Samples) -> None:
    """Compile, or load from disk, all that a `fit` with these arguments would, measured on `validation`; train nothing.

    Raises InvalidValueError for NaN or infinity in the samples.
    """
    measure_on(trainee.weights, validation, trainee.n_threads)
    _Run(trainee, samples, options, Stopwatch(), None)


class _Run:
    """A `fit` under way: the inputs as the kernels take them, and the memory that its epochs share."""

    def __init__(
        self, trainee: Trainee, samples: Samples, options: FitOptions, watch: Stopwatch, spare: Spare | None
    ) -> None:
        self._trainee, self._y, self._weights, self._options = trainee, samples.y, samples.weights, options
        self._lanes, self._parameters, self._spare = trainee.weights.lanes, trainee.weights.packed, spare
        (self._n_classes,) = trainee.weights.shapes["b2"]
        self._X = self._packed(samples.X, watch)
        with watch.on("compile"):
            compile_training(self._lanes, type(self._X), trainee.state.optimizer, self._lazy)
        with watch.on("pack"):
            # More threads than processors would only wait for each other.
            n_threads = min(trainee.n_threads, len(self._parameters.W1), available_processors())
            self._pace = Pace(n_threads)
            self._outcome = Outcome.of(len(self._y))
            self._scratch = EpochScratch.of(self._parameters, self._X, options.batch_size, n_threads)
            self._rollback = _Rollback([self._parameters, *trainee.state.packed], self._X, trainee.state.optimizer)

    def _packed(self, X: Rows, watch: Stopwatch) -> Inputs:
        """X in the form that is fastest for these epochs; what packs it is compiled, or loaded from disk, first."""
        n_threads, batch_size = self._trainee.n_threads, self._options.batch_size
        optimizer, vectors = self._trainee.state.optimizer, self._trainee.weights.vectors
        with watch.on("compile"):
            count_nonzeros(_ONE, 1)
        with watch.on("pack"):
            counts, form = count_nonzeros(X, n_threads), sparse_form(X.shape[1], batch_size)
            # By the numbers alone: a dense array and a sparse matrix of the same are trained to the same bits.
            few = sparse_pays(counts.sum() / (X.shape[0] * X.shape[1]), vectors)
            self._lazy = form is WideRows and few and has_lazy_form(optimizer)
            if isinstance(X, SparseInputs):
                return X.rows if form is WideRows else SparseRows(*X.rows)
            forms = forms_by_speed(X, counts, vectors, self._lanes, batch_size)
            if self._lazy or (isinstance(optimizer, Adam) and optimizer.lazy):
                forms = [form]
        for form in forms:
            with watch.on("compile"):
                in_form(form, _ONE, _ONE_COUNT, self._lanes, 1, 1)
            with watch.on("pack"):
                packed = in_form(form, X, counts, self._lanes, batch_size, n_threads)
            if packed is not None:
                return packed
        raise AssertionError("the last form takes any X")

    def epoch(self, history: History, measure: Measure | None, lr: float, packing: float) -> None:
        """Train once through all samples at this learning rate, measure, and add the epoch to the history.

        Where anything of that fails or is interrupted, nothing has changed: weights and generator are put back, so that
        the next epoch draws this one's order again. Ctrl-C ends the training and the measuring at their next meeting,
        but is raised only there and at the end: what keeps, puts back and adds is never broken off. `packing` is
        seconds that count as the epoch's.
        """
        rng, watch = self._trainee.rng, Stopwatch()
        with HeldBack():
            with watch.on("train"):
                state = rng.bit_generator.state
                self._rollback.save()
            try:
                with watch.on("train"):
                    loss, accuracy = self._train_once(lr)
                measured = None if measure is None else measure()
            except BaseException as error:
                self._rollback.restore()
                rng.bit_generator.state = state
                if isinstance(error, DivergenceError):
                    raise DivergenceError(f"training diverged in epoch {len(history.loss) + 1}: {error}") from None
                raise
            self._trainee.state.steps += -(-len(self._y) // self._options.batch_size)
            history.loss.append(loss)
            history.accuracy.append(accuracy)
            history.seconds.append(packing + watch.seconds["train"])
            history.lr.append(lr)
            if measured is not None:
                history.val_loss.append(measured.loss)
                history.val_accuracy.append(measured.accuracy)
            self._look_for_the_best(history)

    def _look_for_the_best(self, history: History) -> None:
        """With early stopping, keep the net after its best epoch so far, and see whether the training is over."""
        stopping, spare = self._options.early_stopping, self._spare
        if stopping is not None and spare is not None:
            if stopping.is_best(history):
                spare.keep_best()
                history.best_epoch = len(history.loss)
            history.stopped_early = stopping.is_over(history)

    def _train_once(self, lr: float) -> tuple[float, float]:
        """Train once through all samples; return mean loss and accuracy, each batch taken before its update."""
        rng, n = self._trainee.rng, len(self._y)
        order = rng.permutation(n) if self._options.shuffle else np.arange(n)
        rule = self._trainee.state.for_epoch(lr)
        size, fixed = self._options.batch_size, self._trainee.fixed_outputs
        plan = EpochPlan.of(order, self._y, size, rule, self._n_classes, self._weights, fixed)
        if self._lazy:
            plan = plan._replace(rule=lazily(rule, plan.totals, self._steps_done()) or rule)
        first = 0
        while first < n:
            last = min(n, first + self._pace.stretch(n - first, self._options.batch_size))
            self._train(plan.part(first, last), self._outcome.part(first, last))
            first = last
        in_order = None if self._weights is None else self._weights[order]  # as the outcome is
        return self._checked_result(lr, in_order)

    def _steps_done(self) -> NDArray[np.uint32]:
        """How many steps of the epoch each row of each tile of W1 has had: none yet."""
        return np.zeros(self._parameters.W1.shape[:2], np.uint32)

    def _train(self, plan: EpochPlan, outcome: Outcome) -> None:
        running: list[float] = []  # seconds, of each thread

        def work(member: Member) -> None:
            start = time.thread_time()
            train_epoch(self._parameters, outcome, self._scratch, self._X, plan, member, self._lanes)
            running.append(time.thread_time() - start)

        start = time.perf_counter()
        quick = self._pace.is_quick(len(plan.order))
        run_team(1 if quick else self._pace.threads, work, inline=quick)
        self._pace.record(len(plan.order), time.perf_counter() - start, sum(running))

    def _checked_result(self, lr: float, weights: Float32Array | None) -> tuple[float, float]:
        loss, accuracy = mean_of(self._outcome, weights)
        finite = all(np.isfinite(array).all() for array in self._parameters)
        if not finite or not loss < self._trainee.loss_limit * math.log(max(self._n_classes, 2)):
            raise DivergenceError(
                f"the mean loss is {loss:.3g} at learning rate {lr:g}; "
                "try a smaller lr, or scale the inputs to about 0..1"
            )
        return loss, accuracy


class _Rollback:
    """What an epoch changes, as it was before: one copy of each set of parameters, the weights' and the moments'.

    Of W1 only the rows that a training on X can change. A column of X without any nonzero leaves its row of W1 as it
    is, unless there is a penalty on weights, or a moment from an earlier fit. Dense inputs can change all of it, and
    where there are more nonzeros than weights, to look for such columns costs more than their rows.
    """

    def __init__(self, sets: list[Parameters], X: Inputs, optimizer: Optimizer) -> None:
        self._rows: slice | Int64Array = slice(None)
        _, n_columns, _ = sets[0].W1.shape
        if isinstance(X, (SparseRows, WideRows)) and len(X.entries) < sets[0].W1.size and optimizer == SGD():
            used = np.zeros(n_columns, np.bool_)
            used[X.entries["column"][: X.starts[:, -1].max()]] = True  # behind them is room, for columns 0
            self._rows = np.flatnonzero(used)
        self._sets = sets
        self._copies = [Parameters(each.W1[:, self._rows].copy(), *(a.copy() for a in each[1:])) for each in sets]

    def save(self) -> None:
        """Keep the values as they are."""
        for ours, theirs in zip(self._copies, self._sets, strict=True):
            if isinstance(self._rows, slice):
                ours.W1[...] = theirs.W1
            else:
                np.take(theirs.W1, self._rows, axis=1, out=ours.W1, mode="clip")
            for kept, array in zip(ours[1:], theirs[1:], strict=True):
                kept[...] = array

    def restore(self) -> None:
        """Put back the values that were kept."""
        for ours, theirs in zip(self._copies, self._sets, strict=True):
            theirs.W1[:, self._rows] = ours.W1
            for kept, array in zip(ours[1:], theirs[1:], strict=True):
                array[...] = kept


# One sample of one input, on which kernels are run to have them compiled.
_ONE = np.ones((1, 1), np.float32)
_ONE_COUNT = np.ones(1, np.int64)


def compile_training(lanes: Lanes, form: type, optimizer: Optimizer, lazy: bool = False) -> None:
    """Compile, or load from disk, what trains on inputs of this form in tiles of this width: run it on one sample."""
    count_nonzeros(_ONE, 1)
    X = in_form(form, _ONE, _ONE_COUNT, lanes, 1, 1)
    assert X is not None
    parameters = empty_parameters(1, 1, 1, lanes)
    scratch = EpochScratch.of(parameters, X, 1, 1)
    moments = [empty_parameters(1, 1, 1, lanes) for _ in moments_of(optimizer)]
    rule = for_kernels(optimizer, 0.0, 0, moments)
    if lazy:
        rule = lazily(rule, np.ones(1, np.float32), np.zeros(parameters.W1.shape[:2], np.uint32)) or rule
    plan = EpochPlan.of(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, rule, 1)
    run_team(1, lambda member: train_epoch(parameters, Outcome.of(1), scratch, X, plan, member, lanes))
