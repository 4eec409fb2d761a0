"""Inference: probabilities and losses of rows, by the forward pass alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.inputs import count_nonzeros
from fastmlp.engine.weights import Weights
from fastmlp.kernels.hidden import Inputs, fastest_form
from fastmlp.kernels.prediction import CHUNK, PredictionScratch, network_forward
from fastmlp.kernels.softmax import Outcome
from fastmlp.kernels.team import Member, run_team

__all__ = ["Score", "forward", "prepared", "probabilities_and_losses", "score", "worthwhile_threads"]

# Multiply-adds below which starting threads costs more than they save (about 0.1 ms of work).
_WORK_FOR_THREADS = 5_000_000


class Score(NamedTuple):
    """Mean cross-entropy loss and accuracy (a fraction) over some samples."""

    loss: float
    accuracy: float


def worthwhile_threads(weights: Weights, n: int, n_threads: int) -> int:
    """Of `n_threads`, as many as a forward pass over n rows is worth: one where starting others would take longer."""
    (input_size, hidden_size), (output_size,) = weights.shapes["W1"], weights.shapes["b2"]
    if n * hidden_size * (input_size + output_size) < _WORK_FOR_THREADS:
        return 1
    return min(n_threads, -(-n // CHUNK))


def prepared(weights: Weights, X: Float32Array, n_threads: int, name: str = "X") -> Inputs:
    """Return X (n, D) in the form that is fastest for this net; raises InvalidValueError for NaN or infinity."""
    threads = worthwhile_threads(weights, len(X), n_threads)
    return fastest_form(X, count_nonzeros(X, threads, name), weights.vectors, threads)


def forward(weights: Weights, X: Inputs, n: int, n_threads: int) -> Float32Array:
    """Return the probabilities (n, C) of the n rows of X."""
    probs = np.empty((n, *weights.shapes["b2"]), np.float32)
    _run(weights, X, n, n_threads, probs, np.empty(0, np.int64))
    return probs


def score(weights: Weights, X: Inputs, y: Int64Array, n_threads: int) -> Score:
    """Return mean loss and accuracy of X against the labels y (n,)."""
    no_probs = np.empty((0, *weights.shapes["b2"]), np.float32)
    outcome = _run(weights, X, len(y), n_threads, no_probs, y)
    return Score(float(outcome.losses.mean(dtype=np.float64)), float(outcome.hits.mean(dtype=np.float64)))


def probabilities_and_losses(
    weights: Weights, X: Inputs, y: Int64Array, n_threads: int
) -> tuple[Float32Array, Float32Array]:
    """Return the probabilities (n, C) and the loss of each row (n,) against its label in y, from one forward pass."""
    probs = np.empty((len(y), *weights.shapes["b2"]), np.float32)
    return probs, _run(weights, X, len(y), n_threads, probs, y).losses


def _run(weights: Weights, X: Inputs, n: int, n_threads: int, probs: Float32Array, y: Int64Array) -> Outcome:
    """Fill `probs` where it has rows, and return the outcome where there are labels."""
    outcome, samples, parameters = Outcome.of(len(y)), np.arange(n), weights.packed

    def work(member: Member) -> None:
        scratch = PredictionScratch.of(parameters, min(CHUNK, n))
        network_forward(probs, outcome, parameters, scratch, X, y, samples, member, weights.lanes)

    run_team(worthwhile_threads(weights, n, n_threads), work)
    return outcome
