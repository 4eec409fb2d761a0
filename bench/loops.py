"""Each kernel `n` times over all tiles of a layer, in compiled code.

A call from Python takes 4 us, some kernels only 0.1.
"""

import numpy as np

from fastmlp.kernels import coding, hidden, output, packing, softmax
from fastmlp.kernels.compiled import entry
from fastmlp.kernels.steps import Descent

SCALE = np.float32(-0.1 / 128)  # of dlogits: learning rate 0.1, batches of 128


@entry
def hidden_forward(n, out, W1, b1, X, batch, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            hidden.hidden_forward(out[tile], W1[tile], b1[tile], X, batch, batch[:0], lanes)


@entry
def prepare_columns(n, columns, X, batch, lanes):
    for _ in range(n):
        hidden.prepare_columns(columns, X, batch, lanes)


@entry
def update_W1(n, W1, dhidden, X, batch, columns, lanes):
    for _ in range(n):
        for tile in range(len(W1)):
            hidden.update_W1(W1[tile], dhidden[tile], X, batch, columns, Descent(SCALE), lanes)


@entry
def output_forward(n, logits, hidden, W2, n_samples, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.output_forward(logits[tile], hidden[tile], W2[tile], n_samples, lanes)


@entry
def softmax_cross_entropy(n, dlogits, results, logits, b2, targets, n_classes, lanes):
    for _ in range(n):
        softmax.softmax_cross_entropy(dlogits, results, logits, b2, targets, n_classes, lanes)


@entry
def hidden_backward(n, dhidden, hidden, dlogits, W2, n_samples, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.hidden_backward(dhidden[tile], hidden[tile], dlogits, W2[tile], n_samples, n_classes, lanes)


@entry
def update_W2(n, W2, hidden, dlogits, n_samples, n_classes, lanes):
    for _ in range(n):
        for tile in range(len(W2)):
            output.update_W2(W2[tile], hidden[tile], dlogits, n_samples, n_classes, Descent(SCALE), lanes)


@entry
def update_b1(n, b1, dhidden, n_samples, lanes):
    for _ in range(n):
        for tile in range(len(b1)):
            output.update_b1(b1[tile], dhidden[tile], n_samples, Descent(SCALE), lanes)


@entry
def update_b2(n, b2, before, dlogits, n_samples, n_classes, lanes):
    for _ in range(n):
        for c in range(len(b2)):
            before[c] = b2[c]
        softmax.update_b2(b2, before, dlogits, n_samples, n_classes, Descent(SCALE), lanes)


@entry
def count_nonzeros(n, counts, X, lanes):
    for _ in range(n):
        packing.count_nonzeros(counts, X, 0, len(X), lanes)


@entry
def fill_sparse_rows(n, sparse, X, borders, lanes):
    for _ in range(n):
        packing.fill_sparse_rows(sparse, X, borders, 0, len(X), lanes)


@entry
def fill_coded(n, starts, entries, table, bits, borders, lanes):
    for _ in range(n):
        coding.fill_coded(starts, entries, table, bits, borders, 2, (0, len(bits)), lanes)
