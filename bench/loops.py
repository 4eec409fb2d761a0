"""Each kernel `n` times over all tiles of a layer, in compiled code: a call from Python costs 4 us, some take 0.1."""

import numba

from fastmlp.kernels import dense, output, packing, softmax, sparse

_loop = numba.njit(cache=True, nogil=True, error_model="numpy")


@_loop
def sparse_hidden_forward(n, hidden, W1, b1, rows, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            sparse.sparse_hidden_forward(hidden[tile], W1[tile], b1[tile], rows, batch, lanes)


@_loop
def dense_hidden_forward(n, hidden, W1, b1, X, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            dense.dense_hidden_forward(hidden[tile], W1[tile], b1[tile], X, batch, lanes)


@_loop
def transpose_batch(n, columns, rows, batch, lanes):
    for _ in range(n):
        sparse.transpose_batch(columns, rows, batch, lanes)


@_loop
def sparse_update_W1(n, W1, dhidden, columns, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            sparse.sparse_update_W1(W1[tile], dhidden[tile], columns, lanes)


@_loop
def dense_update_W1(n, W1, dhidden, X, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            dense.dense_update_W1(W1[tile], dhidden[tile], X, batch, lanes)


@_loop
def output_forward(n, partial, hidden, W2, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.output_forward(partial, tile, hidden[tile], W2[tile], lanes)


@_loop
def softmax_cross_entropy(n, dlogits, losses, hits, partial, b2, y, n_classes, scale, lanes):
    for _ in range(n):
        softmax.softmax_cross_entropy(dlogits, losses, hits, partial, b2, y, n_classes, scale, lanes)


@_loop
def hidden_backward(n, dhidden, hidden, dlogits, W2, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.hidden_backward(dhidden[tile], hidden[tile], dlogits, W2[tile], n_classes, lanes)


@_loop
def update_W2(n, W2, hidden, dlogits, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.update_W2(W2[tile], hidden[tile], dlogits, n_classes, lanes)


@_loop
def update_b1(n, b1, dhidden, lanes):
    for _ in range(n):
        for tile in range(len(b1)):
            output.update_b1(b1[tile], dhidden[tile], lanes)


@_loop
def update_b2(n, b2, dlogits, n_classes, lanes):
    for _ in range(n):
        softmax.update_b2(b2, dlogits, n_classes, lanes)


@_loop
def count_nonzeros(n, counts, X, lanes):
    for _ in range(n):
        packing.count_nonzeros(counts, X, 0, len(X), lanes)


@_loop
def fill_sparse_rows(n, rows, X, lanes):
    for _ in range(n):
        packing.fill_sparse_rows(rows, X, 0, len(X), lanes)
