"""Each kernel alone against the reference in NumPy, over odd shapes and with scratch full of NaN.

The reference is computed in float64 from the same float32 numbers; `oracle.tolerance` says how close is close.
"""

import numpy as np
import pytest
from oracle import assert_close, assert_softmax_cross_entropy

from fastmlp.engine.weights import Weights
from fastmlp.kernels.dense import dense_hidden_forward, dense_update_W1
from fastmlp.kernels.epoch import EpochPlan, EpochScratch, train_epoch
from fastmlp.kernels.layout import (
    aligned_zeros,
    choose_lanes,
    padded,
)
from fastmlp.kernels.output import hidden_backward, output_forward, update_b1, update_W2
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.prediction import PredictionScratch, network_forward
from fastmlp.kernels.simd import Lanes, target
from fastmlp.kernels.softmax import Outcome, softmax_cross_entropy, update_b2
from fastmlp.kernels.sparse import (
    COLUMN_ENTRY,
    BatchColumns,
    sparse_hidden_forward,
    sparse_update_W1,
    transpose_batch,
)
from fastmlp.kernels.team import Member, run_team

ODD = (1, 2, 7, 17, 300)
VECTORS = (1, 5)  # the narrowest and a wide tile


def nan(shape):
    scratch = aligned_zeros(shape)
    scratch[...] = np.nan
    return scratch


def normal(rng, shape):
    array = aligned_zeros(shape)
    array[...] = rng.normal(size=shape)
    return array


def sparse_input(rng, n, D):
    """Rows with 80 % zeros, one of them without any nonzero."""
    X = normal(rng, (n, D))
    X[rng.random((n, D)) < 0.8] = 0
    X[n // 2] = 0
    return X


def packed(W1, b1, W2, b2):
    """The weights of a net with these arrays."""
    weights = Weights(*W1.shape, len(b2))
    for name, array in (("W1", W1), ("b1", b1), ("W2", W2), ("b2", b2)):
        weights[name] = array
    return weights


def rows_of(X):
    counts, unusable = nonzeros_by_row(X, 1)
    assert unusable == 0
    return to_sparse_rows(X, counts, 1)


@pytest.fixture(params=VECTORS)
def lanes(request):
    return Lanes(request.param if target().registers >= 32 else min(request.param, 4))


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("D", [*ODD, 2000])  # so many nonzeros are taken in parts
@pytest.mark.parametrize("B", ODD)
def test_hidden_forward_sparse_and_dense_have_the_same_bits_and_are_right(B, D, lanes, rng):
    X = sparse_input(rng, B + 3, D)
    W1, b1 = normal(rng, (D, lanes.units)), normal(rng, (lanes.units,))
    batch = rng.permutation(B + 3)[:B]
    sparse, dense = nan((B, lanes.units)), nan((B, lanes.units))
    sparse_hidden_forward(sparse, W1, b1, rows_of(X), batch, lanes)
    dense_hidden_forward(dense, W1, b1, X, batch, lanes)
    assert sparse.tobytes() == dense.tobytes()
    x, w = X[batch].astype(float), W1.astype(float)
    assert_close(dense, np.maximum(x @ w + b1, 0), D, abs(x) @ abs(w) + abs(b1))


@pytest.mark.parametrize("D", ODD)
@pytest.mark.parametrize("B", ODD)
def test_update_W1_sparse_and_dense_have_the_same_bits_and_are_right(B, D, lanes, rng):
    X = sparse_input(rng, B + 3, D)
    before, dhidden = normal(rng, (D, lanes.units)), normal(rng, (B, lanes.units))
    batch = rng.permutation(B + 3)[:B]
    rows = rows_of(X)
    sparse, dense = aligned_zeros(before.shape), aligned_zeros(before.shape)
    sparse[...] = dense[...] = before
    columns = BatchColumns(np.full(D, -9), np.array([(2**32 - 9, np.nan)] * (B * D), COLUMN_ENTRY))
    transpose_batch(columns, rows, batch, lanes)
    sparse_update_W1(sparse, dhidden, columns, lanes)
    dense_update_W1(dense, dhidden, X, batch, lanes)
    assert sparse.tobytes() == dense.tobytes()
    x, d = X[batch].astype(float), dhidden.astype(float)
    assert_close(dense, before + x.T @ d, B, abs(before) + abs(x).T @ abs(d))


@pytest.mark.parametrize("C", [*ODD, 3000])
@pytest.mark.parametrize("B", [1, 2, 7, 17])
def test_output_layer(B, C, lanes, rng):
    C4, classes = padded(C, 4), padded(C, target().width)
    hidden = normal(rng, (B, lanes.units))
    np.maximum(hidden, 0, out=hidden)  # about half of them exactly 0
    W2, dlogits = aligned_zeros((C4, lanes.units)), nan((B, classes))
    W2[:C] = rng.normal(size=(C, lanes.units))
    dlogits[:, :C] = rng.normal(size=(B, C))
    h, w, d = hidden.astype(float), W2[:C].astype(float), dlogits[:, :C].astype(float)

    partial = nan((B, 3, classes))
    output_forward(partial, 1, hidden, W2, lanes)
    assert_close(partial[:, 1, :C], h @ w.T, lanes.units, abs(h) @ abs(w).T)
    assert np.isnan(partial[:, [0, 2]]).all()

    dhidden = nan((B, lanes.units))
    hidden_backward(dhidden, hidden, dlogits, W2, C, lanes)
    assert_close(dhidden, np.where(h > 0, d @ w, 0), C, abs(d) @ abs(w))
    assert (dhidden[hidden == 0] == 0).all()  # the derivative at exactly 0

    b1 = normal(rng, (lanes.units,))
    b1_before = b1.copy()
    update_b1(b1, dhidden, lanes)
    assert_close(b1, b1_before + dhidden.astype(float).sum(0), B, abs(b1_before) + abs(dhidden).sum(0))

    updated = W2.copy()
    update_W2(updated, hidden, dlogits, C, lanes)
    assert_close(updated[:C], w + d.T @ h, B, abs(w) + abs(d).T @ abs(h))
    assert (updated[C:] == 0).all()

    b2 = normal(rng, (classes,))
    b2_before = b2.copy()
    dlogits[:, C:] = 0
    update_b2(b2, dlogits, C, lanes)
    assert_close(b2[:C], b2_before[:C] + d.sum(0), B, abs(b2_before[:C]) + abs(d).sum(0))


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e4])
@pytest.mark.parametrize("C", [*ODD, 3000])
@pytest.mark.parametrize("B", ODD[:4])
def test_softmax_cross_entropy(B, C, scale, rng):
    lanes, classes, tiles = Lanes(1), padded(C, target().width), 2
    partial, b2 = nan((B, tiles, classes)), nan((classes,))
    partial[:, :, :C] = rng.normal(size=(B, tiles, C)) * scale
    partial[0] = 0  # all equal
    if B > 1:
        partial[1, :, 0], partial[1, :, -1] = 1e4, -1e4
    b2[:C] = rng.normal(size=C)
    y = rng.integers(0, C, B)
    dlogits, losses, hits = nan((B, classes)), np.full(B, np.nan, np.float32), np.zeros(B, np.bool_)
    softmax_cross_entropy(dlogits, losses, hits, partial, b2, y, C, np.float32(0.25), lanes)

    logits = b2[:C] + np.zeros((B, C), np.float32)
    for tile in range(tiles):
        logits = logits + partial[:, tile, :C]
    logits = logits.astype(float)
    assert_softmax_cross_entropy(dlogits[:, :C], losses, hits, logits, y, 0.25)
    assert (dlogits[:, C:] == 0).all()


@pytest.mark.parametrize("sparse", [True, False])
@pytest.mark.parametrize(
    ("n", "B", "D", "H", "C"),
    [(1, 1, 1, 1, 1), (7, 2, 3, 2, 2), (40, 17, 30, 17, 7), (300, 128, 50, 300, 10), (65, 65, 7, 7, 17)],
)
def test_the_epoch_equals_the_composition_of_its_kernels(n, B, D, H, C, sparse, rng):
    X = sparse_input(rng, n, D)
    rows = rows_of(X) if sparse else X
    y, order = rng.integers(0, C, n), rng.permutation(n)
    lanes = choose_lanes(H)
    start = [rng.normal(size=shape).astype(np.float32) * 0.1 for shape in ((D, H), (H,), (H, C), (C,))]
    lr = np.float32(0.3)

    weights = packed(*start)
    parameters = weights.packed
    scratch = EpochScratch.of(parameters, rows, B, 2)
    for array in scratch[:4]:
        array[...] = np.nan
    outcome = Outcome(np.full(n, np.nan, np.float32), np.zeros(n, np.bool_))
    plan = EpochPlan(order, y[order], B, lr, C)
    run_team(2, lambda member: train_epoch(parameters, outcome, scratch, rows, plan, member, lanes))
    trained = [*weights.arrays().values(), outcome.losses, outcome.hits]

    alone = packed(*start)
    W1, b1, W2, b2 = alone.packed
    tiles, classes = len(W1), len(b2)
    losses, hits = np.zeros(n, np.float32), np.zeros(n, np.bool_)
    for first in range(0, n, B):
        batch = order[first : first + B]
        hidden, dhidden = nan((tiles, len(batch), lanes.units)), nan((tiles, len(batch), lanes.units))
        partial, dlogits = nan((len(batch), tiles, classes)), nan((len(batch), classes))
        for t in range(tiles):
            dense_hidden_forward(hidden[t], W1[t], b1[t], X, batch, lanes)
            output_forward(partial, t, hidden[t], W2[t], lanes)
        softmax_cross_entropy(
            dlogits,
            losses[first : first + B],
            hits[first : first + B],
            partial,
            b2,
            y[batch],
            C,
            -lr / np.float32(len(batch)),
            lanes,
        )
        for t in range(tiles):
            hidden_backward(dhidden[t], hidden[t], dlogits, W2[t], C, lanes)
            update_W2(W2[t], hidden[t], dlogits, C, lanes)
            update_b1(b1[t], dhidden[t], lanes)
            dense_update_W1(W1[t], dhidden[t], X, batch, lanes)
        update_b2(b2, dlogits, C, lanes)
    composed = [*alone.arrays().values(), losses, hits]
    for ours, theirs in zip(trained, composed, strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_prediction_does_not_depend_on_what_scratch_held(rng):
    X = sparse_input(rng, 9, 20)
    start = [rng.normal(size=shape).astype(np.float32) for shape in ((20, 40), (40,), (40, 3), (3,))]
    parameters, lanes = packed(*start).packed, choose_lanes(40)
    outcome = Outcome(np.zeros(0, np.float32), np.zeros(0, np.bool_))
    results = []
    for fill in (0, np.nan):
        scratch = PredictionScratch.of(parameters, 4)
        for array in scratch:
            array[...] = fill
        probs = np.full((9, 3), np.nan, np.float32)
        member = Member(aligned_zeros((24,), np.int64), 0, 1)
        no_labels = np.zeros(0, np.int64)
        network_forward(probs, outcome, parameters, scratch, X, no_labels, np.arange(9), member, lanes)
        results.append(probs)
    assert results[0].tobytes() == results[1].tobytes()


def test_sparse_rows_hold_every_nonzero(rng):
    X = sparse_input(rng, 50, 33)
    rows = rows_of(X)
    for i, row in enumerate(X):
        part = slice(rows.starts[i], rows.starts[i + 1])
        assert (rows.entries["column"][part] == np.flatnonzero(row)).all()
        assert (rows.entries["value"][part] == row[row != 0]).all()
    X[3, 3], X[4, 4] = np.nan, -np.inf
    assert nonzeros_by_row(X, 2)[1] == 2


@pytest.mark.parametrize("wrong", [0.999, 1.001])
def test_an_error_of_a_thousandth_would_be_caught(wrong, rng):
    lanes = Lanes(1)
    X, W1, b1 = normal(rng, (17, 300)), normal(rng, (300, lanes.units)), normal(rng, (lanes.units,))
    hidden = nan((17, lanes.units))
    dense_hidden_forward(hidden, W1, b1, X, np.arange(17), lanes)
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
