"""The optimisers: each step against its formula in float64, in every form of input, and whole trainings."""

import copy

import numpy as np
import oracle
import pytest
from oracle import assert_close
from test_kernels import FORMS, ODD, VECTORS, in_form, normal, sparse_input

from fastmlp import SGD, Adam, Momentum, NeuralNetwork
from fastmlp.engine.optimizers import as_optimizer, default_lr
from fastmlp.errors import InvalidTypeError, InvalidValueError
from fastmlp.kernels import hidden as by_form
from fastmlp.kernels import steps
from fastmlp.kernels.compiled import entry
from fastmlp.kernels.hidden import BatchColumns, columns_scratch
from fastmlp.kernels.layout import aligned_zeros, padded
from fastmlp.kernels.tiles import Lanes

F = np.float32
LR, DECAY = F(0.1), F(0.01)


@entry
def update_W1(W1, dhidden, X, batch, columns, step, lanes):
    by_form.prepare_columns(columns, X, batch, lanes)
    by_form.update_W1(W1, dhidden, X, batch, columns, step, lanes)


def step_of(kind, state):
    """A step of one array whose moments are `state` (2, ...), and what it makes of weights and gradient in float64.

    The formula returns weights and moments.
    """
    if kind == "decay":
        return steps.DescentWithDecay(LR, DECAY), lambda w, g, s: (w * (1 - LR * DECAY) + g, s)
    if kind in ("momentum", "nesterov"):
        of_gradient, of_velocity = (F(1), F(0.9)) if kind == "nesterov" else (F(0), F(1))

        def momentum(w, g, s):
            g = g + float(DECAY) * w
            v = 0.9 * s[0] + g
            return w - 0.1 * (g + 0.9 * v if kind == "nesterov" else v), np.stack([v, s[1]])

        return steps.MomentumStep(LR, DECAY, F(0.9), of_gradient, of_velocity, state[0]), momentum

    def adam(w, g, s):
        g = g + float(DECAY) * w
        m, v = 0.9 * s[0] + 0.1 * g, 0.999 * s[1] + 0.001 * g * g
        return w - 0.2 * m / (np.sqrt(v) * 3 + 1e-3), np.stack([m, v])

    return steps.AdamStep(F(0.2), DECAY, F(0.9), F(0.999), F(0.1), F(0.001), F(3), F(1e-3), state[0], state[1]), adam


@pytest.mark.parametrize("vectors", [VECTORS[0], *(pytest.param(v, marks=pytest.mark.long) for v in VECTORS[1:])])
@pytest.mark.parametrize("kind", ["decay", "momentum", "nesterov", "adam"])
def test_a_step_of_W1_has_the_same_bits_in_every_form_and_is_right(kind, vectors, monkeypatch):
    lanes = Lanes(vectors)
    for B in (1, 7):
        for D in ODD:
            rng = np.random.default_rng(B + D)
            X, batch = sparse_input(rng, B + 3, D), rng.permutation(B + 3)[:B]
            shape = (padded(D, 2), lanes.units)
            before, dhidden, moments = normal(rng, shape), normal(rng, (B, lanes.units)), normal(rng, (2, *shape))
            moments[1] **= 2  # of Adam, a mean of squares
            before[D:], moments[:, D:] = 0, 0
            results = {}
            for form in FORMS:
                W1, state = aligned_zeros(shape), aligned_zeros((2, *shape))
                W1[...], state[...] = before, moments
                rows = in_form(form, X, lanes)
                ends, entries, room = columns_scratch(rows, D, B, 1)
                step, formula = step_of(kind, state)
                update_W1(W1, dhidden, rows, batch, BatchColumns(ends[0], entries[0], room), step, lanes)
                results[form] = W1, state
                assert W1.tobytes() == results["dense"][0].tobytes(), form
                assert state.tobytes() == results["dense"][1].tobytes(), form
            x, d, w = X[batch].astype(float), dhidden.astype(float), before[:D].astype(float)
            exact, exact_state = formula(w, x.T @ d, moments[:, :D].astype(float))
            size = 1 + abs(w) + abs(x).T @ abs(d) + abs(moments[:, :D]).sum(0)
            assert_close(results["dense"][0][:D], exact, B + 8, 10 * size)
            assert_close(results["dense"][1][:, :D], exact_state, B + 8, size + size**2)
            assert not results["dense"][0][D:].any()


def test_what_decays_below_normal_numbers_becomes_0():
    W1, state, dhidden = (aligned_zeros(shape) for shape in ((2, 16), (2, 2, 16), (1, 16)))
    state[...] = 1e-38
    X = aligned_zeros((1, 2))
    for kind in ("momentum", "adam"):
        step, _ = step_of(kind, state)
        ends, entries, room = columns_scratch(X, 2, 1, 1)
        columns = BatchColumns(ends[0], entries[0], room)
        for _ in range(3):
            update_W1(W1, dhidden, X, np.zeros(1, np.int64), columns, step, Lanes(1))
        assert not state[0, :, : Lanes(1).units].any()
        state[...] = 1e-38


# Whole nets.

SETTINGS = {
    "sgd with l2": (SGD(l2=0.5), 0.1),
    "momentum": (Momentum(0.9), 0.01),
    "nesterov with l2": (Momentum(0.8, nesterov=True, l2=0.5), 0.02),
    "adam": (Adam(), 0.001),
    "adam with l2": (Adam(0.8, 0.99, 1e-6, l2=0.5), 0.002),
}


def oracle_epoch(net, X, y, optimizer, lr, batch_size, epochs=1, start=None):
    """The float64 net after some epochs in order, and the loss of each batch before its step."""
    weights, losses, t = start or oracle.weights_of(net), [], 0
    zero = oracle.Net(*(np.zeros_like(part) for part in weights))
    velocity, moments = zero, (zero, zero)
    for _ in range(epochs):
        for first in range(0, len(X), batch_size):
            rows, labels = X[first : first + batch_size].astype(float), y[first : first + batch_size]
            losses.append(oracle.loss(weights, rows, labels))
            gradient = oracle.penalised(oracle.gradients(weights, rows, labels), weights, optimizer.l2, len(rows))
            t += 1
            if isinstance(optimizer, SGD):
                weights = oracle.Net(*(w - lr * g for w, g in zip(weights, gradient, strict=True)))
            elif isinstance(optimizer, Momentum):
                how = (optimizer.momentum, optimizer.nesterov)
                weights, velocity = oracle.momentum_step(weights, velocity, gradient, lr, *how)
            else:
                how = (optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
                weights, moments = oracle.adam_step(weights, moments, gradient, lr, t, *how)
    return weights, losses


def samples(n=700, D=50):
    rng = np.random.default_rng(3)
    X = sparse_input(rng, n, D)
    return X, (X @ rng.normal(size=(D, 5))).argmax(1)


def net_of(optimizer, lr, **settings):
    return NeuralNetwork(40, lr, input_size=50, output_size=5, optimizer=optimizer, seed=0, **settings)


def same_weights(a, b):
    return all(getattr(a, name).tobytes() == getattr(b, name).tobytes() for name in oracle.Net._fields)


@pytest.mark.parametrize("name", SETTINGS)
def test_batches_equal_the_oracle(name):
    X, y = samples()
    optimizer, lr = SETTINGS[name]
    net = net_of(optimizer, lr)
    weights, losses = oracle_epoch(net, X, y, optimizer, lr, 64, epochs=2)
    history = net.fit(X, y, 64, 2, shuffle=False)
    sizes = [64] * 10 + [60]
    for epoch in range(2):
        mean = np.average(losses[11 * epoch : 11 * epoch + 11], weights=sizes)
        assert history.loss[epoch] == pytest.approx(mean, rel=1e-5)
    for field, exact in zip(oracle.Net._fields, weights, strict=True):
        np.testing.assert_allclose(getattr(net, field), exact, rtol=0, atol=2e-5 * np.abs(exact).max(), err_msg=field)


@pytest.mark.parametrize("change", [{"momentum": 0.901}, {"l2": 0.55}])
def test_a_wrong_setting_would_be_seen(change):
    X, y = samples()
    right, wrong = Momentum(0.9, l2=0.5), Momentum(**{"momentum": 0.9, "l2": 0.5} | change)
    weights, _ = oracle_epoch(net_of(right, 0.01), X, y, wrong, 0.01, 64)
    net = net_of(right, 0.01)
    net.fit(X, y, 64, 1, shuffle=False)
    assert np.abs(net.W1 - weights.W1).max() > 2e-5 * np.abs(weights.W1).max()


@pytest.mark.parametrize("name", SETTINGS)
def test_the_bits_depend_on_neither_threads_nor_form_nor_pieces(name, monkeypatch):
    X, y = samples()
    optimizer, lr = SETTINGS[name]
    nets = [net_of(optimizer, lr, n_threads=n) for n in (1, 2, 2, 2)]
    nets[0].fit(X, y, 64, 3)
    nets[1].fit(X, y, 64, 3)
    monkeypatch.setattr("fastmlp.engine.pace.Pace.stretch", lambda _self, left, batch: min(left, 3 * batch))
    nets[2].fit(X, y, 64, 3)
    monkeypatch.setattr("fastmlp.engine.packed.forms_by_speed", lambda *_: [np.ndarray])
    nets[3].fit(X, y, 64, 3)
    for net in nets[1:]:
        assert same_weights(net, nets[0])


@pytest.mark.parametrize("name", SETTINGS)
def test_saved_copied_and_loaded_nets_train_on_to_the_same_bits(name, tmp_path):
    X, y = samples()
    whole, net = net_of(*SETTINGS[name]), net_of(*SETTINGS[name])
    whole.fit(X, y, 64, 4)
    net.fit(X, y, 64, 2)
    net.save(tmp_path / "net.npz")
    loaded, copied = NeuralNetwork.load(tmp_path / "net.npz"), copy.deepcopy(net)
    assert loaded.optimizer == net.optimizer
    for each in (net, loaded, copied):
        each.fit(X, y, 64, 2)
        assert same_weights(each, whole)


def test_an_interrupted_epoch_leaves_moments_and_steps_as_they_were():
    X, y = samples()
    net, other = net_of(Adam(), 0.001), net_of(Adam(), 0.001)
    net.fit(X, y, 64, 2)
    other.fit(X, y, 64, 2)

    def fail():
        raise RuntimeError("in the midst of an epoch")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastmlp.engine.training._Run._checked_result", lambda *_: fail())
        with pytest.raises(RuntimeError):
            net.fit(X, y, 64, 1)
    for each in (net, other):
        each.fit(X, y, 64, 1)
    assert same_weights(net, other)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
def test_ten_losses_equal_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    X, y = samples()
    optimizer = {"momentum": Momentum(), "nesterov": Momentum(nesterov=True), "adam": Adam()}[name]
    lr = default_lr(optimizer)
    net = net_of(optimizer, lr)
    parts = [torch.tensor(np.array(getattr(net, field)), requires_grad=True) for field in oracle.Net._fields]
    theirs = {
        "momentum": lambda: torch.optim.SGD(parts, lr, momentum=0.9),
        "nesterov": lambda: torch.optim.SGD(parts, lr, momentum=0.9, nesterov=True),
        "adam": lambda: torch.optim.Adam(parts, lr),
    }[name]()
    for first in range(0, 640, 64):
        rows, labels = X[first : first + 64], y[first : first + 64]
        W1, b1, W2, b2 = parts
        logits = torch.relu(torch.tensor(rows) @ W1 + b1) @ W2 + b2
        loss = torch.nn.functional.cross_entropy(logits, torch.tensor(labels))
        theirs.zero_grad()
        loss.backward()
        theirs.step()
        history = net.fit(rows, labels, 64, 1, shuffle=False)
        assert history.loss[0] == pytest.approx(float(loss.detach()), rel=1e-5)


def test_names_and_settings():
    assert as_optimizer("momentum") == Momentum(0.9)
    assert NeuralNetwork(optimizer="adam").lr == 0.001
    assert NeuralNetwork(optimizer="momentum").lr == 0.01
    assert NeuralNetwork().optimizer == SGD()
    with pytest.raises(InvalidValueError, match="optimizer is 'lbfgs'; it must be one of sgd, momentum, adam"):
        NeuralNetwork(optimizer="lbfgs")
    with pytest.raises(InvalidTypeError, match="optimizer is 3; it must be a name"):
        NeuralNetwork(optimizer=3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: SGD(l2=-1), "l2 is -1"),
        (lambda: SGD(l2=float("nan")), "l2 is nan"),
        (lambda: Momentum(1.0), "momentum is 1.0; it must lie between 0 and 1"),
        (lambda: Adam(beta_2=1), "beta_2 is 1"),
        (lambda: Adam(epsilon=0), "epsilon is 0"),
        (lambda: Adam(beta_1="0.9"), "beta_1 is '0.9'"),
    ],
)
def test_settings_that_cannot_be_used(make, says):
    with pytest.raises((InvalidValueError, InvalidTypeError), match=says):
        make()
