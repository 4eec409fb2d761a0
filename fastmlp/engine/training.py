"""Training: the epochs of a `fit`, what is remembered of them, and how they can fail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array, all_finite
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score, mean_of, score
from fastmlp.engine.inputs import Samples, count_nonzeros
from fastmlp.engine.optimizers import SGD, Optimizer, OptimizerState
from fastmlp.engine.pace import Pace
from fastmlp.engine.packed import Packed, PackedParts, Packer
from fastmlp.engine.part_reader import PartReader, mean_of_parts, score_on
from fastmlp.engine.stopping import Spare
from fastmlp.engine.stopwatch import Stopwatch
from fastmlp.engine.weights import Weights
from fastmlp.errors import DivergenceError
from fastmlp.kernels.epoch import EpochPlan, train_epoch
from fastmlp.kernels.hidden import Inputs
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.kernels.layout import Parameters
from fastmlp.kernels.lazy import lazily
from fastmlp.kernels.many_classes import ManyClassesScratch, train_epoch_of_many
from fastmlp.kernels.softmax import Outcome
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.team import Member, run_team
from fastmlp.kernels.wide import WideRows

__all__ = ["Elsewhere", "Measure", "Trainee", "compile_for", "fit", "measure_on", "train_once"]

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


class Elsewhere(Protocol):
    """Samples that are not trained on here: what `fit` takes for them where others do the work of an epoch."""

    @property
    def largest(self) -> int:
        """Samples of the largest part: a batch has no more."""

    def train(self, options: FitOptions, lr: float, watch: Stopwatch, interrupted: Callable[[], bool]) -> Score:
        """Have an epoch trained, and the trainee what came of it; return mean loss and accuracy.

        Raises KeyboardInterrupt soon after `interrupted` says so. The `watch` is told what compiling took. Where it
        raises, the caller puts the trainee back.
        """


def measure_on(weights: Weights, validation: Samples | PartReader, n_threads: int) -> Measure:
    """Return what measures `weights` on the `validation` samples. Raises InvalidValueError for NaN or infinity."""
    if isinstance(validation, PartReader):
        validation.keep_on_disk()
        return lambda: score_on(weights, validation, n_threads)
    count_nonzeros(validation.X, n_threads, "validation X")
    # Compiled, or loaded from disk, now, with weights of 0: an epoch could not be interrupted in the compiler.
    like = Weights(*weights.shapes["W1"], *weights.shapes["b2"])
    score(like, Samples(validation.X[:_FEW], validation.y[:_FEW]), 1)
    return lambda: score(weights, validation, n_threads)


def fit(
    trainee: Trainee,
    samples: Samples | PartReader | Elsewhere,
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
    options = options.for_samples(len(samples.y) if isinstance(samples, Samples) else samples.largest)
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


def train_once(trainee: Trainee, samples: Samples | PartReader, options: FitOptions, lr: float) -> tuple[Score, float]:
    """Train one epoch, as `fit` does; return mean loss and accuracy, and the seconds that compiling took.

    Where it raises, DivergenceError among others, the trainee is left as it is: throw it away.
    """
    watch = Stopwatch()
    run = _Run(trainee, samples, replace(options, number_epochs=1), watch, None)
    return run.train_once(lr, watch), watch.seconds["compile"]


class _Run:
    """A `fit` under way: the inputs as the kernels take them, and the memory that its epochs share."""

    def __init__(
        self,
        trainee: Trainee,
        samples: Samples | PartReader | Elsewhere,
        options: FitOptions,
        watch: Stopwatch,
        spare: Spare | None,
    ) -> None:
        self._trainee, self._options, self._spare = trainee, options, spare
        self._lanes, self._parameters = trainee.weights.lanes, trainee.weights.packed
        (self._n_classes,) = trainee.weights.shapes["b2"]
        packer = Packer(trainee.weights, trainee.state.optimizer, options.batch_size, trainee.n_threads)
        self._pace, self._interrupted = Pace(packer.threads_in_training), False
        name = "X"
        if isinstance(samples, PartReader) and len(samples) == 1:  # it stays in memory
            name, samples = f"{samples.name(0)}: X", samples.read(0)
        self._samples: Packed | PackedParts | Elsewhere
        if isinstance(samples, Samples):
            self._samples = packer.packed(samples, watch, name)
        elif isinstance(samples, PartReader):
            self._samples = PackedParts(samples, packer, options.number_epochs)
        else:
            self._samples = samples
        with watch.on("pack"):
            sets = [self._parameters, *trainee.state.packed]
            X = self._samples.X if isinstance(self._samples, Packed) else None
            self._rollback = _Rollback(sets, X, trainee.state.optimizer)

    def epoch(self, history: History, measure: Measure | None, lr: float, packing: float) -> None:
        """Train once through all samples at this learning rate, measure, and add the epoch to the history.

        Where anything of that fails or is interrupted, nothing has changed: weights and generator are put back, so that
        the next epoch draws this one's order again. Ctrl-C ends the training and the measuring at their next meeting,
        but is raised only there and at the end: what keeps, puts back and adds is never broken off. `packing` is
        seconds that count as the epoch's.
        """
        rng, optimizer, watch = self._trainee.rng, self._trainee.state, Stopwatch()
        self._interrupted = False
        with HeldBack(self._interrupt):
            with watch.on("train"):
                state, steps = rng.bit_generator.state, optimizer.steps
                self._rollback.save()
            try:
                with watch.on("train"):
                    loss, accuracy = self.train_once(lr, watch)
                measured = None if measure is None else measure()
            except BaseException as error:
                self._rollback.restore()
                rng.bit_generator.state, optimizer.steps = state, steps
                if isinstance(error, DivergenceError):
                    raise DivergenceError(f"training diverged in epoch {len(history.loss) + 1}: {error}") from None
                raise
            history.loss.append(loss)
            history.accuracy.append(accuracy)
            history.seconds.append(packing + watch.seconds["train"] - watch.seconds["compile"])
            history.compile_seconds += watch.seconds["compile"]  # of a part
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

    def _interrupt(self) -> None:
        self._interrupted = True

    def train_once(self, lr: float, watch: Stopwatch) -> Score:
        """Train once through all samples; return mean loss and accuracy, each batch taken before its update."""
        if isinstance(self._samples, Packed):
            return self._train_on(self._samples, lr)
        if isinstance(self._samples, PackedParts):
            return self._train_on_parts(self._samples, lr, watch)
        return self._samples.train(self._options, lr, watch, lambda: self._interrupted)

    def _train_on_parts(self, parts: PackedParts, lr: float, watch: Stopwatch) -> Score:
        n, results = len(parts), []
        order = self._trainee.rng.permutation(n).tolist() if self._options.shuffle else list(range(n))
        for packed, mass in parts.in_turn(order, watch, lambda: self._interrupted):
            results.append((self._train_on(packed, lr), mass))
            del packed  # before the next is packed: two parts at most are in memory
        return mean_of_parts(results)

    def _train_on(self, samples: Packed, lr: float) -> Score:
        """Train once through these samples."""
        rng, n, size = self._trainee.rng, len(samples.y), samples.batch_size
        order = rng.permutation(n) if self._options.shuffle else np.arange(n)
        rule = self._trainee.state.for_epoch(lr)
        fixed = self._trainee.fixed_outputs
        plan = EpochPlan.of(order, samples.y, size, rule, self._n_classes, samples.weights, fixed)
        if samples.lazy:
            plan = plan._replace(rule=lazily(rule, plan.totals, self._steps_done()) or rule)
        first = 0
        while first < n:
            last = min(n, first + self._pace.stretch(n - first, size))
            self._train(samples, plan.part(first, last), samples.outcome.part(first, last))
            first = last
        self._trainee.state.steps += -(-n // size)
        in_order = None if samples.weights is None else samples.weights[order]  # as the outcome is
        return self._checked_result(samples.outcome, lr, in_order)

    def _steps_done(self) -> NDArray[np.uint32]:
        """How many steps of the epoch each row of each tile of W1 has had: none yet."""
        return np.zeros(self._parameters.W1.shape[:2], np.uint32)

    def _train(self, samples: Packed, plan: EpochPlan, outcome: Outcome) -> None:
        running: list[float] = []  # seconds, of each thread

        def work(member: Member) -> None:
            start = time.thread_time()
            train = train_epoch_of_many if isinstance(samples.scratch, ManyClassesScratch) else train_epoch
            train(self._parameters, outcome, samples.scratch, samples.X, plan, member, self._lanes)
            running.append(time.thread_time() - start)

        start = time.perf_counter()
        quick = self._pace.is_quick(len(plan.order))
        run_team(1 if quick else self._pace.threads, work, inline=quick)
        self._pace.record(len(plan.order), time.perf_counter() - start, sum(running))

    def _checked_result(self, outcome: Outcome, lr: float, weights: Float32Array | None) -> Score:
        none_counts = weights is not None and not weights.any()  # in a part of classes that all have the weight 0
        result = Score(0.0, 0.0) if none_counts else mean_of(outcome, weights)
        finite = all(all_finite(array) for array in self._parameters)
        if not finite or not result.loss < self._trainee.loss_limit * math.log(max(self._n_classes, 2)):
            raise DivergenceError(
                f"the mean loss is {result.loss:.3g} at learning rate {lr:g}; "
                "try a smaller lr, or scale the inputs to about 0..1"
            )
        return result


class _Rollback:
    """What an epoch changes, as it was before: one copy of each set of parameters, the weights' and the moments'.

    Of W1 only the rows that a training on X can change. A column of X without any nonzero leaves its row of W1 as it
    is, unless there is a penalty on weights, or a moment from an earlier fit. Dense inputs can change all of it, and
    where there are more nonzeros than weights, to look for such columns costs more than their rows. X is None for data
    in parts, whose columns are not known before they are read.
    """

    def __init__(self, sets: list[Parameters], X: Inputs | None, optimizer: Optimizer) -> None:
        self._rows: slice | Int64Array = slice(None)
        _, n_columns, _ = sets[0].W1.shape
        if isinstance(X, (SparseRows, WideRows)) and len(X.entries) < sets[0].W1.size and optimizer == SGD():
            used = np.zeros(n_columns, np.bool_)
            used[X.entries["column"][: X.starts[:, -1].max()]] = True  # behind them is room, for columns 0
            self._rows = np.flatnonzero(used)
        self._sets = sets
        self._copies = [Parameters(self._room(each.W1), *(np.empty_like(a) for a in each[1:])) for each in sets]

    def _room(self, W1: Float32Array) -> Float32Array:
        """Memory for the rows of W1 (tiles, D, units) that are kept."""
        tiles, n_columns, units = W1.shape
        return np.empty((tiles, n_columns if isinstance(self._rows, slice) else len(self._rows), units), np.float32)

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
