"""The net in float64, written to be believed and not to be fast: the tests' reference.

It shares no code with fastmlp. Each quantity stands here twice: as loops over single numbers
(`loop_*`, the definition) and in matrix form (the same name without `loop_`), which test_oracle.py
shows to be equal to the loops and which is quick enough for MNIST. At the end: how far a float32 result may be from it.

Sizes: B batch, D inputs, H hidden units, C classes. Labels are integers.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = Sequence[int] | NDArray[Any]


class Net(NamedTuple):
    """The weights of a net, or the gradients of its loss with respect to them; all float64."""

    W1: Array  # (D, H)
    b1: Array  # (H,)
    W2: Array  # (H, C)
    b2: Array  # (C,)


class Activations(NamedTuple):
    """What the forward pass computes; all float64."""

    before: Array  # (B, H)  X W1 + b1
    hidden: Array  # (B, H)  max(0, before)
    logits: Array  # (B, C)  hidden W2 + b2
    probs: Array  # (B, C)  softmax of logits, by row


class Epoch(NamedTuple):
    """A net after one epoch, and what each of its batches gave before its update."""

    net: Net
    losses: list[float]
    correct: list[int]
    sizes: list[int]

    @property
    def loss(self) -> float:
        """The mean loss over the samples."""
        return math.fsum(n * x for n, x in zip(self.sizes, self.losses, strict=True)) / sum(self.sizes)

    @property
    def accuracy(self) -> float:
        """The fraction of samples whose class was found."""
        return sum(self.correct) / sum(self.sizes)


Gradients = Callable[[Net, Array, Labels], Net]


def weights_of(net: Any) -> Net:
    """A float64 copy of the weights W1, b1, W2, b2 of anything that has them."""
    return Net(*(np.array(getattr(net, name), dtype=np.float64) for name in Net._fields))


def random_net(rng: np.random.Generator, inputs: int, hidden: int, classes: int) -> Net:
    """Weights and biases of the size that they have in a net being trained, exact in float32."""
    parts = (
        rng.normal(0, inputs**-0.5, (inputs, hidden)),
        rng.normal(0, 0.1, hidden),
        rng.normal(0, hidden**-0.5, (hidden, classes)),
        rng.normal(0, 0.1, classes),
    )
    return Net(*(part.astype(np.float32).astype(np.float64) for part in parts))


# ---------------------------------------------------------------------- the definition, in loops


def loop_forward(net: Net, X: Array) -> Activations:
    """hidden = max(0, X W1 + b1), logits = hidden W2 + b2, probs = softmax(logits)."""
    B, D = X.shape
    H, C = net.W2.shape
    out = Activations(np.zeros((B, H)), np.zeros((B, H)), np.zeros((B, C)), np.zeros((B, C)))
    for i in range(B):
        for j in range(H):
            total = float(net.b1[j])
            for d in range(D):
                total += float(X[i, d]) * float(net.W1[d, j])
            out.before[i, j] = total
            out.hidden[i, j] = total if total > 0 else 0.0
        for c in range(C):
            total = float(net.b2[c])
            for j in range(H):
                total += float(out.hidden[i, j]) * float(net.W2[j, c])
            out.logits[i, c] = total
        normaliser = _log_sum_exp(out.logits[i])
        for c in range(C):
            out.probs[i, c] = math.exp(out.logits[i, c] - normaliser)
    return out


def loop_losses(net: Net, X: Array, y: Labels) -> list[float]:
    """The loss of each sample, -log probs[i, y_i], by log-sum-exp."""
    logits = loop_forward(net, X).logits
    return [_log_sum_exp(logits[i]) - float(logits[i, y[i]]) for i in range(len(X))]


def loop_loss(net: Net, X: Array, y: Labels) -> float:
    """The mean loss of a batch."""
    return math.fsum(loop_losses(net, X, y)) / len(X)


def loop_gradients(net: Net, X: Array, y: Labels) -> Net:
    """The gradients of `loop_loss` with respect to each weight."""
    B, D = X.shape
    H, C = net.W2.shape
    seen = loop_forward(net, X)
    grad = Net(*(np.zeros_like(part) for part in net))
    for i in range(B):
        dlogits = [(float(seen.probs[i, c]) - (1.0 if c == y[i] else 0.0)) / B for c in range(C)]
        for c in range(C):
            grad.b2[c] += dlogits[c]
            for j in range(H):
                grad.W2[j, c] += float(seen.hidden[i, j]) * dlogits[c]
        for j in range(H):
            if not seen.before[i, j] > 0:
                continue
            dhidden = 0.0
            for c in range(C):
                dhidden += dlogits[c] * float(net.W2[j, c])
            grad.b1[j] += dhidden
            for d in range(D):
                grad.W1[d, j] += float(X[i, d]) * dhidden
    return grad


def _log_sum_exp(row: Array) -> float:
    """log(sum(exp(row))), with the largest taken out so that nothing overflows."""
    largest = max(float(value) for value in row)
    return largest + math.log(math.fsum(math.exp(float(value) - largest) for value in row))


# ---------------------------------------------------------------------- the same, in matrix form


def forward(net: Net, X: Array) -> Activations:
    """`loop_forward` in matrix form."""
    before = X @ net.W1 + net.b1
    hidden = np.where(before > 0, before, 0.0)
    logits = hidden @ net.W2 + net.b2
    return Activations(before, hidden, logits, np.exp(logits - _normalisers(logits)))


def losses(net: Net, X: Array, y: Labels) -> Array:
    """`loop_losses` in matrix form, of shape (B,)."""
    logits = forward(net, X).logits
    return _normalisers(logits)[:, 0] - logits[np.arange(len(X)), y]


def loss(net: Net, X: Array, y: Labels) -> float:
    """`loop_loss` in matrix form."""
    return float(losses(net, X, y).mean())


def gradients(net: Net, X: Array, y: Labels) -> Net:
    """`loop_gradients` in matrix form."""
    seen = forward(net, X)
    dlogits = seen.probs.copy()
    dlogits[np.arange(len(X)), y] -= 1
    dlogits /= len(X)
    dhidden = np.where(seen.before > 0, dlogits @ net.W2.T, 0.0)
    return Net(X.T @ dhidden, dhidden.sum(0), seen.hidden.T @ dlogits, dlogits.sum(0))


def _normalisers(logits: Array) -> Array:
    """The log-sum-exp of each row, as a column (B, 1)."""
    largest = logits.max(1, keepdims=True)
    return np.asarray(largest + np.log(np.exp(logits - largest).sum(1, keepdims=True)))


# ---------------------------------------------------------------------- training


def sgd_step(net: Net, X: Array, y: Labels, lr: float, gradients: Gradients = gradients) -> Net:
    """The weights after one step: each weight minus lr times its gradient."""
    return Net(*(part - lr * step for part, step in zip(net, gradients(net, X, y), strict=True)))


def momentum_step(
    net: Net, velocity: Net, gradient: Net, lr: float, momentum: float, nesterov: bool = False
) -> tuple[Net, Net]:
    """The weights and the velocity after one step: v <- momentum v + g; by lr v, or lr (g + momentum v), downwards."""
    velocity = Net(*(momentum * v + g for v, g in zip(velocity, gradient, strict=True)))
    ahead = Net(*(g + momentum * v for v, g in zip(velocity, gradient, strict=True))) if nesterov else velocity
    return Net(*(w - lr * d for w, d in zip(net, ahead, strict=True))), velocity


def adam_step(
    net: Net, moments: tuple[Net, Net], gradient: Net, lr: float, t: int, beta_1: float, beta_2: float, epsilon: float
) -> tuple[Net, tuple[Net, Net]]:
    """The weights and the moments after the step number t, from 1, of algorithm 1 of Kingma and Ba (2015)."""
    m = Net(*(beta_1 * old + (1 - beta_1) * g for old, g in zip(moments[0], gradient, strict=True)))
    v = Net(*(beta_2 * old + (1 - beta_2) * g * g for old, g in zip(moments[1], gradient, strict=True)))
    m_hat, v_hat = (Net(*(part / (1 - beta**t) for part in moment)) for moment, beta in ((m, beta_1), (v, beta_2)))
    steps = (lr * a / (np.sqrt(b) + epsilon) for a, b in zip(m_hat, v_hat, strict=True))
    return Net(*(w - step for w, step in zip(net, steps, strict=True))), (m, v)


def penalised(gradient: Net, net: Net, l2: float, n: int) -> Net:
    """The gradient with that of l2 / (2 n) times the sum of squares of W1 and W2."""
    return gradient._replace(W1=gradient.W1 + l2 / n * net.W1, W2=gradient.W2 + l2 / n * net.W2)


def accuracy(net: Net, X: Array, y: Labels) -> float:
    """The fraction of rows whose largest logit (the first of equals) is the label's."""
    return float((forward(net, X).logits.argmax(1) == np.asarray(y)).mean())


def epoch(
    net: Net,
    X: NDArray[Any],
    y: NDArray[Any],
    lr: float,
    batch_size: int,
    order: Sequence[int] | NDArray[Any] | None = None,
    gradients: Gradients = gradients,
) -> Epoch:
    """Train on the samples once, in the order given, in batches; the last may be smaller."""
    order = np.arange(len(X)) if order is None else np.asarray(order)
    batch_losses, correct, sizes = [], [], []
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        rows, labels = np.asarray(X[batch], dtype=np.float64), y[batch]
        batch_losses.append(loss(net, rows, labels))
        correct.append(round(accuracy(net, rows, labels) * len(batch)))
        sizes.append(len(batch))
        net = sgd_step(net, rows, labels, lr, gradients)
    return Epoch(net, batch_losses, correct, sizes)


# ---------------------------------------------------------------------- float32 results against it


def tolerance(n: int, size: Any, repeats: int = 1) -> Any:
    """How far a float32 sum of `n` products may be from the float64 one, whose products' sizes add up to `size`.

    Each addition rounds once: by at most n * 2^-24 of the size, and in practice by sqrt(n) of it. The tolerance is 4
    sqrt(n) * 2^-24 of `size` (and nothing under the normal numbers). Where the same step was added to an array in
    place `repeats` times, these additions round the same way, one 2^-24 of `size` each.
    """
    return (4 * math.sqrt(n + 1) + repeats - 1) * 2.0**-24 * size + 1e-37


def assert_close(ours: NDArray[Any], exact: Array, n: int, size: Any, repeats: int = 1) -> None:
    """Fail where `ours` is not finite or farther from `exact` than the `tolerance`, element by element."""
    assert np.isfinite(ours).all(), "not finite"
    off = np.abs(ours - exact) / tolerance(n, size, repeats)
    assert (off <= 1).all(), f"off by {off.max():.3g} tolerances"


def assert_softmax_cross_entropy(
    dlogits: NDArray[Any],
    losses: NDArray[Any],
    hits: NDArray[Any],
    logits: Array,
    y: NDArray[Any],
    scale: Any,
) -> None:
    """Fail where dlogits (B, C), losses (B,) or hits (B,) are not those of `logits` (B, C) and labels `y`.

    `scale` is the factor on dlogits = probs - onehot, a number or one for each sample (B, 1). The logits are those that
    the kernel saw, summed in float32 as it sums them: a rounding of a logit of 1e4 would move a probability by 1e-3.
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_total = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    probs, onehot = np.exp(shifted - log_total), np.eye(logits.shape[1])[y]
    exact, C = (probs - onehot) * scale, logits.shape[1]
    # exp of a float32 difference: its rounding (2^-24 of its size) is a relative error of the power
    assert_close(dlogits, exact, C, abs(scale) * (probs * (1 + abs(shifted)) + onehot))
    label = logits[np.arange(len(y)), y]
    size = abs(logits).max(axis=1) + abs(label) + log_total[:, 0] + 1
    assert_close(losses, (log_total - shifted)[np.arange(len(y)), y], C, size)
    assert (hits == (logits.argmax(axis=1) == y)).all()
