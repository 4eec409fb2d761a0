"""Inference: probabilities and losses of rows, by the forward pass alone."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.caller import warn_caller
from fastmlp.engine.inputs import Rows, Samples, refuse_unusable
from fastmlp.engine.settings import default_threads
from fastmlp.engine.sparse_inputs import SparseInputs
from fastmlp.engine.weights import Weights
from fastmlp.kernels.compiled import compiled_for
from fastmlp.kernels.layout import empty_parameters
from fastmlp.kernels.many_classes import MANY_CLASSES
from fastmlp.kernels.prediction import PredictionScratch, WithZeros, network_forward
from fastmlp.kernels.softmax import Outcome
from fastmlp.kernels.sparse import ROW_ENTRY
from fastmlp.kernels.team import Member, run_team, told_to_stop
from fastmlp.kernels.tiles import Lanes
from fastmlp.kernels.wide import AHEAD, WideRows

__all__ = ["Score", "forward", "mean_of", "probabilities_and_losses", "score"]

_ROWS_ALONE = 128  # are done in the caller's thread; how long they take says whether the rest is worth others
_ROWS_OF_PIECE = 512  # that a thread takes at once
_SECONDS_FOR_THREADS = 0.001  # of work, below which starting threads takes longer than they save
_UNUSABLE = -1
_KEPT = 16  # scratches of a net that wait for its next forward pass

_NO_LABELS = np.empty(0, np.int64)
_NO_OUTCOME = Outcome.of(0)


class Score(NamedTuple):
    """How good a net is on some samples.

    Attributes
    ----------
    loss
        Mean cross-entropy, in nats.
    accuracy
        Fraction of the samples whose class was found.
    """

    loss: float
    accuracy: float


def forward(weights: Weights, X: Rows, n_threads: int | None) -> Float32Array:
    """Return the probabilities (n, C) of the rows X (n, D); raises InvalidValueError for NaN or infinity.

    A row whose logits overflow float32 has the probabilities NaN, and a RuntimeWarning says how many there are.
    `n_threads` is how many threads may be used, None for as many as `default_threads` says.
    """
    probs = np.empty((len(X), weights.shapes["b2"][0]), np.float32)
    _run(weights, X, _NO_LABELS, probs, _NO_OUTCOME, n_threads)
    return probs


def score(weights: Weights, samples: Samples, n_threads: int | None) -> Score:
    """Return mean loss and accuracy of some samples, by their weights, otherwise as `forward`.

    A row whose logits overflow float32 counts as wrong, and its loss is NaN.
    """
    outcome = Outcome.of(len(samples.y))
    _run(weights, samples.X, samples.y, np.empty((0, weights.shapes["b2"][0]), np.float32), outcome, n_threads)
    return mean_of(outcome, samples.weights)


def mean_of(outcome: Outcome, weights: Float32Array | None) -> Score:
    """Return the mean loss and accuracy (n,), each sample counting by its weight; one of 0 does not count at all."""
    if weights is None:
        return Score(float(outcome.losses.mean(dtype=np.float64)), float(outcome.hits.mean(dtype=np.float64)))
    counted = weights > 0  # 0 times a loss that is NaN would be NaN
    means = (np.average(a[counted].astype(np.float64), weights=weights[counted]) for a in outcome)
    return Score(*map(float, means))


def probabilities_and_losses(
    weights: Weights, X: Rows, y: Int64Array, n_threads: int | None
) -> tuple[Float32Array, Float32Array]:
    """Return the probabilities (n, C) and the loss of each row (n,) against its label in y, from one forward pass."""
    probs, outcome = np.empty((len(X), weights.shapes["b2"][0]), np.float32), Outcome.of(len(y))
    _run(weights, X, y, probs, outcome, n_threads)
    return probs, outcome.losses


def _run(
    weights: Weights, X: Rows, y: Int64Array, probs: Float32Array, outcome: Outcome, n_threads: int | None
) -> None:
    """Fill `probs` where it has rows, and `outcome` where there are labels."""
    n, parameters, lanes = len(X), weights.packed, weights.lanes

    def fill(first: int, last: int) -> int:
        """How many of these rows have logits beyond float32; _UNUSABLE where an input is NaN or infinite."""
        scratch, form = _take_scratch(weights), WideRows if isinstance(X, SparseInputs) else WithZeros
        rows = X.rows if isinstance(X, SparseInputs) else WithZeros(X)
        row, overflowed = _compiled(lanes.vectors, form, _of_many(weights))(
            probs, outcome, parameters, scratch, rows, y, (first, last), lanes
        )
        if 0 <= row < last:  # there are few zeros from here on
            kernel = _compiled(lanes.vectors, np.ndarray, _of_many(weights))
            row, more = kernel(probs, outcome, parameters, scratch, X, y, (row, last), lanes)
            overflowed += more
        if len(weights.idle_scratch) < _KEPT:
            weights.idle_scratch.append(scratch)
        return overflowed if row >= 0 else _UNUSABLE

    start = time.perf_counter()
    counts = [fill(0, min(n, _ROWS_ALONE))]
    if n > _ROWS_ALONE and counts[0] >= 0:
        seconds = (time.perf_counter() - start) / _ROWS_ALONE * (n - _ROWS_ALONE)
        quick = seconds < _SECONDS_FOR_THREADS
        counts += _fill_by_pieces(fill, _ROWS_ALONE, n, 1 if quick else n_threads, inline=quick)
    if _UNUSABLE in counts:
        assert not isinstance(X, SparseInputs)  # which was looked at when it was handed in
        refuse_unusable("X", X)
    if overflowed := sum(counts):
        warn_caller(
            f"the outputs of {overflowed} of {n} rows overflow float32: their probabilities are NaN and count as "
            "wrong; scale the inputs to about 0..1, and look for weights that are far too large",
            RuntimeWarning,
        )


def _fill_by_pieces(
    fill: Callable[[int, int], int], first: int, last: int, n_threads: int | None, inline: bool
) -> list[int]:
    """Fill the rows from first to last; return what `fill` does. Threads take a next piece when they have done one."""
    pieces = range(first, last, _ROWS_OF_PIECE)
    starts = iter(pieces)  # a step of it is one step for all threads: none gets the same
    answers: list[int] = []

    def work(member: Member) -> None:
        for start in starts:
            if told_to_stop(member):
                return
            answers.append(fill(start, min(start + _ROWS_OF_PIECE, last)))

    run_team(min(n_threads or default_threads(), len(pieces)), work, inline=inline)
    return answers


def _take_scratch(weights: Weights) -> PredictionScratch:
    """Scratch that no other thread has."""
    try:
        return weights.idle_scratch.pop()
    except IndexError:
        return PredictionScratch.of(weights.packed, _of_many(weights))


def _of_many(weights: Weights) -> bool:
    return weights.shapes["b2"][0] >= MANY_CLASSES


@functools.cache
def _compiled(vectors: int, form: type, of_many: bool) -> Any:
    """The kernel for tiles of this width and rows in one of its forms, compiled or loaded from disk."""
    lanes, one = Lanes(vectors), np.ones((1, 1), np.float32)
    parameters = empty_parameters(1, 1, 1, lanes)
    scratch = PredictionScratch.of(parameters, of_many)
    no_rows = WideRows(np.zeros((1, 2), np.int64), np.zeros(AHEAD, ROW_ENTRY))
    rows = {WithZeros: WithZeros(one), WideRows: no_rows}.get(form, one)
    return compiled_for(network_forward, one, _NO_OUTCOME, parameters, scratch, rows, _NO_LABELS, (0, 1), lanes)
