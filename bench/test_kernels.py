"""Each kernel alone: one thread, a batch of 128 images, all tiles of the layer.

A round is `calls` calls in compiled code (`loops.py`), enough for the resolution of the clock. What a kernel writes is
spoilt or reset before each round, and the result of the last timed round is checked against float64.
"""

import functools
import math

import loops
import numpy as np
import pytest
from oracle import assert_close, assert_softmax_cross_entropy

from fastmlp.kernels.layout import aligned_zeros, choose_lanes, padded
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.simd import Lanes, target
from fastmlp.kernels.sparse import COLUMN_ENTRY, BatchColumns

B, D, C = 128, 784, 10
ROUNDS = 300
ENOUGH = 1e7  # operations of a round: some tenths of a millisecond


class Batch:
    """A batch of images in both forms, with labels."""

    def __init__(self, data):
        rng = np.random.default_rng(0)
        images = aligned_zeros((2 * B, D))
        images[...] = data.x_train[: 2 * B]
        self.images, self.y = images, data.y_train[:B].copy()
        self.numbers = rng.permutation(2 * B)[:B]  # of the images of this batch
        self.counts, _ = nonzeros_by_row(images, 1)
        self.rows = to_sparse_rows(images, self.counts, 1)
        self.X = images[self.numbers].astype(np.float64)
        self.nonzeros = np.count_nonzero(self.X)

    def columns(self):
        """Room for the batch by columns."""
        return BatchColumns(np.zeros(D, np.int64), aligned_zeros((self.nonzeros,), COLUMN_ENTRY))


class Layer:
    """Weights, hidden values and gradients of a net in its tiles, as large as they are in training."""

    def __init__(self, H):
        rng = np.random.default_rng(H)
        self.H, self.lanes = H, choose_lanes(H)
        units = self.lanes.units
        tiles, classes = -(-H // units), padded(C, target().width)
        self.W1 = normal(rng, (tiles, D, units), D**-0.5)
        self.b1 = normal(rng, (tiles, units), 0.1)
        self.W2 = normal(rng, (tiles, padded(C, 4), units), H**-0.5)
        self.W2[:, C:] = 0
        self.b2 = normal(rng, (classes,), 0.1)
        self.hidden = normal(rng, (tiles, B, units), 1)
        np.maximum(self.hidden, 0, out=self.hidden)
        self.partial = normal(rng, (B, tiles, classes), tiles**-0.5)
        self.dlogits = normal(rng, (B, classes), 1e-3)
        self.dlogits[:, C:] = 0
        self.dhidden = normal(rng, (tiles, B, units), 1e-3)


def normal(rng, shape, scale):
    array = aligned_zeros(shape)
    array[...] = rng.normal(0, scale, shape)
    return array


def spoil(*arrays):
    """Fill arrays that a kernel is to write with values that no kernel writes."""
    for array in arrays:
        array.view(np.uint8).fill(0xFF)  # NaN, -1 or the largest number


def room(shape):
    return aligned_zeros(shape)


def copy_of(array):
    copy = aligned_zeros(array.shape)
    copy[...] = array
    return copy


def double(*arrays):
    return [array.astype(np.float64) for array in arrays]


@pytest.fixture(scope="module")
def batch(data):
    return Batch(data)


@functools.cache
def layer_of(H):
    return Layer(H)


@pytest.fixture(params=[30, 128, 300, 1024], ids=lambda H: f"{H}-units")
def layer(request):
    return layer_of(request.param)


@pytest.fixture
def measure(benchmark, data, time_rounds, facts):
    """Time a loop of `loops.py`; return how often the kernel is called in a round."""

    def run(loop, *args, setup, flop=0, operations=0):
        calls = math.ceil(ENOUGH / (operations or flop))  # `operations` first: what is compared is called equally often
        lanes = args[-1]
        loop(1, *args)  # compiles, or loads from disk
        time_rounds(loop, calls, *args, setup=setup, rounds=ROUNDS)
        facts(
            threads=1,
            flop=flop * calls,
            dense_flop=operations * calls,
            dataset=data.name,
            tile=f"{lanes.units} units",
            calls=calls,
        )
        return calls

    return run


FORMS = ["sparse", "dense"]


@pytest.mark.parametrize("form", FORMS)
def test_hidden_forward(benchmark, measure, batch, layer, form):
    benchmark.group = f"hidden_forward, {layer.H} units"
    hidden, W1, b1 = room(layer.hidden.shape), layer.W1, layer.b1
    dense = 2 * B * D * layer.H
    sparse = 2 * batch.nonzeros * layer.H
    args = (hidden, W1, b1, batch.rows if form == "sparse" else batch.images, batch.numbers, layer.lanes)
    loop = loops.sparse_hidden_forward if form == "sparse" else loops.dense_hidden_forward
    measure(loop, *args, setup=lambda: spoil(hidden), flop=sparse if form == "sparse" else dense, operations=dense)
    exact = np.maximum(batch.X @ W1 + b1[:, None], 0)
    assert_close(hidden, exact, D, batch.X @ abs(W1) + abs(b1)[:, None])


def test_transpose_batch(benchmark, measure, batch):
    benchmark.group = "transpose_batch"
    columns = batch.columns()
    args = (columns, batch.rows, batch.numbers, Lanes(1))
    measure(loops.transpose_batch, *args, setup=lambda: spoil(*columns), operations=100 * batch.nonzeros)
    starts = np.concatenate([[0], columns.ends])
    back = np.zeros((B, D))
    back[columns.entries["sample"], np.repeat(np.arange(D), np.diff(starts))] = columns.entries["value"]
    assert (back == batch.X).all()


@pytest.mark.parametrize("form", FORMS)
def test_update_W1(benchmark, measure, batch, layer, form):
    benchmark.group = f"update_W1, {layer.H} units"
    W1, columns = copy_of(layer.W1), batch.columns()
    dense = 2 * B * D * layer.H
    if form == "sparse":
        loops.transpose_batch(1, columns, batch.rows, batch.numbers, layer.lanes)
        loop, args, flop = loops.sparse_update_W1, (columns,), 2 * batch.nonzeros * layer.H
    else:
        loop, args, flop = loops.dense_update_W1, (batch.images, batch.numbers), dense
    calls = measure(
        loop,
        *(W1, layer.dhidden, *args, layer.lanes),
        setup=lambda: np.copyto(W1, layer.W1),
        flop=flop,
        operations=dense,
    )
    before, step = double(layer.W1, layer.dhidden)
    size = abs(before) + calls * (batch.X.T @ abs(step))
    assert_close(W1, before + calls * (batch.X.T @ step), B, size, calls)


def test_output_forward(benchmark, measure, layer):
    benchmark.group = f"output_forward, {layer.H} units"
    partial = room(layer.partial.shape)
    args = (partial, layer.hidden, layer.W2, layer.lanes)
    measure(loops.output_forward, *args, setup=lambda: spoil(partial), flop=2 * B * layer.H * C)
    h, w = double(layer.hidden, layer.W2[:, :C].transpose(0, 2, 1))
    assert_close(partial[:, :, :C].transpose(1, 0, 2), h @ w, layer.lanes.units, h @ abs(w))


def test_softmax_cross_entropy(benchmark, measure, batch, layer):
    benchmark.group = f"softmax_cross_entropy, {layer.H} units"
    dlogits, losses, hits = room(layer.dlogits.shape), np.zeros(B, np.float32), np.zeros(B, np.bool_)
    scale = np.float32(-0.1 / B)
    measure(
        loops.softmax_cross_entropy,
        *(dlogits, losses, hits, layer.partial, layer.b2, batch.y, C, scale, layer.lanes),
        setup=lambda: spoil(dlogits, losses, hits),
        operations=B * (200 * C + layer.partial[0].size),
    )
    logits = np.broadcast_to(layer.b2[:C], (B, C))
    for tile in range(layer.partial.shape[1]):
        logits = logits + layer.partial[:, tile, :C]
    assert_softmax_cross_entropy(dlogits[:, :C], losses, hits, logits.astype(np.float64), batch.y, float(scale))


def test_hidden_backward(benchmark, measure, layer):
    benchmark.group = f"hidden_backward, {layer.H} units"
    dhidden = room(layer.dhidden.shape)
    args = (dhidden, layer.hidden, layer.dlogits, layer.W2, C, layer.lanes)
    measure(loops.hidden_backward, *args, setup=lambda: spoil(dhidden), flop=2 * B * layer.H * C)
    d, w = double(layer.dlogits[:, :C], layer.W2[:, :C])
    assert_close(dhidden, np.where(layer.hidden > 0, d @ w, 0), C, abs(d) @ abs(w))


def test_update_W2(benchmark, measure, layer):
    benchmark.group = f"update_W2, {layer.H} units"
    W2 = copy_of(layer.W2)
    calls = measure(
        loops.update_W2,
        *(W2, layer.hidden, layer.dlogits, C, layer.lanes),
        setup=lambda: np.copyto(W2, layer.W2),
        flop=2 * B * layer.H * C,
    )
    before, h, d = double(layer.W2[:, :C], layer.hidden, layer.dlogits[:, :C])
    size = abs(before) + calls * (abs(d).T @ h)
    assert_close(W2[:, :C], before + calls * (d.T @ h), B, size, calls)


def test_update_b1(benchmark, measure, layer):
    benchmark.group = f"update_b1, {layer.H} units"
    b1 = copy_of(layer.b1)
    args = (b1, layer.dhidden, layer.lanes)
    calls = measure(loops.update_b1, *args, setup=lambda: np.copyto(b1, layer.b1), flop=B * layer.H)
    before, d = double(layer.b1, layer.dhidden)
    assert_close(b1, before + calls * d.sum(1), B, abs(before) + calls * abs(d).sum(1), calls)


def test_update_b2(benchmark, measure):
    benchmark.group = "update_b2"
    layer = layer_of(30)
    b2 = copy_of(layer.b2)
    args = (b2, layer.dlogits, C, layer.lanes)
    calls = measure(loops.update_b2, *args, setup=lambda: np.copyto(b2, layer.b2), flop=B * C)
    before, d = double(layer.b2, layer.dlogits)
    assert_close(b2, before + calls * d.sum(0), B, abs(before) + calls * abs(d).sum(0), calls)


def test_count_nonzeros(benchmark, measure, batch):
    benchmark.group = "packing"
    counts = batch.counts.copy()
    args = (counts, batch.images, Lanes(1))
    measure(loops.count_nonzeros, *args, setup=lambda: spoil(counts), operations=20 * batch.images.size)
    assert (counts == np.count_nonzero(batch.images, axis=1)).all()


def test_fill_sparse_rows(benchmark, measure, batch):
    benchmark.group = "packing"
    rows = to_sparse_rows(batch.images, batch.counts, 1)
    args = (rows, batch.images, Lanes(1))
    setup = functools.partial(spoil, rows.entries)
    measure(loops.fill_sparse_rows, *args, setup=setup, operations=20 * batch.images.size)
    assert (rows.entries["value"] == batch.images[batch.images != 0]).all()
    assert (rows.entries["column"] == np.nonzero(batch.images)[1]).all()
