"""The step of an optimiser: what the gradient g of the mean loss does to the weights w. One file for all of them.

Each is a type; where a kernel has summed a gradient, it calls `take_step`, and Numba takes the one that fits the type.
g includes the L2 penalty, decay w. In the formulas t counts the steps from 1.

    Descent    w <- w - lr g                           the kernels before it carry -lr, so that it only adds
    Momentum   v <- momentum v + g                     w <- w - lr v, with Nesterov  w <- w - lr (g + momentum v)
    Adam       m <- beta_1 m + (1 - beta_1) g          v <- beta_2 v + (1 - beta_2) g^2
               w <- w - lr / (1 - beta_1^t) m / (sqrt(v / (1 - beta_2^t)) + epsilon)

Sources: B. Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); I. Sutskever et al., "On
the importance of initialization and momentum in deep learning", ICML 2013, as PyTorch and Keras write it; D. Kingma and
J. Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import overload

from fastmlp.arrays import Float32Array

from .compiled import INLINED_OPTIONS, KERNEL_OPTIONS, inlined
from .lanewise import add, divide, multiply, sqrt, without_subnormals
from .layout import Parameters
from .simd import add_rows, axpy, broadcast, load_rows, rows_of, store_rows

__all__ = [
    "DESCENDING",
    "STAYING",
    "Adam",
    "Descent",
    "DescentWithDecay",
    "Momentum",
    "UpdateRule",
    "gradient_scale",
    "is_kind",
    "moves_alone",
    "steps_of_arrays",
    "take_step",
]

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)


class Descent(NamedTuple):
    """Plain gradient descent. It is its own step."""

    lr: np.float32


class DescentWithDecay(NamedTuple):
    """Gradient descent with an L2 penalty: `decay` is that of a whole batch, and of one sample in a step."""

    lr: np.float32
    decay: np.float32


class Momentum(NamedTuple):
    """Gradient descent with momentum; `velocity` is packed as the parameters are."""

    lr: np.float32
    decay: np.float32
    momentum: np.float32
    nesterov: bool
    velocity: Parameters


class Adam(NamedTuple):
    """Adam, after `t` steps; `mean` and `square` are packed as the parameters are."""

    lr: np.float32
    decay: np.float32
    beta_1: float
    beta_2: float
    epsilon: np.float32
    t: int
    mean: Parameters
    square: Parameters


UpdateRule = Descent | DescentWithDecay | Momentum | Adam
"""An optimiser for the steps of an epoch, with the moments that it writes."""


class MomentumStep(NamedTuple):
    """A step of Momentum for one array of a tile."""

    lr: np.float32
    decay: np.float32
    momentum: np.float32
    of_gradient: np.float32  # the weights move by -lr (of_gradient g + of_velocity v)
    of_velocity: np.float32
    velocity: Float32Array


class AdamStep(NamedTuple):
    """A step of Adam for one array of a tile."""

    rate: np.float32  # lr / (1 - beta_1^t)
    decay: np.float32
    beta_1: np.float32
    beta_2: np.float32
    rest_1: np.float32  # 1 - beta_1
    rest_2: np.float32
    root: np.float32  # 1 / sqrt(1 - beta_2^t)
    epsilon: np.float32
    mean: Float32Array
    square: Float32Array


# `lazy.py` adds its own.
DESCENDING: set[type] = {Descent, DescentWithDecay}
"""Optimisers for whose weights the kernels before carry -lr."""
STAYING: set[type] = {Descent}
"""Steps that leave a weight where it is if its gradient is 0."""


def take_step(weights, offset, stride, gradient, step):
    """Change rows of `weights`, each `stride` elements after the one before, by the tile `gradient`.

    Writes weights and the state of step, at the same places.
    """
    raise NotImplementedError("for kernels only")


def moves_alone(step):
    """Whether a weight may move where its gradient is 0."""
    raise NotImplementedError("for kernels only")


def gradient_scale(rule, total):
    """What the gradient of the weighted sum of losses is multiplied by for `take_step`, the weights' sum being `total`.

    1 / total, and -lr times that for plain descent; 0 where no sample has any weight.
    """
    raise NotImplementedError("for kernels only")


def steps_of_arrays(rule, tile, t, total):
    """The steps for W1, b1 and W2 of a tile, and for b2: number t of an epoch, from 0; `total` as above."""
    raise NotImplementedError("for kernels only")


def is_kind(step, kind):
    """Whether a Numba type is that of a NamedTuple."""
    return getattr(step, "instance_class", None) is kind


@inlined
def _per_sample(decay, total):
    """The penalty's share in a step; none where no sample has any weight."""
    return decay / total if total > 0 else _ZERO


# --- Gradient descent -------------------------------------------------------------------------------------------------


@overload(take_step, jit_options=INLINED_OPTIONS)
def _descend(weights, offset, stride, gradient, step):
    if is_kind(step, Descent):

        def take(weights, offset, stride, gradient, step):
            add_rows(gradient, weights, offset, stride)

        return take
    return None


@overload(take_step, jit_options=INLINED_OPTIONS)
def _descend_with_decay(weights, offset, stride, gradient, step):
    if is_kind(step, DescentWithDecay):

        def take(weights, offset, stride, gradient, step):
            w = load_rows(weights, offset, stride, rows_of(gradient))
            store_rows(add(axpy(w, -step.lr * step.decay, w), gradient), weights, offset, stride)

        return take
    return None


@overload(gradient_scale, jit_options=KERNEL_OPTIONS)
def _gradient_scale(rule, total):
    if rule.instance_class in DESCENDING:
        return lambda rule, total: -rule.lr / total if total > 0 else _ZERO
    return lambda rule, total: _ONE / total if total > 0 else _ZERO


@overload(moves_alone, jit_options=INLINED_OPTIONS)
def _moves_alone(step):
    return (lambda step: False) if step.instance_class in STAYING else (lambda step: True)


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_descent(rule, tile, t, total):
    if is_kind(rule, Descent):
        return lambda rule, tile, t, total: (rule, rule, rule, rule)
    if is_kind(rule, DescentWithDecay):

        def steps(rule, tile, t, total):
            weights = DescentWithDecay(rule.lr, _per_sample(rule.decay, total))
            biases = DescentWithDecay(rule.lr, _ZERO)
            return weights, biases, weights, biases

        return steps
    return None


# --- Momentum ---------------------------------------------------------------------------------------------------------


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_momentum(rule, tile, t, total):
    if not is_kind(rule, Momentum):
        return None

    def steps(rule, tile, t, total):
        o, v, decay = rule, rule.velocity, _per_sample(rule.decay, total)
        of_gradient, of_velocity = (_ONE, o.momentum) if o.nesterov else (_ZERO, _ONE)
        return (
            MomentumStep(o.lr, decay, o.momentum, of_gradient, of_velocity, v.W1[tile]),
            MomentumStep(o.lr, _ZERO, o.momentum, of_gradient, of_velocity, v.b1[tile]),
            MomentumStep(o.lr, decay, o.momentum, of_gradient, of_velocity, v.W2[tile]),
            MomentumStep(o.lr, _ZERO, o.momentum, of_gradient, of_velocity, v.b2),
        )

    return steps


@overload(take_step, jit_options=INLINED_OPTIONS)
def _take_step_of_momentum(weights, offset, stride, gradient, step):
    if not is_kind(step, MomentumStep):
        return None

    def take(weights, offset, stride, gradient, step):
        rows = rows_of(gradient)
        w = load_rows(weights, offset, stride, rows)
        g = axpy(gradient, step.decay, w)
        v = without_subnormals(axpy(g, step.momentum, load_rows(step.velocity, offset, stride, rows)))
        store_rows(v, step.velocity, offset, stride)
        direction = axpy(multiply(broadcast(step.of_velocity, rows), v), step.of_gradient, g)
        store_rows(axpy(w, -step.lr, direction), weights, offset, stride)

    return take


# --- Adam -------------------------------------------------------------------------------------------------------------


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_adam(rule, tile, t, total):
    if not is_kind(rule, Adam):
        return None

    def steps(rule, tile, t, total):
        o, m, s = rule, rule.mean, rule.square
        power = o.t + t + 1
        rate = np.float32(o.lr / (1.0 - o.beta_1**power))
        root = np.float32(1.0 / np.sqrt(1.0 - o.beta_2**power))
        decay = _per_sample(o.decay, total)
        a, b, c, d = np.float32(o.beta_1), np.float32(o.beta_2), np.float32(1 - o.beta_1), np.float32(1 - o.beta_2)
        return (
            AdamStep(rate, decay, a, b, c, d, root, o.epsilon, m.W1[tile], s.W1[tile]),
            AdamStep(rate, _ZERO, a, b, c, d, root, o.epsilon, m.b1[tile], s.b1[tile]),
            AdamStep(rate, decay, a, b, c, d, root, o.epsilon, m.W2[tile], s.W2[tile]),
            AdamStep(rate, _ZERO, a, b, c, d, root, o.epsilon, m.b2, s.b2),
        )

    return steps


@overload(take_step, jit_options=INLINED_OPTIONS)
def _take_step_of_adam(weights, offset, stride, gradient, step):
    if not issubclass(getattr(step, "instance_class", type(None)), AdamStep):
        return None

    def take(weights, offset, stride, gradient, step):
        rows = rows_of(gradient)
        w = load_rows(weights, offset, stride, rows)
        g = axpy(gradient, step.decay, w)
        m = multiply(broadcast(step.beta_1, rows), load_rows(step.mean, offset, stride, rows))
        m = without_subnormals(axpy(m, step.rest_1, g))
        s = multiply(broadcast(step.beta_2, rows), load_rows(step.square, offset, stride, rows))
        s = without_subnormals(axpy(s, step.rest_2, multiply(g, g)))
        store_rows(m, step.mean, offset, stride)
        store_rows(s, step.square, offset, stride)
        root = axpy(broadcast(step.epsilon, rows), step.root, sqrt(s))
        store_rows(axpy(w, -step.rate, divide(m, root)), weights, offset, stride)

    return take
