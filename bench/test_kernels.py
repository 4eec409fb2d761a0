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

from fastmlp.kernels.coded import CodedNonzeros, CodedPairs
from fastmlp.kernels.coding import Codes, to_coded
from fastmlp.kernels.hidden import BatchColumns, columns_scratch
from fastmlp.kernels.layout import aligned_zeros, choose_lanes, padded, room_for
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.softmax import Targets
from fastmlp.kernels.tiles import Lanes, target

B, D, C = 128, 784, 10
ROOM, C4 = room_for(B), padded(C, 4)
ROUNDS = 300
ENOUGH = 1e7  # operations of a round: some tenths of a millisecond
FORMS = ["pairs", "nonzeros", "sparse", "dense"]


class Batch:
    """A batch of images, with labels."""

    def __init__(self, data):
        rng = np.random.default_rng(0)
        images = aligned_zeros((2 * B, D))
        images[...] = data.x_train[: 2 * B]
        self.images, self.y = images, data.y_train[:B].copy()
        self.labels = aligned_zeros((ROOM,))
        self.labels[:B] = self.y
        self.weights = np.ones(ROOM, np.float32)
        self.numbers = rng.permutation(2 * B)[:B]  # of the images of this batch
        self.counts, _ = nonzeros_by_row(images, 1)
        self.X = images[self.numbers].astype(np.float64)
        self.nonzeros = np.count_nonzero(self.X)

    def in_form(self, form, lanes):
        """The images as the kernels take them, and how many of the batch's inputs are multiplied."""
        if form == "dense":
            return self.images, B * D
        if form == "sparse":
            return to_sparse_rows(self.images, self.counts, lanes, B, 1), self.nonzeros
        coded = CodedPairs if form == "pairs" else CodedNonzeros
        return to_coded(coded, self.images, self.counts, lanes, B, 1), self.nonzeros


class Layer:
    """Weights, hidden values and gradients of a net in its tiles, as large as they are in training."""

    def __init__(self, H):
        rng = np.random.default_rng(H)
        self.H, self.lanes = H, choose_lanes(H)
        units = self.lanes.units
        tiles = -(-H // units)
        self.W1 = normal(rng, (tiles, D, units), D**-0.5)
        self.b1 = normal(rng, (tiles, units), 0.1)
        self.W2 = normal(rng, (tiles, C4, units), H**-0.5)
        self.W2[:, C:] = 0
        self.b2 = normal(rng, (padded(C, target().width),), 0.1)
        self.hidden = normal(rng, (tiles, ROOM, units), 1)
        np.maximum(self.hidden, 0, out=self.hidden)
        self.logits = normal(rng, (tiles, C4, ROOM), tiles**-0.5)
        self.dlogits = normal(rng, (C4, ROOM), 1e-3)
        self.dlogits[C:] = self.dlogits[:, B:] = 0
        self.dhidden = normal(rng, (tiles, ROOM, units), 1e-3)


def normal(rng, shape, scale):
    array = aligned_zeros(shape)
    array[...] = rng.normal(0, scale, shape)
    return array


def room_for_columns(X):
    """Memory of one thread for a batch of X by columns."""
    ends, entries, room = columns_scratch(X, D, B, 1)
    return BatchColumns(ends[0], entries[0], room)


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


LAYERS = [30, pytest.param(128, marks=pytest.mark.long), 300, pytest.param(1024, marks=pytest.mark.long)]


@pytest.fixture(params=LAYERS, ids=lambda H: f"{H}-units")
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


@pytest.mark.parametrize("form", FORMS)
def test_hidden_forward(benchmark, measure, batch, layer, form):
    benchmark.group = f"hidden_forward, {layer.H} units"
    hidden, W1, b1 = room(layer.hidden.shape), layer.W1, layer.b1
    X, inputs = batch.in_form(form, layer.lanes)
    args = (hidden, W1, b1, X, batch.numbers, layer.lanes)
    flop, dense = 2 * inputs * layer.H, 2 * B * D * layer.H
    measure(loops.hidden_forward, *args, setup=lambda: spoil(hidden), flop=flop, operations=dense)
    exact = np.maximum(batch.X @ W1 + b1[:, None], 0)
    assert_close(hidden[:, :B], exact, D, batch.X @ abs(W1) + abs(b1)[:, None])


@pytest.mark.parametrize("form", FORMS)
def test_prepare_columns(benchmark, measure, batch, form):
    benchmark.group = "prepare_columns"
    X, _ = batch.in_form(form, Lanes(1))
    columns = room_for_columns(X)
    args = (columns, X, batch.numbers, Lanes(1))
    measure(loops.prepare_columns, *args, setup=lambda: spoil(*columns[:2]), operations=100 * batch.nonzeros)
    back = np.zeros((B, D + 1))
    if form == "dense":
        width, k = target().block_rows(target().strip_vectors(1)), np.arange(D)
        starts = k // width * width * columns.room + k % width
        back[:, :D] = columns.entries[0, starts + columns.ends[:B, None]]
    else:
        fill_from_columns(back, X, columns, form)
    assert (back[:, :D] == batch.X).all()


def fill_from_columns(back, X, columns, form):
    """Write the nonzeros of a batch by columns where they are in the batch."""
    for q, end in enumerate(columns.ends.astype(int)):
        found = columns.entries[q * columns.room : end]
        if form == "sparse":
            back[found["sample"], q] = found["value"]
        elif form == "nonzeros":
            back[(found & 0xFFFF) - q, q] = X.values[found >> 16]
        else:
            back[(found & 0xFFFF) - q, 2 * q] = X.values[found >> 16 & 255]
            back[(found & 0xFFFF) - q, 2 * q + 1] = X.values[found >> 24]


@pytest.mark.parametrize("form", FORMS)
def test_update_W1(benchmark, measure, batch, layer, form):
    benchmark.group = f"update_W1, {layer.H} units"
    W1 = copy_of(layer.W1)
    X, inputs = batch.in_form(form, layer.lanes)
    columns = room_for_columns(X)
    loops.prepare_columns(1, columns, X, batch.numbers, layer.lanes)
    calls = measure(
        loops.update_W1,
        *(W1, layer.dhidden, X, batch.numbers, columns, layer.lanes),
        setup=lambda: np.copyto(W1, layer.W1),
        flop=2 * inputs * layer.H,
        operations=2 * B * D * layer.H,
    )
    before, step = double(layer.W1, layer.dhidden[:, :B])
    size = abs(before) + calls * (batch.X.T @ abs(step))
    assert_close(W1, before + calls * (batch.X.T @ step), B, size, calls)


def test_output_forward(benchmark, measure, layer):
    benchmark.group = f"output_forward, {layer.H} units"
    logits = room(layer.logits.shape)
    args = (logits, layer.hidden, layer.W2, B, layer.lanes)
    measure(loops.output_forward, *args, setup=lambda: spoil(logits), flop=2 * B * layer.H * C)
    h, w = double(layer.hidden[:, :B].transpose(0, 2, 1), layer.W2[:, :C])
    assert_close(logits[:, :C, :B], w @ h, layer.lanes.units, abs(w) @ h)


def test_softmax_cross_entropy(benchmark, measure, batch, layer):
    benchmark.group = f"softmax_cross_entropy, {layer.H} units"
    dlogits, results = room(layer.dlogits.shape), room((2, ROOM))
    targets = Targets(batch.labels[:B], batch.weights, loops.SCALE)
    measure(
        loops.softmax_cross_entropy,
        *(dlogits, results, layer.logits, layer.b2, targets, C, layer.lanes),
        setup=lambda: spoil(dlogits, results),
        operations=B * (200 * C + layer.logits[:, :, 0].size),
    )
    logits = np.broadcast_to(layer.b2[:C, None], (C, B))
    for tile in layer.logits:
        logits = logits + tile[:C, :B]
    ours = dlogits[:C, :B].T, results[0, :B], results[1, :B] == 1
    assert_softmax_cross_entropy(*ours, logits.T.astype(np.float64), batch.y, float(loops.SCALE))


def test_hidden_backward(benchmark, measure, layer):
    benchmark.group = f"hidden_backward, {layer.H} units"
    dhidden = room(layer.dhidden.shape)
    args = (dhidden, layer.hidden, layer.dlogits, layer.W2, B, C, layer.lanes)
    measure(loops.hidden_backward, *args, setup=lambda: spoil(dhidden), flop=2 * B * layer.H * C)
    d, w = double(layer.dlogits[:C, :B].T, layer.W2[:, :C])
    assert_close(dhidden[:, :B], np.where(layer.hidden[:, :B] > 0, d @ w, 0), C, abs(d) @ abs(w))


def test_update_W2(benchmark, measure, layer):
    benchmark.group = f"update_W2, {layer.H} units"
    W2 = copy_of(layer.W2)
    calls = measure(
        loops.update_W2,
        *(W2, layer.hidden, layer.dlogits, B, C, layer.lanes),
        setup=lambda: np.copyto(W2, layer.W2),
        flop=2 * B * layer.H * C,
    )
    before, h, d = double(layer.W2[:, :C], layer.hidden[:, :B], layer.dlogits[:C, :B])
    size = abs(before) + calls * (abs(d) @ h)
    assert_close(W2[:, :C], before + calls * (d @ h), B, size, calls)


def test_update_b1(benchmark, measure, layer):
    benchmark.group = f"update_b1, {layer.H} units"
    b1 = copy_of(layer.b1)
    args = (b1, layer.dhidden, B, layer.lanes)
    calls = measure(loops.update_b1, *args, setup=lambda: np.copyto(b1, layer.b1), flop=B * layer.H)
    before, d = double(layer.b1, layer.dhidden[:, :B])
    assert_close(b1, before + calls * d.sum(1), B, abs(before) + calls * abs(d).sum(1), calls)


def test_update_b2(benchmark, measure):
    benchmark.group = "update_b2"
    layer = layer_of(30)
    b2 = copy_of(layer.b2)
    args = (b2, b2.copy(), layer.dlogits, B, C, layer.lanes)
    calls = measure(loops.update_b2, *args, setup=lambda: np.copyto(b2, layer.b2), flop=B * C)
    before, d = double(layer.b2[:C], layer.dlogits[:C, :B])
    assert_close(b2[:C], before + calls * d.sum(1), B, abs(before) + calls * abs(d).sum(1), calls)


def test_count_nonzeros(benchmark, measure, batch):
    benchmark.group = "packing"
    counts = batch.counts.copy()
    args = (counts, batch.images, Lanes(1))
    measure(loops.count_nonzeros, *args, setup=lambda: spoil(counts), operations=20 * batch.images.size)
    assert (counts == np.count_nonzero(batch.images, axis=1)).all()


def test_fill_sparse_rows(benchmark, measure, batch):
    benchmark.group = "packing"
    rows = to_sparse_rows(batch.images, batch.counts, Lanes(1), B, 1)
    args = (rows, batch.images, np.array([0, D]), Lanes(1))
    entries = rows.entries[: rows.starts.max()]  # behind them there is room
    setup = functools.partial(spoil, entries)
    measure(loops.fill_sparse_rows, *args, setup=setup, operations=20 * batch.images.size)
    assert (entries["value"] == batch.images[batch.images != 0]).all()
    assert (entries["column"] == np.nonzero(batch.images)[1]).all()


def test_fill_coded(benchmark, measure, batch):
    benchmark.group = "packing"
    coded = to_coded(CodedPairs, batch.images, batch.counts, Lanes(1), B, 1)
    values, slots = coded.values[coded.values != 0], 1 << 10
    table = Codes(np.zeros(slots, np.uint32), np.zeros(slots, np.uint32))
    for code, bits in enumerate(values.view(np.uint32).tolist(), 1):
        slot = (bits * 0x9E3779B1 >> 22) % slots
        while table.keys[slot]:
            slot = (slot + 1) % slots
        table.keys[slot], table.codes[slot] = bits, code
    starts, entries = np.zeros_like(coded.starts), np.zeros_like(coded.entries)

    def setup():
        spoil(starts, entries)
        starts[0, 0] = 0

    setup()
    args = (starts, entries, table, batch.images.view(np.uint32), np.array([0, D]), Lanes(1))
    measure(loops.fill_coded, *args, setup=setup, operations=20 * batch.images.size)
    back = np.zeros(batch.images.shape, np.float32)
    codes = np.concatenate([np.zeros(1, np.float32), values])
    for row, (first, last) in zip(back, starts, strict=True):
        for e in entries[first:last].tolist():
            row[2 * (e & 0xFFFF)], row[2 * (e & 0xFFFF) + 1] = codes[e >> 16 & 255], codes[e >> 24]
    assert (back == batch.images).all()
