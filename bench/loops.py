"""Each kernel `n` times over all tiles of a layer, in compiled code.

A call from Python takes 4 us, some kernels only 0.1.
"""

from fastmlp.kernels import dense, output, packing, softmax, sparse
from fastmlp.kernels.compiled import kernel


@kernel
def sparse_hidden_forward(n, hidden, W1, b1, rows, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            sparse.sparse_hidden_forward(hidden[tile], W1[tile], b1[tile], rows, batch, lanes)


@kernel
def dense_hidden_forward(n, hidden, W1, b1, X, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            dense.dense_hidden_forward(hidden[tile], W1[tile], b1[tile], X, batch, lanes)


@kernel
def transpose_batch(n, columns, rows, batch, lanes):
    for _ in range(n):
        sparse.transpose_batch(columns, rows, batch, lanes)


@kernel
def sparse_update_W1(n, W1, dhidden, columns, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            sparse.sparse_update_W1(W1[tile], dhidden[tile], columns, lanes)


@kernel
def dense_update_W1(n, W1, dhidden, X, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            dense.dense_update_W1(W1[tile], dhidden[tile], X, batch, lanes)


@kernel
def output_forward(n, partial, hidden, W2, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.output_forward(partial, tile, hidden[tile], W2[tile], lanes)


@kernel
def softmax_cross_entropy(n, dlogits, losses, hits, partial, b2, y, n_classes, scale, lanes):
    for _ in range(n):
        softmax.softmax_cross_entropy(dlogits, losses, hits, partial, b2, y, n_classes, scale, lanes)


@kernel
def hidden_backward(n, dhidden, hidden, dlogits, W2, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.hidden_backward(dhidden[tile], hidden[tile], dlogits, W2[tile], n_classes, lanes)


@kernel
def update_W2(n, W2, hidden, dlogits, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.update_W2(W2[tile], hidden[tile], dlogits, n_classes, lanes)


@kernel
def update_b1(n, b1, dhidden, lanes):
    for _ in range(n):
        for tile in range(len(b1)):
            output.update_b1(b1[tile], dhidden[tile], lanes)


@kernel
def update_b2(n, b2, dlogits, n_classes, lanes):
    for _ in range(n):
        softmax.update_b2(b2, dlogits, n_classes, lanes)


@kernel
def count_nonzeros(n, counts, X, lanes):
    for _ in range(n):
        packing.count_nonzeros(counts, X, 0, len(X), lanes)


@kernel
def fill_sparse_rows(n, rows, X, lanes):
    for _ in range(n):
        packing.fill_sparse_rows(rows, X, 0, len(X), lanes)
