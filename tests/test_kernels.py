"""Each kernel alone against the reference in NumPy, over odd shapes and with scratch full of NaN.

The reference is computed in float64 from the same float32 numbers; `oracle.tolerance` says how close is close.
"""

import numba
import numpy as np
import oracle
import pytest
from oracle import assert_close, assert_softmax_cross_entropy

from fastmlp.engine.weights import Weights
from fastmlp.kernels import compress, output, softmax
from fastmlp.kernels import hidden as by_form
from fastmlp.kernels.coded import CodedNonzeros, CodedPairs
from fastmlp.kernels.coding import to_coded
from fastmlp.kernels.compiled import entry
from fastmlp.kernels.epoch import EpochPlan, EpochScratch, train_epoch
from fastmlp.kernels.hidden import BatchColumns, columns_scratch
from fastmlp.kernels.lanewise import exp, log
from fastmlp.kernels.layout import aligned_zeros, choose_lanes, padded, room_for
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.prediction import PredictionScratch, WithZeros, network_forward
from fastmlp.kernels.simd import load, store
from fastmlp.kernels.softmax import Outcome, Targets
from fastmlp.kernels.sparse import ROW_ENTRY, SparseRows
from fastmlp.kernels.steps import Descent
from fastmlp.kernels.team import run_team
from fastmlp.kernels.tiles import Lanes, target
from fastmlp.kernels.wide import WideRows

ODD = (1, 2, 7, 17, 300)
F = np.float32
VECTORS = (1, 3, 10)  # of a tile: samples in turns or not; one pass or two; whole strips, and a part of one
FORMS = ("dense", "sparse", "wide", "pairs", "nonzeros")
ADD = Descent(np.float32(1))  # the step that adds the gradient


def nan(shape):
    scratch = aligned_zeros(shape)
    scratch[...] = np.nan
    return scratch


def normal(rng, shape):
    array = aligned_zeros(shape)
    array[...] = rng.normal(size=shape)
    return array


def sparse_input(rng, n, D):
    """Rows of at most 200 different values with 80 % zeros, one row without any nonzero."""
    X = aligned_zeros((n, D))
    X[...] = rng.choice(rng.normal(size=200), (n, D))
    X[rng.random((n, D)) < 0.8] = 0
    X[n // 2] = 0
    return X


def packed(W1, b1, W2, b2):
    """The weights of a net with these arrays."""
    weights = Weights(*W1.shape, len(b2))
    for name, array in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2)):
        weights[name] = array
    return weights


def in_form(form, X, lanes=None, batch_size=128):
    """X in one of the forms that the kernels take."""
    if form == "dense":
        return X
    counts, unusable = nonzeros_by_row(X, 2)
    assert unusable == 0
    if form == "sparse":
        return to_sparse_rows(X, counts, lanes, batch_size, 2)
    if form == "wide":
        return WideRows(*to_sparse_rows(X, counts, lanes, batch_size, 2))
    coded = to_coded(CodedPairs if form == "pairs" else CodedNonzeros, X, counts, lanes, batch_size, 2)
    assert coded is not None
    return coded


# The kernels, with a way in from Python.


@entry
def hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    by_form.hidden_forward(hidden, W1, b1, X, batch, coming, lanes)


@entry
def prepare_columns(columns, X, batch, lanes):
    by_form.prepare_columns(columns, X, batch, lanes)


@entry
def update_W1(W1, dhidden, X, batch, columns, step, lanes):
    by_form.update_W1(W1, dhidden, X, batch, columns, step, lanes)


@entry
def output_forward(logits, hidden, W2, n, lanes):
    output.output_forward(logits, hidden, W2, n, lanes)


@entry
def hidden_backward(dhidden, hidden, dlogits, W2, n, n_classes, lanes):
    output.hidden_backward(dhidden, hidden, dlogits, W2, n, n_classes, lanes)


@entry
def update_W2(W2, hidden, dlogits, n, n_classes, step, lanes):
    output.update_W2(W2, hidden, dlogits, n, n_classes, step, lanes)


@entry
def update_b1(b1, dhidden, n, step, lanes):
    output.update_b1(b1, dhidden, n, step, lanes)


@entry
def update_b2(b2, before, dlogits, n, n_classes, step, lanes):
    softmax.update_b2(b2, before, dlogits, n, n_classes, step, lanes)


@entry
def softmax_cross_entropy(dlogits, results, logits, b2, targets, n_classes, lanes):
    softmax.softmax_cross_entropy(dlogits, results, logits, b2, targets, n_classes, lanes)


def forward(form, hidden, W1, b1, X, batch, lanes):
    """hidden_forward of a form."""
    hidden_forward(hidden, W1, b1, in_form(form, X, lanes, len(batch)), batch, batch[:3], lanes)


def update(form, W1, dhidden, X, batch, lanes, step=ADD):
    """update_W1 of a form; what the columns held before does not matter."""
    rows = in_form(form, X, lanes, len(batch))
    ends, entries, room = columns_scratch(rows, X.shape[1], len(batch), 1)
    columns = BatchColumns(ends[0], entries[0], room)
    columns.ends[...] = 77
    columns.entries.view(np.uint8)[...] = 0xFF
    prepare_columns(columns, rows, batch, lanes)
    update_W1(W1, dhidden, rows, batch, columns, step, lanes)


@pytest.fixture(params=VECTORS)
def lanes(request):
    return Lanes(request.param)


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("D", [*ODD, 2000])  # so many columns are taken in parts
@pytest.mark.parametrize("B", ODD)
def test_hidden_forward_has_the_same_bits_in_every_form_and_is_right(B, D, lanes, rng):
    X = sparse_input(rng, B + 3, D)
    W1, b1 = normal(rng, (padded(D, 2), lanes.units)), normal(rng, (lanes.units,))
    W1[D:] = 0
    batch = rng.permutation(B + 3)[:B]
    results = {form: nan((room_for(B), lanes.units)) for form in FORMS}
    for form, hidden in results.items():
        forward(form, hidden, W1, b1, X, batch, lanes)
        assert hidden.tobytes() == results["dense"].tobytes(), form
    x, w = X[batch].astype(float), W1[:D].astype(float)
    assert_close(results["dense"][:B], np.maximum(x @ w + b1, 0), D, abs(x) @ abs(w) + abs(b1))
    assert np.isnan(results["dense"][B:]).all()


@pytest.mark.parametrize("D", ODD)
@pytest.mark.parametrize("B", ODD)
def test_update_W1_has_the_same_bits_in_every_form_and_is_right(B, D, lanes, rng, monkeypatch):
    X = sparse_input(rng, B + 3, D)
    before, dhidden = normal(rng, (padded(D, 2), lanes.units)), normal(rng, (B, lanes.units))
    before[D:] = 0
    batch = rng.permutation(B + 3)[:B]
    results = {form: aligned_zeros(before.shape) for form in (*FORMS, "dense, not copied")}
    for form, W1 in results.items():
        W1[...] = before
        if form == "dense, not copied":  # as a batch that is too large to be kept twice
            monkeypatch.setattr(by_form, "_MOST_ROOM", 0)
        update(form.split(",")[0], W1, dhidden, X, batch, lanes)
        assert W1.tobytes() == results["dense"].tobytes(), form
    x, d, b = X[batch].astype(float), dhidden.astype(float), before[:D]
    assert_close(results["dense"][:D], b + x.T @ d, B, abs(b) + abs(x).T @ abs(d))
    assert not results["dense"][D:].any()


@pytest.mark.parametrize("C", [*ODD, 3000])
@pytest.mark.parametrize("B", [1, 2, 7, 17])
def test_output_layer(B, C, lanes, rng):
    C4, room = padded(C, 4), room_for(B)
    hidden = nan((room, lanes.units))
    hidden[:B] = np.maximum(rng.normal(size=(B, lanes.units)), 0)  # about half of them exactly 0
    W2, dlogits = aligned_zeros((C4, lanes.units)), nan((C4, room))
    W2[:C] = rng.normal(size=(C, lanes.units))
    dlogits[:C, :B] = rng.normal(size=(C, B))
    h, w, d = hidden[:B].astype(float), W2[:C].astype(float), dlogits[:C, :B].astype(float)

    logits = nan((C4, room))
    output_forward(logits, hidden, W2, B, lanes)
    assert_close(logits[:C, :B], w @ h.T, lanes.units, abs(w) @ abs(h).T)
    assert np.isnan(logits[:, padded(B, 4) :]).all()

    dhidden = nan((room, lanes.units))
    hidden_backward(dhidden, hidden, dlogits, W2, B, C, lanes)
    assert_close(dhidden[:B], np.where(h > 0, d.T @ w, 0), C, abs(d).T @ abs(w))
    assert (dhidden[:B][h == 0] == 0).all()  # the derivative at exactly 0

    b1 = normal(rng, (lanes.units,))
    b1_before = b1.copy()
    update_b1(b1, dhidden, B, ADD, lanes)
    steps = dhidden[:B].astype(float)
    assert_close(b1, b1_before + steps.sum(0), B, abs(b1_before) + abs(steps).sum(0))

    updated = W2.copy()
    update_W2(updated, hidden, dlogits, B, C, ADD, lanes)
    assert_close(updated[:C], w + d @ h, B, abs(w) + abs(d) @ abs(h))
    assert (updated[C:] == 0).all()

    b2, b2_before = nan((padded(C, target().width),)), aligned_zeros((padded(C, target().width),))
    b2_before[:C] = rng.normal(size=C)
    dlogits[:C, B:] = 0
    update_b2(b2, b2_before, dlogits, B, C, ADD, lanes)
    assert_close(b2[:C], b2_before[:C] + d.sum(1), B, abs(b2_before[:C]) + abs(d).sum(1))
    assert not b2[C:].any()


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("C", [*ODD, 3000])
@pytest.mark.parametrize("B", ODD[:4])
def test_softmax_cross_entropy(B, C, scale, rng):
    lanes, C4, room, tiles = Lanes(1), padded(C, 4), room_for(B), 2
    logits, b2, labels, weights = nan((tiles, C4, room)), nan((C4,)), nan((room,)), nan((room,))
    logits[:, :C, :B] = rng.normal(size=(tiles, C, B)) * scale
    logits[:, :C, 0] = 0  # all equal
    if B > 1:
        logits[:, 0, 1], logits[:, C - 1, 1] = 1e4, -1e4
    b2[:C] = rng.normal(size=C)
    y = rng.integers(0, C, B)
    labels[:B], weights[:B] = y, rng.random(B)
    dlogits, (losses, hits) = nan((C4, room)), (results := nan((2, room)))
    softmax_cross_entropy(dlogits, results, logits, b2, Targets(labels[:B], weights, F(0.25)), C, lanes)

    exact = b2[:C, None] + np.zeros((C, B), np.float32)
    for tile in range(tiles):
        exact = exact + logits[tile, :C, :B]
    ours = dlogits[:C, :B].T, losses[:B], hits[:B] == 1
    assert_softmax_cross_entropy(*ours, exact.T.astype(float), y, 0.25 * weights[:B, None].astype(float))
    assert set(hits[:B]) <= {0.0, 1.0}
    assert (dlogits[:C, B : padded(B, target().width)] == 0).all()


def test_fixed_outputs_have_no_gradient_and_change_no_other(rng):
    lanes, room, n = Lanes(1), room_for(7), 7
    logits, b2 = rng.normal(size=(1, 4, room)).astype(F), np.zeros(4, F)
    labels, weights = (np.arange(room) % 3).astype(F), np.ones(room, F)
    free, fixed = nan((4, room)), nan((4, room))
    for dlogits, count in ((free, 0), (fixed, 1)):
        targets = Targets(labels[:n], weights, F(0.5), count)
        softmax_cross_entropy(dlogits, nan((2, room)), logits, b2, targets, 3, lanes)
    assert (fixed[0, : padded(n, target().width)] == 0).all()
    assert fixed[1:3, :n].tobytes() == free[1:3, :n].tobytes()


def test_nan_is_never_right(rng):
    logits, b2, labels = nan((1, 4, 32)), aligned_zeros((4,)), aligned_zeros((32,))
    dlogits, (losses, hits) = nan((4, 32)), (results := nan((2, 32)))
    softmax_cross_entropy(dlogits, results, logits, b2, Targets(labels[:16], labels, F(1)), 3, Lanes(1))
    assert (hits[:16] == 0).all()
    assert np.isnan(losses[:16]).all()


@entry
def exp_of(x, y, lanes):
    store(exp(load(x, 0, lanes)), y, 0)


@entry
def log_of(x, y, lanes):
    store(log(load(x, 0, lanes)), y, 0)


def test_exp_and_log_are_right_to_rounding():
    lanes = Lanes(8)
    x, y = aligned_zeros((lanes.units,)), nan((lanes.units,))
    for low, high in ((-87, 0), (-1, 0), (-1e-3, 0)):
        x[...] = np.linspace(low, high, lanes.units)
        exp_of(x, y, lanes)
        assert abs(y / np.exp(x.astype(float)) - 1).max() < 2.5e-7
    for low, high in ((1, 2), (1, 1.001), (1, 1e4), (1e4, 1e38)):
        x[...] = np.linspace(low, high, lanes.units)
        log_of(x, y, lanes)
        exact = np.log(x.astype(float))
        assert (abs(y - exact) <= 2.5e-7 * np.maximum(exact, 1e-3)).all()
    x[:3] = -200, np.nan, -np.inf
    exp_of(x, y, lanes)
    assert y[0] == 0 and np.isnan(y[1]) and y[2] == 0
    x[:2] = np.inf, np.nan
    log_of(x, y, lanes)
    assert y[0] == np.inf and np.isnan(y[1])


@pytest.mark.parametrize(
    ("n", "B", "D", "H", "C", "form"),
    [
        pytest.param(*shape, form, marks=pytest.mark.long if form != "pairs" and shape[3] > 7 else ())
        for shape in (
            (1, 1, 1, 1, 1),
            (7, 2, 3, 2, 2),
            (40, 17, 30, 17, 7),
            (300, 128, 50, 300, 10),
            (65, 65, 7, 7, 17),
        )
        for form in FORMS
    ],
)
def test_the_epoch_equals_the_composition_of_its_kernels(n, B, D, H, C, form, rng):
    X, lanes = sparse_input(rng, n, D), choose_lanes(H)
    rows = in_form(form, X, lanes, B)
    y, order = rng.integers(0, C, n), rng.permutation(n)
    start = [rng.normal(size=shape).astype(np.float32) * 0.1 for shape in ((D, H), (H,), (H, C), (C,))]
    lr = np.float32(0.3)

    weights = packed(*start)
    scratch = EpochScratch.of(weights.packed, rows, B, 2)
    for array in scratch[:-1]:
        array[...] = np.nan
    outcome = Outcome(nan((n,)), nan((n,)))
    plan = EpochPlan.of(order, y, B, Descent(lr), C)
    run_team(2, lambda member: train_epoch(weights.packed, outcome, scratch, rows, plan, member, lanes))
    trained = [*weights.arrays().values(), outcome.losses, outcome.hits]

    alone = packed(*start)
    W1, b1, W2, b2 = alone.packed
    (tiles, C4, _), room = W2.shape, room_for(B)
    epoch_losses, epoch_hits = [], []
    for first in range(0, n, B):
        batch = order[first : first + B]
        count = len(batch)
        hidden, dhidden = nan((tiles, room, lanes.units)), nan((tiles, room, lanes.units))
        logits, dlogits, results = nan((tiles, C4, room)), nan((C4, room)), nan((2, room))
        for t in range(tiles):
            forward("dense", hidden[t], W1[t], b1[t], X, batch, lanes)
            output_forward(logits[t], hidden[t], W2[t], count, lanes)
        targets = Targets(plan.labels[first : first + count], plan.weights, -lr / F(count))
        softmax_cross_entropy(dlogits, results, logits, b2, targets, C, lanes)
        for t in range(tiles):
            hidden_backward(dhidden[t], hidden[t], dlogits, W2[t], count, C, lanes)
            update_W2(W2[t], hidden[t], dlogits, count, C, ADD, lanes)
            update_b1(b1[t], dhidden[t], count, ADD, lanes)
            update("dense", W1[t], dhidden[t], X, batch, lanes)
        update_b2(b2, b2.copy(), dlogits, count, C, ADD, lanes)
        epoch_losses.append(results[0, :count])
        epoch_hits.append(results[1, :count])
    composed = [*alone.arrays().values(), np.concatenate(epoch_losses), np.concatenate(epoch_hits)]
    for ours, theirs in zip(trained, composed, strict=True):
        assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("avx2", [True, False])
def test_nonzero_lanes_are_written_one_after_another(avx2, rng, monkeypatch):
    if avx2 and not compress._has_avx2():
        pytest.skip("no AVX2 here")
    monkeypatch.setattr(compress, "_has_avx2", lambda: avx2)

    @numba.njit
    def append(entries, values, lanes):
        return compress.append_nonzeros(entries, 3, load(values, 0, lanes), 100)

    lanes, entries = Lanes(1), aligned_zeros((40,), ROW_ENTRY)
    values = normal(rng, (lanes.units,))
    values[1] = np.nan
    for mask in range(256):
        row = np.where(np.arange(lanes.units) % 8 == np.arange(lanes.units), mask, rng.integers(256))
        row = np.where(row >> np.arange(lanes.units) % 8 & 1, values, np.float32(-0.0))
        entries["column"], entries["value"] = 7, 7
        count = append(entries, row, lanes)
        columns = np.flatnonzero(row)
        assert count == 3 + len(columns)
        assert (entries["column"][3:count] == 100 + columns).all()
        np.testing.assert_array_equal(entries["value"][3:count], row[columns])
        assert (entries["column"][[0, 1, 2]] == 7).all()
        assert (entries["column"][3 + lanes.units :] == 7).all()
    assert any("vperm" in asm for asm in append.inspect_asm().values()) == avx2


def predicted(X, arrays, rows=None, n_entries=None, fill=0):
    """What network_forward makes of X: probabilities, and which row it came to, with scratch of this room and fill.

    Zeros are skipped as far as the kernel does so.
    """
    weights, n = packed(*arrays), len(X)
    scratch = PredictionScratch.of(weights.packed)
    if rows is not None:
        scratch = PredictionScratch.with_room(weights.packed, rows, n_entries)
    for array in (*scratch[2:], scratch.nonzeros.starts.view(np.float64), scratch.nonzeros.entries["value"]):
        array[...] = fill
    probs, no_labels = np.full((n, arrays[3].size), np.nan, np.float32), np.zeros(0, np.int64)

    def run(X, first):
        return network_forward(probs, Outcome.of(0), weights.packed, scratch, X, no_labels, (first, n), weights.lanes)

    row, overflowed = run(WithZeros(X), 0)
    if 0 <= row < n:
        assert n > 2  # zeros of one row or two are always skipped
        row, more = run(X, row)
        overflowed += more
    if row == n:
        assert overflowed == np.isnan(probs).all(axis=1).sum() == np.isnan(probs).any(axis=1).sum()
    return probs, row


def arrays_for(rng, D, H=40, C=3):
    shapes = (D, H), (H,), (H, C), (C,)
    return [(rng.normal(size=shape) / shape[0] ** 0.5).astype(np.float32) for shape in shapes]


def rows_of(rng, kind, n, D):
    """Rows (n, D) that are all dense, mostly zeros, all zeros, or some of each after another."""
    X = normal(rng, (n, D))
    if kind == "mixed":
        X[n // 3 : 2 * n // 3] = sparse_input(rng, n, D)[n // 3 : 2 * n // 3]
        X[2 * n // 3 :] = 0
    elif kind != "dense":
        X[...] = sparse_input(rng, n, D) if kind == "sparse" else 0
    return X


@pytest.mark.parametrize("D", [*ODD, 64])
@pytest.mark.parametrize("n", [1, 2, 7, 17, 129, 300])
@pytest.mark.parametrize("kind", ["dense", "sparse", "zero", "mixed"])
def test_prediction_is_right_whatever_the_rows_and_the_room(kind, n, D, rng):
    X, arrays = rows_of(rng, kind, n, D), arrays_for(rng, D)
    probs, row = predicted(X, arrays)
    assert row == n
    exact = oracle.forward(oracle.Net(*(array.astype(float) for array in arrays)), X.astype(float)).probs
    np.testing.assert_allclose(probs, exact, rtol=1e-5)
    alone = np.concatenate([predicted(X[i : i + 1], arrays)[0] for i in range(0, n, 1 + n // 4)])
    assert probs[:: 1 + n // 4].tobytes() == alone.tobytes()
    for rows, n_entries in ((n + 1, D), (5, D + 1), (64, 3 * D)):  # the nonzeros of few rows have room
        assert predicted(X, arrays, rows, n_entries, fill=np.nan)[0].tobytes() == probs.tobytes()


@pytest.mark.parametrize("at", [0, 7, 8, 36])  # of the whole vectors, and of what they leave
@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_prediction_finds_a_value_that_is_not_finite_in_any_row(wrong, kind, at, rng):
    X, arrays = rows_of(rng, kind, 150, 37), arrays_for(rng, 37)
    assert predicted(X, arrays)[1] == 150
    for row in (0, 1, 149):
        spoilt = X.copy()
        spoilt[row, at] = wrong
        assert predicted(spoilt, arrays)[1] == -1
        assert predicted(spoilt[row : row + 1], arrays)[1] == -1
    X[3, at] = np.finfo(np.float32).max
    X[4, at] = -np.finfo(np.float32).max
    assert predicted(X, arrays)[1] == 150


@pytest.mark.parametrize("kind", ["dense", "sparse"])
@pytest.mark.parametrize("n", [1, 2, 7, 17, 300])
def test_prediction_counts_the_rows_whose_logits_overflow(kind, n, rng):
    X, (W1, b1, W2, b2) = rows_of(rng, kind, n, 37), arrays_for(rng, 37)
    W1[0], W2[0, 1] = 0, 1e38
    b1[...] = 0
    W1[0, 0] = 1e3  # the first input decides of the first hidden unit, and that of the second class
    W1[1:, 0] = 0
    X[:, 0] = rng.random(n) < 0.5
    probs, row = predicted(X, (W1, b1, W2, b2), fill=np.nan)
    assert row == n
    np.testing.assert_array_equal(np.isnan(probs[:, 0]), X[:, 0] == 1)


def test_scratch_for_prediction_is_bounded():
    def size(input_size, hidden_size, output_size):
        scratch = PredictionScratch.of(Weights(input_size, hidden_size, output_size).packed)
        return sum(array.nbytes for array in (*scratch.nonzeros, *scratch[1:])), len(scratch.order)

    assert size(784, 300, 10)[1] == 128
    for sizes in ((784, 300, 10), (784, 10, 3000), (784, 5000, 10)):
        n_bytes, _ = size(*sizes)
        assert n_bytes < 2.5e6
    assert size(200_000, 3, 2)[0] < 2e6  # a full row is 1.6 MB


def test_sparse_rows_hold_every_nonzero(rng):
    X = sparse_input(rng, 50, 33)
    rows = in_form("sparse", X, Lanes(12))
    assert isinstance(rows, SparseRows)
    for i, row in enumerate(X):
        part = slice(rows.starts[i, 0], rows.starts[i, -1])
        assert (rows.entries["column"][part] == np.flatnonzero(row)).all()
        assert (rows.entries["value"][part] == row[row != 0]).all()
    X[3, 3], X[4, 4] = np.nan, -np.inf
    assert nonzeros_by_row(X, 2)[1] == 2


@pytest.mark.parametrize("D", [1, 2, 33, 784])
@pytest.mark.parametrize("vectors", [1, 12])  # one block of columns, several
@pytest.mark.parametrize("form", ["pairs", "nonzeros"])
def test_coded_rows_hold_every_nonzero(form, D, vectors, rng):
    X = sparse_input(rng, 50, D)
    coded = in_form(form, X, Lanes(vectors))
    assert coded.starts.shape[1] > 2 or vectors == 1 or D < 784
    read = np.zeros((50, D + 1), np.float32)
    for i, starts in enumerate(coded.starts):
        assert (np.diff(starts.astype(int)) >= 0).all()
        for e in coded.entries[starts[0] : starts[-1]].tolist():
            number, left, right = e & 0xFFFF, coded.values[e >> 16 & 255], coded.values[e >> 24]
            if form == "pairs":
                read[i, 2 * number], read[i, 2 * number + 1] = left, right
            else:
                read[i, number] = left
    assert (read[:, :D] == X).all()


def test_more_than_255_values_are_not_coded(rng):
    X = aligned_zeros((300, 2))
    X[:, 0] = np.arange(300)
    counts, _ = nonzeros_by_row(X, 1)
    assert to_coded(CodedPairs, X, counts, Lanes(1), 128, 1) is None
    X[:, 0] %= 256
    assert to_coded(CodedPairs, X, counts, Lanes(1), 128, 1) is not None


def test_a_value_that_the_sample_of_rows_lacks_is_coded_too(rng):
    X = aligned_zeros((5000, 3))
    X[:, 1] = 1
    X[4999, 2] = 7
    coded = in_form("pairs", X, Lanes(1))
    assert sorted(set(coded.values.tolist())) == [0, 1, 7]


@pytest.mark.parametrize("wrong", [0.999, 1.001])
def test_an_error_of_a_thousandth_would_be_caught(wrong, rng):
    lanes = Lanes(1)
    X, W1, b1 = normal(rng, (17, 300)), normal(rng, (300, lanes.units)), normal(rng, (lanes.units,))
    hidden = nan((17, lanes.units))
    forward("dense", hidden, W1, b1, X, np.arange(17), lanes)
    x, w = X.astype(float), W1.astype(float)
    exact, size = np.maximum(x @ w + b1, 0), abs(x) @ abs(w) + abs(b1)
    assert_close(hidden, exact, 300, size)
    with pytest.raises(AssertionError):
        assert_close(hidden * np.float32(wrong), exact, 300, size)


def test_a_failing_member_stops_the_team():
    def work(member):
        if member.rank == 1:
            raise MemoryError("no room")

    with pytest.raises(MemoryError, match="no room"):
        run_team(3, work)
