"""The kernels as pieces of work to measure: made by name, repeated, and checked against float64.

One table serves the benchmarks (`test_kernels.py`) and the regression gate (`check.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import loops
import numpy as np
from numpy.typing import NDArray

from fastmlp.kernels.layout import aligned_zeros, choose_lanes, padded
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.simd import Lanes, target
from fastmlp.kernels.sparse import BatchColumns

B, D, C = 128, 784, 10
DENSITY = 0.19  # MNIST's share of nonzeros

Array = NDArray[Any]


@dataclass(frozen=True)
class Case:
    """One kernel over a batch and all tiles of a layer, on one thread."""

    run: Callable[[int], None]  # do it n times
    check: Callable[[], None]  # do it once; AssertionError when the result is wrong
    flop: int  # floating-point operations of one time; 0 for a kernel that moves or counts


class Layer:
    """A batch of inputs, and the layer of H hidden units with all that a training step holds, in the net's tiles."""

    def __init__(self, hidden_size: int) -> None:
        rng = np.random.default_rng(hidden_size)
        self.H, self.lanes = hidden_size, choose_lanes(hidden_size)
        units = self.lanes.units
        tiles, classes = -(-hidden_size // units), padded(C, target().width)
        self.X = aligned_zeros((B, D))
        self.X[...] = np.where(rng.random((B, D)) < DENSITY, rng.random((B, D)), 0)
        self.batch = rng.permutation(B)
        self.counts, _ = nonzeros_by_row(self.X, 1)
        self.rows = to_sparse_rows(self.X, self.counts, 1)
        most = len(self.rows.values)
        self.columns = BatchColumns(np.zeros(D, np.int64), np.zeros(most, np.int32), np.zeros(most, np.float32))
        self.y = rng.integers(0, C, B)
        self.W1 = _normal(rng, (tiles, D, units), D**-0.5)
        self.b1 = _normal(rng, (tiles, units), 0.1)
        self.W2 = _normal(rng, (tiles, padded(C, 4), units), hidden_size**-0.5)
        self.W2[:, C:] = 0
        self.b2 = _normal(rng, (classes,), 0.1)
        self.hidden = np.maximum(_normal(rng, (tiles, B, units), 1), 0, out=aligned_zeros((tiles, B, units)))
        # Small steps: an update that is repeated a million times must not overflow.
        self.dhidden = _normal(rng, (tiles, B, units), 1e-6)
        self.dlogits = _normal(rng, (B, classes), 1e-6)
        self.dlogits[:, C:] = 0
        self.partial = _normal(rng, (B, tiles, classes), 1)

    @property
    def x(self) -> Array:
        """The batch's inputs (B, D) float64."""
        return self.X[self.batch].astype(np.float64)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    array = aligned_zeros(shape)
    array[...] = rng.normal(0, scale, shape)
    return array


def assert_close(ours: Array, exact: Array, n: int, size: Array) -> None:
    """The tolerance of tests/test_kernels.py: 4 sqrt(n) roundings of `size`, the sum of the products' sizes."""
    error = np.abs(ours - exact)
    limit = 4 * np.sqrt(n + 1) * 2.0**-24 * size + 1e-37
    assert (error <= limit).all(), f"off by {(error / limit).max():.3g} tolerances"


def _hidden_forward(layer: Layer, kernel: Any, X: Any) -> Case:
    def run(n: int) -> None:
        kernel(n, layer.hidden, layer.W1, layer.b1, X, layer.batch, layer.lanes)

    def check() -> None:
        run(1)
        exact = np.maximum(layer.x @ layer.W1 + layer.b1[:, None], 0)
        assert_close(layer.hidden, exact, D, layer.x @ abs(layer.W1) + abs(layer.b1)[:, None])

    nonzeros = B * D if X is layer.X else len(layer.rows.values)
    return Case(run, check, 2 * nonzeros * layer.H)


def _update_W1(layer: Layer, run: Callable[[int], None], nonzeros: int) -> Case:
    def check() -> None:
        before, d = layer.W1.astype(np.float64), layer.dhidden.astype(np.float64)
        run(1)
        assert_close(layer.W1, before + layer.x.T @ d, B, abs(before) + layer.x.T @ abs(d))

    return Case(run, check, 2 * nonzeros * layer.H)


def sparse_hidden_forward(layer: Layer) -> Case:
    return _hidden_forward(layer, loops.sparse_hidden_forward, layer.rows)


def dense_hidden_forward(layer: Layer) -> Case:
    return _hidden_forward(layer, loops.dense_hidden_forward, layer.X)


def sparse_update_W1(layer: Layer) -> Case:
    loops.transpose_batch(1, layer.columns, layer.rows, layer.batch, layer.lanes)

    def run(n: int) -> None:
        loops.sparse_update_W1(n, layer.W1, layer.dhidden, layer.columns, layer.lanes)

    return _update_W1(layer, run, len(layer.rows.values))


def dense_update_W1(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.dense_update_W1(n, layer.W1, layer.dhidden, layer.X, layer.batch, layer.lanes)

    return _update_W1(layer, run, B * D)


def transpose_batch(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.transpose_batch(n, layer.columns, layer.rows, layer.batch, layer.lanes)

    def check() -> None:
        run(1)
        starts = np.concatenate([[0], layer.columns.ends])
        back = np.zeros((B, D))
        back[layer.columns.samples, np.repeat(np.arange(D), np.diff(starts))] = layer.columns.values
        assert (back == layer.x).all()

    return Case(run, check, 0)


def output_forward(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.output_forward(n, layer.partial, layer.hidden, layer.W2, layer.lanes)

    def check() -> None:
        run(1)
        h, w = layer.hidden.astype(np.float64), layer.W2[:, :C].astype(np.float64).transpose(0, 2, 1)
        ours = layer.partial[:, :, :C].transpose(1, 0, 2)
        assert_close(ours, h @ w, layer.lanes.units, abs(h) @ abs(w))

    return Case(run, check, 2 * B * layer.H * C)


def hidden_backward(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.hidden_backward(n, layer.dhidden, layer.hidden, layer.dlogits, layer.W2, C, layer.lanes)

    def check() -> None:
        run(1)
        d, w = layer.dlogits[:, :C].astype(np.float64), layer.W2[:, :C].astype(np.float64)
        assert_close(layer.dhidden, np.where(layer.hidden > 0, d @ w, 0), C, abs(d) @ abs(w))

    return Case(run, check, 2 * B * layer.H * C)


def update_W2(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.update_W2(n, layer.W2, layer.hidden, layer.dlogits, C, layer.lanes)

    def check() -> None:
        before, h, d = (array.astype(np.float64) for array in (layer.W2[:, :C], layer.hidden, layer.dlogits[:, :C]))
        run(1)
        assert_close(layer.W2[:, :C], before + d.T @ h, B, abs(before) + abs(d).T @ abs(h))

    return Case(run, check, 2 * B * layer.H * C)


def update_b1(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.update_b1(n, layer.b1, layer.dhidden, layer.lanes)

    def check() -> None:
        before, d = layer.b1.astype(np.float64), layer.dhidden.astype(np.float64)
        run(1)
        assert_close(layer.b1, before + d.sum(1), B, abs(before) + abs(d).sum(1))

    return Case(run, check, B * layer.H)


def update_b2(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.update_b2(n, layer.b2, layer.dlogits, C, layer.lanes)

    def check() -> None:
        before, d = layer.b2[:C].astype(np.float64), layer.dlogits[:, :C].astype(np.float64)
        run(1)
        assert_close(layer.b2[:C], before + d.sum(0), B, abs(before) + abs(d).sum(0))

    return Case(run, check, B * C)


def softmax_cross_entropy(layer: Layer) -> Case:
    losses, hits = np.zeros(B, np.float32), np.zeros(B, np.bool_)
    scale = np.float32(1 / B)

    def run(n: int) -> None:
        loops.softmax_cross_entropy(
            n, layer.dlogits, losses, hits, layer.partial, layer.b2, layer.y, C, scale, layer.lanes
        )

    def check() -> None:
        run(1)
        shares = np.concatenate([np.broadcast_to(layer.b2, (B, 1, len(layer.b2))), layer.partial], axis=1)[..., :C]
        logits, onehot = shares.sum(1, dtype=np.float64), np.eye(C)[layer.y]
        n, size = shares.shape[1] + C, 1 + abs(shares).sum(1, dtype=np.float64).max(1, keepdims=True)
        normaliser = np.log(np.exp(logits).sum(1, keepdims=True))
        probs = np.exp(logits - normaliser)
        assert_close(layer.dlogits[:, :C], (probs - onehot) * scale, n, scale * size * (probs + onehot))
        assert_close(losses, (normaliser - logits)[onehot == 1], n, size[:, 0])
        assert (hits == (logits.argmax(1) == layer.y)).all()

    return Case(run, check, 0)


def count_nonzeros(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.count_nonzeros(n, layer.counts, layer.X, Lanes(1))

    def check() -> None:
        layer.counts[:] = -1
        run(1)
        assert (layer.counts == np.count_nonzero(layer.X, axis=1)).all()

    return Case(run, check, 0)


def fill_sparse_rows(layer: Layer) -> Case:
    def run(n: int) -> None:
        loops.fill_sparse_rows(n, layer.rows, layer.X, Lanes(1))

    def check() -> None:
        layer.rows.values[:] = -1
        run(1)
        assert (layer.rows.values == layer.X[layer.X != 0]).all()
        assert (layer.rows.columns == np.nonzero(layer.X)[1]).all()

    return Case(run, check, 0)


KERNELS: dict[str, Callable[[Layer], Case]] = {
    kernel.__name__: kernel
    for kernel in (
        sparse_hidden_forward,
        dense_hidden_forward,
        output_forward,
        softmax_cross_entropy,
        hidden_backward,
        update_W2,
        update_b1,
        update_b2,
        transpose_batch,
        sparse_update_W1,
        dense_update_W1,
        count_nonzeros,
        fill_sparse_rows,
    )
}
