"""Parts as a net takes them: counted before any work, then read one ahead, in a thread, while another is trained on.

An epoch over parts is that of `fit`, part after part: the net's generator draws the order of the parts,
`rng.permutation(P)`, and then, for each in that order, the order of its samples, `rng.permutation(n)`. Each part is cut
into batches of its own, so that its last one may be smaller; what the optimiser remembers goes on from part to part.
So an epoch does what a `fit` of one epoch on each part does, in that order; and of one part, what `fit` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Int64Array
from fastmlp.engine.class_weights import ClassWeight, check_class_weight, weights_by_class
from fastmlp.engine.inference import Score, score
from fastmlp.engine.inputs import Samples, count_nonzeros
from fastmlp.engine.labels import as_labels
from fastmlp.engine.parts import Part, Parts
from fastmlp.engine.settings import default_threads
from fastmlp.engine.sparse_inputs import SparseInputs
from fastmlp.engine.weights import Weights
from fastmlp.errors import DataError, FastmlpError
from fastmlp.files.spill import Room, Spill
from fastmlp.kernels.interrupts import HeldBack
from fastmlp.kernels.wide import WideRows

__all__ = ["PartReader", "Reading", "count_labels", "mean_of_parts", "score_on"]

T = TypeVar("T")

_LOOK_SECONDS = 0.05  # between two looks at whether Ctrl-C was pressed

ToSamples = Callable[[ArrayLike, ArrayLike, str], Samples]
"""Inputs, labels and the start of what messages call them, turned into samples as a net takes them."""


class PartReader:
    """The parts of `parts` for a net with `n_classes` outputs, whose door is `to_samples`.

    Reads the labels of all parts, unless `counts` (P, C) has how many samples of each class each part holds. Raises
    DataError where a part cannot be read, and what the door raises for labels that do not fit; the message names the
    part.
    """

    def __init__(
        self,
        parts: Parts,
        to_samples: ToSamples,
        n_classes: int,
        class_weight: ClassWeight | None = None,
        counts: Int64Array | None = None,
    ) -> None:
        self._parts, self._to_samples = parts.parts, to_samples
        if counts is None:
            counts = np.stack([count_labels(part, n_classes) for part in self._parts])
        self._counts: Int64Array = counts
        self._spill: Spill | None = None
        self._rooms = Room(), Room()  # for the part that is measured, and the one that is being read
        checked = check_class_weight(class_weight, n_classes)
        self._factors = None
        if checked is not None:
            self._factors = weights_by_class(checked, self._counts.sum(axis=0)).astype(np.float32)
            if not (self._counts.sum(axis=0) * self._factors).any():
                raise DataError("class_weight is 0 for the classes of all samples: at least one must count")

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def n_samples(self) -> int:
        """How many samples there are in all parts."""
        return int(self._counts.sum())

    @property
    def largest(self) -> int:
        """The samples of the largest part."""
        return int(self._counts.sum(axis=1).max())

    def name(self, k: int) -> str:
        """What messages call a part."""
        return self._parts[k].name

    def mass(self, k: int) -> float:
        """How much a part counts in a mean over all: its samples, or the sum of their weights."""
        counts = self._counts[k]
        return float(counts.sum() if self._factors is None else (counts * self._factors.astype(np.float64)).sum())

    def read(self, k: int) -> Samples:
        """Return the samples of a part.

        Raises DataError where it cannot be read or has other labels than before, and what the door raises.
        """
        part = self._parts[k]
        X, Y = _told(part, part.read)
        samples = self._to_samples(X, Y, f"{part.name}: ")
        n_classes = self._counts.shape[1]
        if not np.array_equal(np.bincount(samples.y, minlength=n_classes), self._counts[k]):
            raise DataError(f"{part.name} has other labels than when the training began: leave the parts as they are")
        return samples if self._factors is None else samples._replace(weights=self._factors[samples.y])

    def keep_on_disk(self) -> None:
        """Have `in_turn` read each part once: the samples are kept in a temporary file, as far as there is room."""
        self._spill = Spill()

    def in_turn(self) -> Iterator[tuple[Samples, float]]:
        """Yield the samples of each part and how much it counts, while the next is being read.

        Raises what `read` raises, and InvalidValueError for NaN or infinity.
        """
        coming = self._begin(0)
        for k in range(len(self)):
            samples = coming.take()
            if k + 1 < len(self):
                coming = self._begin(k + 1)
            if not self._is_kept(k):
                count_nonzeros(samples.X, default_threads(), f"{self.name(k)}: X")
                self._keep(k, samples)
            yield samples, self.mass(k)
            del samples  # before the one after next is begun

    def _begin(self, k: int) -> Reading[Samples]:
        return Reading(lambda: self._read_kept(k) if self._is_kept(k) else self.read(k))

    def _is_kept(self, k: int) -> bool:
        return self._spill is not None and k in self._spill

    def _keep(self, k: int, samples: Samples) -> None:
        if self._spill is None or samples.weights is not None:
            return
        X = samples.X
        self._spill.keep(k, [*(X.rows if isinstance(X, SparseInputs) else [X]), samples.y])
        self._input_size = X.shape[1]

    def _read_kept(self, k: int) -> Samples:
        assert self._spill is not None
        *X, y = self._spill.read(k, self._rooms[k % 2])  # the part before the last is done with
        return Samples(X[0] if len(X) == 1 else SparseInputs(WideRows(*X), self._input_size), y)


class Reading(Generic[T]):
    """What is being read in a thread of its own."""

    def __init__(self, read: Callable[[], T]) -> None:
        self._result: T | None = None
        self._error: BaseException | None = None
        self._done = threading.Event()
        threading.Thread(target=self._run, args=(read,), name="fastmlp-parts", daemon=True).start()

    def _run(self, read: Callable[[], T]) -> None:
        try:
            self._result = read()
        except BaseException as error:  # noqa: BLE001  (raised again where the result is taken)
            self._error = error
        finally:
            self._done.set()

    def take(self, interrupted: Callable[[], bool] = lambda: False) -> T:
        """Wait for what is read and return it, once; raises what reading it raised.

        Ctrl-C ends the waiting, and so does `interrupted`, which says whether it was pressed before.
        """
        pressed: list[bool] = []
        with HeldBack(lambda: pressed.append(True)):
            while not pressed and not self._done.wait(_LOOK_SECONDS):
                if interrupted():
                    raise KeyboardInterrupt
        if self._error is not None:
            raise self._error
        result, self._result = self._result, None
        assert result is not None
        return result


def mean_of_parts(results: Sequence[tuple[Score, float]]) -> Score:
    """Return the mean loss and accuracy over parts from those of each and how much it counts.

    >>> mean_of_parts([(Score(1.0, 0.5), 1.0), (Score(2.0, 0.75), 3.0)])
    Score(loss=1.75, accuracy=0.6875)
    """
    if len(results) == 1:
        return results[0][0]
    total = sum(mass for _, mass in results)
    return Score(*(sum(score[i] * mass for score, mass in results if mass) / total for i in range(2)))


def score_on(weights: Weights, samples: Samples | PartReader, n_threads: int | None) -> Score:
    """Return loss and accuracy over samples or all parts; raises what reading raises, InvalidValueError for NaN."""
    if isinstance(samples, Samples):
        return score(weights, samples, n_threads)
    results = []
    for part, mass in samples.in_turn():
        results.append((score(weights, part, n_threads), mass))
        del part  # before the one after next is read
    return mean_of_parts(results)


def count_labels(part: Part, n_classes: int) -> Int64Array:
    """Return how many samples of each class (C,) a part holds. Raises DataError, and what the door does for labels."""
    labels = np.asarray(_told(part, part.labels))
    if labels.size == 0:
        raise DataError(f"{part.name} has no samples: leave it out")
    return np.bincount(as_labels(f"{part.name}: Y", labels, len(np.atleast_1d(labels)), n_classes), minlength=n_classes)


def _told(part: Part, read: Callable[[], T]) -> T:
    """Do the reading; what goes wrong on the disk is told with the name of the part."""
    try:
        return read()
    except FastmlpError:
        raise
    except OSError as error:
        raise DataError(f"{part.name} cannot be read: {error.strerror or error}") from None
    except MemoryError:
        raise DataError(f"{part.name} is too large for the memory of this machine: cut it into smaller parts") from None
