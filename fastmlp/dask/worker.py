"""What the workers of a cluster run: they keep parts, count their labels, and train shards."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.engine.fit_options import FitOptions
from fastmlp.engine.inference import Score
from fastmlp.engine.parts import Part, Parts
from fastmlp.engine.training import train_once
from fastmlp.errors import DivergenceError, InvalidTypeError
from fastmlp.machine import available_processors
from fastmlp.network import NeuralNetwork

__all__ = ["HeldPart", "Shard", "Trained", "as_part", "keep", "train_shard"]

T = TypeVar("T")


class HeldPart(NamedTuple):
    """A part that is in memory."""

    name: str
    X: Any
    Y: Any

    def labels(self) -> Any:
        """Return the labels."""
        return self.Y

    def read(self) -> tuple[Any, Any]:
        """Return inputs and labels."""
        return self.X, self.Y


@dataclass(frozen=True)
class Shard:
    """What is trained on by one worker at a time: its number, from 1, of so many, and its parts' samples by class.

    `weights` (C,) are those of the classes, over all shards; None where each sample counts as 1.
    """

    number: int
    n_shards: int
    counts: Int64Array  # (P, C)
    weights: Float32Array | None

    @property
    def mass(self) -> float:
        """How much the shard counts in a mean over all: its samples, or the sum of their weights."""
        counts = self.counts.sum(axis=0)
        return float(counts.sum() if self.weights is None else counts @ self.weights.astype(np.float64))


class Trained(NamedTuple):
    """What training a shard gave: weights and moments by name, and all else that a net takes over."""

    arrays: dict[str, Float32Array]
    steps: int
    random_state: Any
    score: Score
    compile_seconds: float


def keep(value: T) -> T:
    """Return the value, which the worker that does it then holds, for others to fetch and for itself."""
    return value


def as_part(pair: Any, name: str) -> HeldPart:
    """Return (X, Y) as a part; raises InvalidTypeError for what is no such pair."""
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise InvalidTypeError(f"{name} is of type {type(pair).__name__}; each future must give a pair (X, Y)")
    return HeldPart(name, *pair)


def train_shard(
    net: NeuralNetwork,
    parts: Sequence[Part],
    shard: Shard,
    options: FitOptions,
    lr: float,
    seed: int | None,
    tasks: int,
) -> Trained:
    """Train a copy of the net once on the parts of a shard; nothing is changed that other tasks of this worker see.

    The order of the samples is drawn by the net's own generator, or where there is a `seed` by a new one. `tasks` is
    how many shards a worker may have at the same time.

    Raises DivergenceError, and DataError for a part that cannot be read, which it names.
    """
    net = copy.copy(net)
    if seed is not None:
        net._rng = np.random.default_rng(seed)
    net.n_threads = _threads(tasks) if net.n_threads is None else min(net.n_threads, _threads(tasks))
    by_label = None if shard.weights is None else {label: float(w) for label, w in enumerate(shard.weights)}
    samples = net._reader(Parts(parts), net.feature_names, by_label, shard.counts)
    try:
        score, compile_seconds = train_once(net._trainee(), samples, options, lr)
    except DivergenceError as error:
        if shard.n_shards > 1:
            raise DivergenceError(f"in shard {shard.number} of {shard.n_shards}: {error}") from None
        raise
    state = net._optimizer_state
    arrays = net._weights.arrays() | state.arrays()
    return Trained(arrays, state.steps, net._rng.bit_generator.state, score, compile_seconds)


def _threads(tasks: int) -> int:
    """A task's share of the threads of this worker, which stand for its cores."""
    import distributed

    try:
        threads: int = distributed.get_worker().state.nthreads
    except ValueError:  # this is no worker
        threads = available_processors()
    return max(1, min(threads, available_processors()) // min(tasks, threads))
