"""Training: the epochs of a `fit`, what is remembered of them, and how they can fail."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array, all_finite
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.history import History
from fastmlp.engine.inference import Score, mean_of, score
from fastmlp.engine.inputs import Rows, Samples, count_nonzeros
from fastmlp.engine.optimizers import SGD, Adam, Optimizer, OptimizerState, for_kernels, has_lazy_form, moments_of
from fastmlp.engine.pace import Pace
from fastmlp.engine.part_reader import PartReader, mean_of_parts, score_on
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
from fastmlp.kernels.many_classes import MANY_CLASSES, ManyClassesScratch, class_groups, train_epoch_of_many
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


def measure_on(weights: Weights, validation: Samples | PartReader, n_threads: int) -> Measure:
    """Return what measures `weights` on the `validation` samples. Raises InvalidValueError for NaN or infinity."""
    if isinstance(validation, PartReader):
        return lambda: score_on(weights, validation, n_threads)
    count_nonzeros(validation.X, n_threads, "validation X")
    # Compiled, or loaded from disk, now, with weights of 0: an epoch could not be interrupted in the compiler.
    like = Weights(*weights.shapes["W1"], *weights.shapes["b2"])
    score(like, Samples(validation.X[:_FEW], validation.y[:_FEW]), 1)
    return lambda: score(weights, validation, n_threads)


def fit(
    trainee: Trainee,
    samples: Samples | PartReader,
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
    if isinstance(samples, PartReader):
        options = options.for_samples(samples.largest)
        samples = samples.read(0) if len(samples) == 1 else samples  # one part stays in memory
    else:
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


class _Packed(NamedTuple):
    """Samples as the kernels take them, and the memory to train on them; `lazy` where W1 is caught up when needed."""

    X: Inputs
    y: Int64Array
    weights: Float32Array | None
    lazy: bool
    batch_size: int
    outcome: Outcome
    scratch: EpochScratch | ManyClassesScratch


class _Run:
    """A `fit` under way: the inputs as the kernels take them, and the memory that its epochs share.

    Samples are packed once. Parts are packed one after the other in each epoch, while the next is being read.
    """

    def __init__(
        self,
        trainee: Trainee,
        samples: Samples | PartReader,
        options: FitOptions,
        watch: Stopwatch,
        spare: Spare | None,
    ) -> None:
        self._trainee, self._options, self._spare = trainee, options, spare
        self._lanes, self._parameters = trainee.weights.lanes, trainee.weights.packed
        (self._n_classes,) = trainee.weights.shapes["b2"]
        self._of_many = self._n_classes >= MANY_CLASSES
        shares = max(len(self._parameters.W1), class_groups(self._n_classes)[0] if self._of_many else 0)
        # More threads than processors would only wait for each other.
        self._n_threads = min(trainee.n_threads, shares, available_processors())
        self._pace, self._interrupted = Pace(self._n_threads), False
        self._parts, self._whole = None, None
        if isinstance(samples, Samples):
            self._whole = self._packed(samples, watch)
        else:
            self._parts = samples
        with watch.on("pack"):
            sets = [self._parameters, *trainee.state.packed]
            self._rollback = _Rollback(sets, self._whole and self._whole.X, trainee.state.optimizer)

    def _packed(self, samples: Samples, watch: Stopwatch, name: str = "X") -> _Packed:
        """The samples in the form that is fastest for them, with their scratch; what trains on it is compiled."""
        batch_size = min(self._options.batch_size, len(samples.y))
        X, lazy = self._in_form(samples.X, batch_size, watch, name)
        with watch.on("compile"):
            compile_training(self._lanes, type(X), self._trainee.state.optimizer, lazy, self._of_many)
        with watch.on("pack"):
            scratch = (ManyClassesScratch if self._of_many else EpochScratch).of(
                self._parameters, X, batch_size, self._n_threads
            )
            return _Packed(X, samples.y, samples.weights, lazy, batch_size, Outcome.of(len(samples.y)), scratch)

    def _in_form(self, X: Rows, batch_size: int, watch: Stopwatch, name: str) -> tuple[Inputs, bool]:
        """X in the form that is fastest, and whether its columns are lazy; what packs it is compiled first."""
        n_threads = self._trainee.n_threads
        optimizer, vectors = self._trainee.state.optimizer, self._trainee.weights.vectors
        with watch.on("compile"):
            count_nonzeros(_ONE, 1)
        with watch.on("pack"):
            counts, form = count_nonzeros(X, n_threads, name), sparse_form(X.shape[1], batch_size)
            # By the numbers alone: a dense array and a sparse matrix of the same are trained to the same bits.
            few = sparse_pays(counts.sum() / (X.shape[0] * X.shape[1]), vectors)
            lazy = form is WideRows and few and has_lazy_form(optimizer)
            if isinstance(X, SparseInputs):
                return X.rows if form is WideRows else SparseRows(*X.rows), lazy
            forms = forms_by_speed(X, counts, vectors, self._lanes, batch_size)
            if lazy or (isinstance(optimizer, Adam) and optimizer.lazy):
                forms = [form]
            if self._parts is not None:  # to find codes takes longer than one epoch gains (bench/parts.py)
                forms = forms[-1:]
        for form in forms:
            with watch.on("compile"):
                in_form(form, _ONE, _ONE_COUNT, self._lanes, 1, 1)
            with watch.on("pack"):
                packed = in_form(form, X, counts, self._lanes, batch_size, n_threads)
            if packed is not None:
                return packed, lazy
        raise AssertionError("the last form takes any X")

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
                    loss, accuracy = self._train_once(lr, watch)
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

    def _train_once(self, lr: float, watch: Stopwatch) -> Score:
        """Train once through all samples; return mean loss and accuracy, each batch taken before its update."""
        if self._whole is not None:
            return self._train_on(self._whole, lr)
        parts, results = self._parts, []
        assert parts is not None
        n = len(parts)
        order = self._trainee.rng.permutation(n).tolist() if self._options.shuffle else list(range(n))
        coming = parts.begin(order[0])
        for place, k in enumerate(order):
            packed = self._packed(coming.take(lambda: self._interrupted), watch, f"{parts.name(k)}: X")
            if self._interrupted:  # while no other block heard of it
                raise KeyboardInterrupt
            if place + 1 < n:
                coming = parts.begin(order[place + 1])
            results.append((self._train_on(packed, lr), parts.mass(k)))
            del packed  # before the next is packed: two parts at most are in memory
        return mean_of_parts(results)

    def _train_on(self, samples: _Packed, lr: float) -> Score:
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

    def _train(self, samples: _Packed, plan: EpochPlan, outcome: Outcome) -> None:
        running: list[float] = []  # seconds, of each thread

        def work(member: Member) -> None:
            start = time.thread_time()
            train = train_epoch_of_many if self._of_many else train_epoch
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


def compile_training(lanes: Lanes, form: type, optimizer: Optimizer, lazy: bool = False, of_many: bool = False) -> None:
    """Compile, or load from disk, what trains on inputs of this form in tiles of this width: run it on one sample."""
    count_nonzeros(_ONE, 1)
    X = in_form(form, _ONE, _ONE_COUNT, lanes, 1, 1)
    assert X is not None
    parameters = empty_parameters(1, 1, 1, lanes)
    scratch, train = (ManyClassesScratch, train_epoch_of_many) if of_many else (EpochScratch, train_epoch)
    moments = [empty_parameters(1, 1, 1, lanes) for _ in moments_of(optimizer)]
    rule = for_kernels(optimizer, 0.0, 0, moments)
    if lazy:
        rule = lazily(rule, np.ones(1, np.float32), np.zeros(parameters.W1.shape[:2], np.uint32)) or rule
    plan = EpochPlan.of(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, rule, 1)
    memory = scratch.of(parameters, X, 1, 1)
    run_team(1, lambda member: train(parameters, Outcome.of(1), memory, X, plan, member, lanes))
