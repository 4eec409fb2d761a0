"""The hidden layer's kernels alone, one thread, on a batch of sparse and of dense input."""

import numpy as np
import pytest

from fastmlp.kernels.dense import dense_hidden_forward, dense_update_W1
from fastmlp.kernels.layout import aligned_zeros, choose_lanes
from fastmlp.kernels.packing import nonzeros_by_row, to_sparse_rows
from fastmlp.kernels.sparse import BatchColumns, sparse_hidden_forward, sparse_update_W1, transpose_batch

B, D = 128, 784


@pytest.fixture(params=[30, 128, 300])
def tile(request):
    rng = np.random.default_rng(0)
    lanes = choose_lanes(request.param)
    X = aligned_zeros((B, D))
    X[...] = np.where(rng.random((B, D)) < 0.2, rng.random((B, D)), 0)
    W1, b1 = aligned_zeros((D, lanes.units)), aligned_zeros((lanes.units,))
    W1[...] = rng.normal(size=W1.shape)
    counts, _ = nonzeros_by_row(X, 1)
    return lanes, X, to_sparse_rows(X, counts, 1), W1, b1, aligned_zeros((B, lanes.units))


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_hidden_forward(benchmark, tile, kind):
    lanes, X, rows, W1, b1, hidden = tile
    benchmark.group = f"hidden_forward, a tile of {lanes.units} units"
    kernel, x = (sparse_hidden_forward, rows) if kind == "sparse" else (dense_hidden_forward, X)
    kernel(hidden, W1, b1, x, np.arange(B), lanes)
    benchmark(kernel, hidden, W1, b1, x, np.arange(B), lanes)
    np.testing.assert_allclose(hidden, np.maximum(X @ W1, 0), atol=1e-4)


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_update_W1(benchmark, tile, kind):
    lanes, X, rows, W1, _, dhidden = tile
    benchmark.group = f"update_W1, a tile of {lanes.units} units"
    dhidden[...] = 1e-3
    batch = np.arange(B)
    columns = BatchColumns(np.zeros(D, np.int64), np.zeros(B * D, np.int32), np.zeros(B * D, np.float32))

    def sparse():
        transpose_batch(columns, rows, batch, lanes)
        sparse_update_W1(W1, dhidden, columns, lanes)

    def dense():
        dense_update_W1(W1, dhidden, X, batch, lanes)

    update = sparse if kind == "sparse" else dense
    before = W1.copy()
    update()
    np.testing.assert_allclose(W1, before + X.T @ dhidden, atol=1e-5)
    benchmark(update)
