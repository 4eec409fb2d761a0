"""Samples as the kernels take them: in the form that is fastest for them, with the memory to train on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.inputs import Rows, Samples, count_nonzeros
from fastmlp.engine.optimizers import Adam, Optimizer, for_kernels, has_lazy_form, moments_of
from fastmlp.engine.part_reader import PartReader, Reading
from fastmlp.engine.sparse_inputs import SparseInputs
from fastmlp.engine.stopwatch import Stopwatch
from fastmlp.engine.weights import Weights
from fastmlp.files.spill import Room, Spill
from fastmlp.kernels.epoch import EpochPlan, EpochScratch, train_epoch
from fastmlp.kernels.hidden import Inputs, forms_by_speed, in_form, sparse_form
from fastmlp.kernels.layout import empty_parameters
from fastmlp.kernels.lazy import lazily
from fastmlp.kernels.many_classes import MANY_CLASSES, ManyClassesScratch, class_groups, train_epoch_of_many
from fastmlp.kernels.packing import sparse_pays
from fastmlp.kernels.softmax import Outcome
from fastmlp.kernels.sparse import SparseRows
from fastmlp.kernels.team import run_team
from fastmlp.kernels.tiles import Lanes
from fastmlp.kernels.wide import WideRows
from fastmlp.machine import available_processors

__all__ = ["Packed", "PackedParts", "Packer", "compile_training"]

_EPOCHS_FOR_CODES = 4  # to find the codes of a part takes as long as so many epochs gain by them (bench/parts.py)


class Packed(NamedTuple):
    """Samples as the kernels take them, and the memory to train on them; `lazy` where W1 is caught up when needed."""

    X: Inputs
    y: Int64Array
    weights: Float32Array | None
    lazy: bool
    batch_size: int
    outcome: Outcome
    scratch: EpochScratch | ManyClassesScratch


class Packer:
    """Packs samples for a training of these weights by this optimiser, in batches of this size or what there is."""

    def __init__(self, weights: Weights, optimizer: Optimizer, batch_size: int, n_threads: int) -> None:
        self._weights, self._optimizer, self._batch_size, self._n_threads = weights, optimizer, batch_size, n_threads
        (n_classes,) = weights.shapes["b2"]
        self._of_many = n_classes >= MANY_CLASSES
        shares = max(len(weights.packed.W1), class_groups(n_classes)[0] if self._of_many else 0)
        # More threads than processors would only wait for each other.
        self.threads_in_training = min(n_threads, shares, available_processors())

    def packed(self, samples: Samples, watch: Stopwatch, name: str = "X", *, coded: bool = True) -> Packed:
        """The samples in the form that is fastest for them, a coded one only if wanted; its kernels are compiled.

        Raises InvalidValueError for NaN or infinity in X, which messages call `name`.
        """
        X, lazy = self._in_form(samples.X, min(self._batch_size, len(samples.y)), watch, name, coded)
        return self.ready(X, samples.y, samples.weights, lazy, watch)

    def ready(self, X: Inputs, y: Int64Array, weights: Float32Array | None, lazy: bool, watch: Stopwatch) -> Packed:
        """Samples that have their form, with the memory to train on them; what trains on it is compiled."""
        with watch.on("compile"):
            compile_training(self._weights.lanes, type(X), self._optimizer, lazy, self._of_many)
        with watch.on("pack"):
            batch_size, kind = min(self._batch_size, len(y)), ManyClassesScratch if self._of_many else EpochScratch
            scratch = kind.of(self._weights.packed, X, batch_size, self.threads_in_training)
            return Packed(X, y, weights, lazy, batch_size, Outcome.of(len(y)), scratch)

    def _in_form(self, X: Rows, batch_size: int, watch: Stopwatch, name: str, coded: bool) -> tuple[Inputs, bool]:
        """X in the form that is fastest, and whether its columns are lazy; what packs it is compiled first."""
        optimizer, vectors, lanes = self._optimizer, self._weights.vectors, self._weights.lanes
        with watch.on("compile"):
            count_nonzeros(_ONE, 1)
        with watch.on("pack"):
            counts, form = count_nonzeros(X, self._n_threads, name), sparse_form(X.shape[1], batch_size)
            # By the numbers alone: a dense array and a sparse matrix of the same are trained to the same bits.
            few = sparse_pays(counts.sum() / (X.shape[0] * X.shape[1]), vectors)
            lazy = form is WideRows and few and has_lazy_form(optimizer)
            if isinstance(X, SparseInputs):
                return X.rows if form is WideRows else SparseRows(*X.rows), lazy
            forms = forms_by_speed(X, counts, vectors, lanes, batch_size)
            if lazy or (isinstance(optimizer, Adam) and optimizer.lazy):
                forms = [form]
        for form in forms if coded else forms[-1:]:
            with watch.on("compile"):
                in_form(form, _ONE, _ONE_COUNT, lanes, 1, 1)
            with watch.on("pack"):
                packed = in_form(form, X, counts, lanes, batch_size, self._n_threads)
            if packed is not None:
                return packed, lazy
        raise AssertionError("the last form takes any X")


class _Kept(NamedTuple):
    """What a part is whose arrays are on disk."""

    form: type[Any]
    lazy: bool
    weighted: bool


class PackedParts:
    """Parts as the kernels take them, one after the other, while the next is being read.

    What is packed in the first of several epochs is kept on disk for those to come, as far as there is room: to read
    it takes a tenth of the time that it takes to read a part, look at it and pack it. The system keeps in memory what
    it has memory for.
    """

    def __init__(self, parts: PartReader, packer: Packer, n_epochs: int) -> None:
        self._parts, self._packer = parts, packer
        self._spill = Spill() if n_epochs > 1 else None
        self._coded = n_epochs >= _EPOCHS_FOR_CODES
        self._kept: dict[int, _Kept] = {}
        self._rooms = Room(), Room()  # for the part that is trained on, and the one that is being read

    def __len__(self) -> int:
        return len(self._parts)

    def in_turn(
        self, order: Sequence[int], watch: Stopwatch, interrupted: Callable[[], bool]
    ) -> Iterator[tuple[Packed, float]]:
        """Yield the parts in this order, and how much each counts; `interrupted` says whether Ctrl-C was pressed.

        Raises what reading and packing raise, and KeyboardInterrupt.
        """
        coming = self._begin(order, 0)
        for place, k in enumerate(order):
            taken = [coming.take(interrupted)]
            if place + 1 < len(order):
                coming = self._begin(order, place + 1)
            packed = self._packed(k, taken, watch)
            if interrupted():  # while no other block heard of it
                raise KeyboardInterrupt
            yield packed, self._parts.mass(k)
            del packed  # before the next is taken: two parts at most are in memory

    def _begin(self, order: Sequence[int], place: int) -> Reading[Samples | list[NDArray[Any]]]:
        """Begin to read the part at this place, or what is kept of it, in another thread."""
        k, spill, room = order[place], self._spill, self._rooms[place % 2]
        if spill is not None and k in self._kept:
            return Reading(lambda: spill.read(k, room))
        return Reading(lambda: self._parts.read(k))

    def _packed(self, k: int, taken: list[Samples | list[NDArray[Any]]], watch: Stopwatch) -> Packed:
        """A part that was read; takes it out of `taken`, so that it is in memory no longer than needed."""
        read = taken.pop()
        if not isinstance(read, Samples):
            form, lazy, weighted = self._kept[k]
            weights = read.pop() if weighted else None
            y = read.pop()
            X: Inputs = read[0] if issubclass(form, np.ndarray) else form(*read)
            return self._packer.ready(X, y, weights, lazy, watch)
        packed = self._packer.packed(read, watch, f"{self._parts.name(k)}: X", coded=self._coded)
        self._keep(k, packed)
        return packed

    def _keep(self, k: int, packed: Packed) -> None:
        """Keep a part on disk, if there is room."""
        X, weights = packed.X, packed.weights
        arrays = [*([X] if isinstance(X, np.ndarray) else X), packed.y, *([] if weights is None else [weights])]
        if self._spill is not None and self._spill.keep(k, arrays):
            self._kept[k] = _Kept(type(X), packed.lazy, weights is not None)
        else:
            self._coded = False


# One sample of one input, on which kernels are run to have them compiled.
_ONE = np.ones((1, 1), np.float32)
_ONE_COUNT = np.ones(1, np.int64)


def compile_training(lanes: Lanes, form: type, optimizer: Optimizer, lazy: bool = False, of_many: bool = False) -> None:
    """Compile, or load from disk, what trains on inputs of this form in tiles of this width: run it on one sample."""
    count_nonzeros(_ONE, 1)
    X = in_form(form, _ONE, _ONE_COUNT, lanes, 1, 1)
    assert X is not None
    parameters = empty_parameters(1, 1, 1, lanes)
    scratch = (ManyClassesScratch if of_many else EpochScratch).of(parameters, X, 1, 1)
    moments = [empty_parameters(1, 1, 1, lanes) for _ in moments_of(optimizer)]
    rule = for_kernels(optimizer, 0.0, 0, moments)
    if lazy:
        rule = lazily(rule, np.ones(1, np.float32), np.zeros(parameters.W1.shape[:2], np.uint32)) or rule
    plan = EpochPlan.of(np.zeros(1, np.int64), np.zeros(1, np.int64), 1, rule, 1)
    train = train_epoch_of_many if of_many else train_epoch
    run_team(1, lambda member: train(parameters, Outcome.of(1), scratch, X, plan, member, lanes))
