"""The hidden layer's forward pass over rows of which only the nonzeros are kept, whatever an entry stands for.

Rows are `entries` one after the other, each cut into blocks of columns: block p of row i is
entries[starts[i, p] : starts[i, p + 1]]. What an entry adds to the sums is for its form to say (`coded.py`,
`sparse.py`).
"""

from __future__ import annotations

from .compiled import inlined, kernel
from .lanewise import relu
from .simd import element, load, prefetch, store
from .tags import units

__all__ = ["add_entry", "rows_hidden_forward", "rows_hidden_forward_in_turns"]


def add_entry(acc, X, k, W1, lanes):
    """acc + the values of entry k of X times their rows of W1."""
    raise NotImplementedError("for kernels only")


@inlined
def _ask_for(X, coming, i, p):
    """Ask for block p of a row of the batch `coming`: rows come in random order, which no processor foresees."""
    if i < len(coming):
        at = coming[i] * X.starts.shape[1] + p
        prefetch(X.entries, element(X.starts, at), element(X.starts, at + 1))


@inlined
def _begin(hidden, b1, i, p, lanes):
    """The sums of row i before block p of the columns."""
    return load(b1, 0, lanes) if p == 0 else load(hidden, i * units(lanes), lanes)


@inlined
def _end(acc, hidden, i, p, X, lanes):
    """Keep the sums of row i after block p of the columns."""
    store(relu(acc) if p == X.starts.shape[1] - 2 else acc, hidden, i * units(lanes))


@inlined
def _forward_row(hidden, W1, b1, X, batch, i, p, lanes):
    """Row i of hidden, by block p of the columns."""
    at, acc = batch[i] * X.starts.shape[1] + p, _begin(hidden, b1, i, p, lanes)
    for k in range(element(X.starts, at), element(X.starts, at + 1)):
        acc = add_entry(acc, X, k, W1, lanes)
    _end(acc, hidden, i, p, X, lanes)


@kernel
def rows_hidden_forward(hidden, W1, b1, X, batch, coming, lanes):
    """hidden = max(0, X W1 + b1) for one tile; meanwhile asks for the rows of the batch `coming`.

    The whole batch goes through a block of columns before the next, so that the block's part of W1 stays in the L1
    cache.

    Writes hidden (room, units); reads W1 (D padded to 2, units), b1 (units,), the rows of X numbered by batch (B,).
    """
    for p in range(X.starts.shape[1] - 1):
        for i in range(len(batch)):
            _ask_for(X, coming, i, p)
            _forward_row(hidden, W1, b1, X, batch, i, p, lanes)


@kernel
def rows_hidden_forward_in_turns(hidden, W1, b1, X, batch, coming, lanes):
    """The same for narrow tiles: two rows in turns, so that the sums of one do not wait for themselves."""
    for p in range(X.starts.shape[1] - 1):
        for i in range(0, len(batch) - 1, 2):
            _ask_for(X, coming, i, p)
            _ask_for(X, coming, i + 1, p)
            one, two = _begin(hidden, b1, i, p, lanes), _begin(hidden, b1, i + 1, p, lanes)
            at, other = batch[i] * X.starts.shape[1] + p, batch[i + 1] * X.starts.shape[1] + p
            k, stop = element(X.starts, at), element(X.starts, at + 1)
            m, end = element(X.starts, other), element(X.starts, other + 1)
            for _ in range(min(stop - k, end - m)):
                one, two = add_entry(one, X, k, W1, lanes), add_entry(two, X, m, W1, lanes)
                k += 1
                m += 1
            for j in range(k, stop):
                one = add_entry(one, X, j, W1, lanes)
            for j in range(m, end):
                two = add_entry(two, X, j, W1, lanes)
            _end(one, hidden, i, p, X, lanes)
            _end(two, hidden, i + 1, p, X, lanes)
        if len(batch) % 2 == 1:
            _forward_row(hidden, W1, b1, X, batch, len(batch) - 1, p, lanes)
