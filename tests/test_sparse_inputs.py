"""Sparse matrices of SciPy: the same bits as the dense array of the same numbers, and what is refused."""

import numpy as np
import oracle
import pytest

from fastmlp import SGD, Adam, Momentum, NeuralNetwork, Scaling
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels import hidden

sparse = pytest.importorskip("scipy.sparse")

PARAMETERS = ("W1", "b1", "W2", "b2")
KINDS = {
    "csr_matrix": sparse.csr_matrix,
    "csr_array": sparse.csr_array,
    "csc": sparse.csc_matrix,
    "coo": sparse.coo_array,
    "lil": sparse.lil_matrix,
    "64-bit indices": lambda X: with_wide_indices(sparse.csr_matrix(X)),
    "unsorted": lambda X: scrambled(sparse.csr_matrix(X)),
    "duplicates and zeros": lambda X: doubled(sparse.csr_matrix(X)),
    "float64": lambda X: sparse.csr_array(X.astype(np.float64)),
}


def with_wide_indices(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def scrambled(X):
    """Each row backwards."""
    for i in range(X.shape[0]):
        part = slice(X.indptr[i], X.indptr[i + 1])
        X.indices[part], X.data[part] = X.indices[part][::-1].copy(), X.data[part][::-1].copy()
    X.has_sorted_indices = False
    return X


def doubled(X):
    """Each value as two halves, and a zero that is stored."""
    rows = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))
    values, columns = np.r_[X.data / 2, X.data / 2, 0], np.r_[X.indices, X.indices, 0]
    rows = np.r_[rows, rows, 0]
    order = np.argsort(rows, kind="stable")
    indptr = np.r_[0, np.cumsum(np.bincount(rows, minlength=X.shape[0]))]
    return sparse.csr_matrix((values[order].astype(np.float32), columns[order], indptr), shape=X.shape)


def samples(n=90, D=40, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.choice(np.float32([0.5, 1, 2, -1.5, 0.1]), (n, D))
    X[rng.random((n, D)) < 0.9] = 0
    X[n // 2] = 0  # an empty row
    X[:, D // 3] = 0  # an empty column
    return X, rng.integers(0, 3, n)


def net_of(D=40, **settings):
    return NeuralNetwork(20, 0.1, input_size=D, output_size=3, seed=0, **settings)


def bits(net):
    return b"".join(getattr(net, name).tobytes() for name in PARAMETERS)


@pytest.fixture(params=["room for each column", "a sorted list"])
def form(request, monkeypatch):
    """Both forms of sparse rows, also on small inputs."""
    if request.param == "a sorted list":
        monkeypatch.setattr(hidden, "_MOST_ROOM", 0)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_bits_of_the_dense_array(kind, form):
    X, y = samples()
    sparse_X, dense, other = KINDS[kind](X.copy()), net_of(), net_of()
    before = sparse_X.toarray()
    expected = dense.fit(X, y, 16, 3, validation=(X, y))
    history = other.fit(sparse_X, y, 16, 3, validation=(sparse_X, y))
    assert bits(dense) == bits(other)
    assert history.loss == expected.loss and history.val_loss == expected.val_loss
    assert (other.forward(sparse_X) == dense.forward(X)).all()
    assert other.score(sparse_X, y) == dense.score(X, y)
    assert (sparse_X.toarray() == before).all()


OPTIMIZERS = {
    "sgd": SGD(),
    "l2": SGD(l2=0.1),
    "momentum": Momentum(),
    "nesterov": Momentum(nesterov=True),
    "momentum with l2": Momentum(l2=0.1),
    "adam": Adam(),
    "lazy adam": Adam(lazy=True),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("n_threads", [1, 2, 5])
def test_threads_and_optimizers_change_no_bit(n_threads, optimizer, form):
    X, y = samples()
    dense, other = net_of(optimizer=optimizer), net_of(optimizer=optimizer, n_threads=n_threads)
    dense.fit(X, y, 16, 2)
    other.fit(sparse.csr_array(X), y, 16, 2)
    assert bits(dense) == bits(other)


@pytest.mark.parametrize("D", [1, 2, 7, 300, 5000, 70_000])
@pytest.mark.parametrize("batch_size", [1, 17, 90])
def test_any_width_and_batch(D, batch_size):
    rng = np.random.default_rng(D)
    X = sparse.random_array((90, D), density=min(0.5, 20 / D), dtype=np.float32, rng=rng)
    y = rng.integers(0, 3, 90)
    dense, other = net_of(D), net_of(D)
    other.fit(X, y, batch_size, 1)
    dense.fit(X.toarray(), y, batch_size, 1)
    assert bits(dense) == bits(other)


def test_many_rows_are_predicted_in_pieces():
    X, y = samples(3000)
    net = net_of()
    assert (net.forward(sparse.csr_array(X)) == net.forward(X)).all()
    assert net.score(sparse.csr_array(X), y) == net.score(X, y)


def raw(indptr, indices, data, shape=(2, 40)):
    """A matrix that SciPy does not look at."""
    X = sparse.csr_matrix(shape, dtype=np.float32)
    X.indptr, X.indices, X.data = np.array(indptr), np.array(indices), np.array(data, np.float32)
    return X


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (sparse.csr_array((2, 39), dtype=np.float32), r"X has 39 columns; this net has input_size=40"),
        (sparse.csr_array((0, 40), dtype=np.float32), "X is empty"),
        (sparse.csr_array((2, 40), dtype=np.complex64), "X has dtype complex64; it must hold real numbers"),
        (raw([0, 1, 1], [0], [np.nan]), "X holds values that are NaN or infinite"),
        (raw([0, 1, 1], [0], [np.inf]), "X holds values that are NaN or infinite"),
        (raw([0, 1, 1], [-1], [1]), "X is inconsistent: it has the column index -1, and 40 columns"),
        (raw([0, 1, 1], [40], [1]), "X is inconsistent: it has the column index 40, and 40 columns"),
        (raw([0, 3, 1], [0], [1]), "X is inconsistent: its indptr"),
        (raw([0, 1, 2], [0], [1]), "X is inconsistent: its indptr"),
        (sparse.csr_array(np.full((2, 40), 1e300)), r"X holds 1e\+300, too large for float32"),
    ],
)
def test_what_is_refused(X, says):
    y = np.zeros(X.shape[0], int)
    for call in (lambda: net_of().fit(X, y), lambda: net_of().forward(X), lambda: net_of().score(X, y)):
        with pytest.raises((InvalidValueError, InvalidTypeError), match=says):
            call()


def test_objects_are_refused():
    X = sparse.csr_matrix((2, 40), dtype=np.float32)
    X.data = np.array([], object)
    with pytest.raises((InvalidValueError, InvalidTypeError), match="X has dtype object"):
        net_of().forward(X)


@pytest.mark.parametrize("name", ["l2", "momentum", "nesterov"])
def test_what_is_made_up_for_later_is_what_single_steps_do(name, monkeypatch):
    X, y = samples(200)
    X[:, 20:] *= np.random.default_rng(1).random((200, 1)) < 0.1  # columns that many batches lack
    single, lazy = net_of(optimizer=OPTIMIZERS[name]), net_of(optimizer=OPTIMIZERS[name])
    weights = np.random.default_rng(2).random(200)
    expected = single.fit(X, y, 16, 4, sample_weight=weights)
    monkeypatch.setattr(hidden, "_MOST_ROOM", 0)
    history = lazy.fit(sparse.csr_array(X), y, 16, 4, sample_weight=weights)
    assert bits(single) != bits(lazy)  # or nothing was lazy
    for part in PARAMETERS:
        np.testing.assert_allclose(getattr(lazy, part), getattr(single, part), rtol=0, atol=2e-6)
    assert history.loss == pytest.approx(expected.loss, rel=1e-6)


def test_lazy_adam_leaves_alone_what_a_batch_lacks():
    """Against the formula in float64, in which only touched rows have a step."""
    X, y = samples(64)
    X[:32, :20] = X[32:, 20:] = 0  # of the two batches of an epoch, each lacks half of the columns
    net, optimizer = net_of(optimizer=Adam(lazy=True)), Adam()
    weights = oracle.weights_of(net)
    moments = oracle.Net(*map(np.zeros_like, weights)), oracle.Net(*map(np.zeros_like, weights))
    net.lr = 0.01
    for t in range(1, 7):
        batch = slice(0, 32) if t % 2 else slice(32, 64)
        rows, labels = X[batch].astype(float), y[batch]
        before, kept = weights, moments
        gradient = oracle.gradients(weights, rows, labels)
        how = (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
        weights, moments = oracle.adam_step(weights, moments, gradient, 0.01, t, *how)
        untouched = ~(rows != 0).any(axis=0)
        for new, old in zip((weights, *moments), (before, *kept), strict=True):
            new.W1[untouched] = old.W1[untouched]
    net.fit(sparse.csr_array(X), y, 32, 3, shuffle=False)
    for part in PARAMETERS:
        np.testing.assert_allclose(getattr(net, part), getattr(weights, part), rtol=0, atol=1e-5)


def test_lazy_adam_has_no_penalty():
    with pytest.raises(InvalidValueError, match="leave out one"):
        Adam(lazy=True, l2=0.1)


def test_a_scaling_without_centres_keeps_zeros():
    X, y = samples()
    scaling = Scaling(np.zeros(40), np.linspace(0.1, 2, 40), 3.0)
    dense, other = net_of(), net_of()
    dense.scaling = other.scaling = scaling
    dense.fit(X, y, 16, 2)
    other.fit(sparse.csr_array(X), y, 16, 2)
    assert bits(dense) == bits(other)
    assert (other.forward(sparse.csr_array(X)) == dense.forward(X)).all()


def test_a_scaling_with_centres_is_refused():
    net = net_of()
    net.scaling = Scaling(np.ones(40), np.ones(40))
    with pytest.raises(InvalidValueError, match="X is sparse, and this net takes a centre off its inputs"):
        net.forward(sparse.csr_array(samples()[0]))


def test_labels_and_weights_are_not_sparse():
    net, y = NeuralNetwork(3, input_size=4, output_size=2, seed=0), np.array([0, 1])
    X = sparse.csr_array(np.eye(2, 4))
    with pytest.raises(InvalidTypeError, match=r"^Y is a sparse matrix \(csr_array\); only inputs may be sparse: give"):
        net.fit(X, sparse.csr_array(np.eye(2)))
    with pytest.raises(InvalidTypeError, match=r"^sample_weight is a sparse matrix \(csc_array\); only inputs may be"):
        net.fit(X, y, sample_weight=sparse.csc_array([[1.0, 2.0]]))
