"""Optimisers on wide sparse inputs: rows of W1 that a batch does not touch are brought up to date when next needed.

Between two touches a row's gradient is 0, and k steps without a gradient have a closed form:

    decay       w <- w e^(L[t + k] - L[t])    L[t] = sum of log(1 - lr decay / total) over the steps before t
    momentum    w <- w - lr (momentum + ... + momentum^k) v    v <- momentum^k v
                with Nesterov, the sum of the powers is multiplied by momentum once more

So an epoch costs what its nonzeros do, and one pass over W1 at its end. The result differs from that of single steps by
rounding alone. Adam has no such form: `LazyAdam` leaves untouched rows as they are, weights and moments, as PyTorch's
SparseAdam does, which is another rule.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Float64Array

from .compiled import INLINED_OPTIONS, KERNEL_OPTIONS
from .lanewise import multiply, without_subnormals
from .layout import Parameters
from .simd import axpy, broadcast, element, load, store
from .steps import (
    DESCENDING,
    STAYING,
    Adam,
    AdamStep,
    DescentWithDecay,
    Momentum,
    MomentumStep,
    is_kind,
    steps_of_arrays,
    take_step,
)
from .tags import units

__all__ = ["LazyAdam", "LazyDecay", "LazyMomentum", "catch_up", "catch_up_all", "lazily"]


class LazyDecay(NamedTuple):
    """Descent with an L2 penalty that reaches a row of W1 when it is next needed."""

    lr: np.float32
    decay: np.float32
    logs: Float64Array  # (steps + 1,): L
    done: NDArray[np.uint32]  # (tiles, D): steps that each row has had


class LazyMomentum(NamedTuple):
    """Descent with momentum that moves a row of W1 on when it is next needed."""

    lr: np.float32
    momentum: np.float32
    nesterov: bool
    velocity: Parameters
    powers: Float32Array  # (steps + 1,): momentum^k
    sums: Float32Array  # (steps + 1,): by how much of v a row has moved after k steps, lr included
    done: NDArray[np.uint32]  # (tiles, D)


class LazyAdam(Adam):
    """Adam that leaves alone the rows of W1 that a batch does not touch."""


class LazyAdamStep(AdamStep):
    """A step of LazyAdam for the rows that a batch touches."""


class LazyDecayStep(NamedTuple):
    """A step of LazyDecay for W1 of a tile: number t of an epoch, from 0."""

    lr: np.float32
    decay: np.float32
    logs: Float64Array
    done: NDArray[np.uint32]
    t: int


class LazyMomentumStep(NamedTuple):
    """A step of LazyMomentum for W1 of a tile: number t of an epoch, from 0."""

    step: MomentumStep
    powers: Float32Array
    sums: Float32Array
    done: NDArray[np.uint32]
    t: int


DESCENDING.add(LazyDecay)
STAYING.update((LazyDecayStep, LazyMomentumStep, LazyAdamStep))


def lazily(rule: Any, totals: Float32Array, done: NDArray[np.uint32]) -> Any:
    """The optimiser as a lazy one, for an epoch of steps with these sums of weights; None where there is no such form.

    `done` (tiles, D) is its memory, 0 at the start of an epoch.
    """
    if isinstance(rule, DescentWithDecay):
        factors = 1 - np.where(totals > 0, np.float64(rule.lr * rule.decay) / np.maximum(totals, 1e-30), 0)
        if (factors <= 0).any():
            return None
        return LazyDecay(rule.lr, rule.decay, np.r_[0.0, np.cumsum(np.log(factors))], done)
    if isinstance(rule, Momentum) and rule.decay == 0:
        powers = float(rule.momentum) ** np.arange(len(totals) + 1)
        sums = float(rule.lr) * (float(rule.momentum) if rule.nesterov else 1.0) * np.cumsum(powers)
        o, f32 = rule, np.float32
        return LazyMomentum(
            o.lr, o.momentum, o.nesterov, o.velocity, powers.astype(f32), (sums - sums[0]).astype(f32), done
        )
    return None


def catch_up(W1, X, batch, step, lanes):
    """Bring the rows of W1 that a batch needs up to date, before its forward pass; nothing for an optimiser at pace.

    Writes W1 (D, units) and the state of step; reads the rows of X numbered by batch (B,).
    """
    raise NotImplementedError("for kernels only")


def catch_up_all(W1, step, lanes):
    """Bring all rows of W1 up to date, at the end of an epoch."""
    raise NotImplementedError("for kernels only")


def _bring(W1, d, k, step, lanes):
    """Make up for k steps that row d of W1 has missed."""
    raise NotImplementedError("for kernels only")


@overload(_bring, jit_options=INLINED_OPTIONS)
def _bring_decay(W1, d, k, step, lanes):
    if not is_kind(step, LazyDecayStep):
        return None

    def bring(W1, d, k, step, lanes):
        factor = np.float32(np.exp(step.logs[step.t] - step.logs[step.t - k]))
        at = d * units(lanes)
        store(multiply(broadcast(factor, lanes), load(W1, at, lanes)), W1, at)

    return bring


@overload(_bring, jit_options=INLINED_OPTIONS)
def _bring_momentum(W1, d, k, step, lanes):
    if not is_kind(step, LazyMomentumStep):
        return None

    def bring(W1, d, k, step, lanes):
        at = d * units(lanes)
        v = load(step.step.velocity, at, lanes)
        store(axpy(load(W1, at, lanes), -step.sums[k], v), W1, at)
        store(without_subnormals(multiply(broadcast(step.powers[k], lanes), v)), step.step.velocity, at)

    return bring


def _is_lazy(step):
    return is_kind(step, LazyDecayStep) or is_kind(step, LazyMomentumStep)


@overload(catch_up, jit_options=KERNEL_OPTIONS)
def _catch_up(W1, X, batch, step, lanes):
    if not _is_lazy(step):
        return lambda W1, X, batch, step, lanes: None

    def catch_up(W1, X, batch, step, lanes):
        n_blocks = X.starts.shape[1] - 1
        for i in range(len(batch)):
            row = batch[i] * (n_blocks + 1)
            for k in range(element(X.starts, row), element(X.starts, row + n_blocks)):
                d = X.entries[k].column
                behind = step.t - np.intp(step.done[d])
                if behind > 0:
                    _bring(W1, d, behind, step, lanes)
                    step.done[d] = step.t

    return catch_up


@overload(catch_up_all, jit_options=KERNEL_OPTIONS)
def _catch_up_all(W1, step, lanes):
    if not _is_lazy(step):
        return lambda W1, step, lanes: None

    def catch_up(W1, step, lanes):
        for d in range(len(step.done)):
            behind = step.t - np.intp(step.done[d])
            if behind > 0:
                _bring(W1, d, behind, step, lanes)
                step.done[d] = step.t

    return catch_up


@overload(take_step, jit_options=INLINED_OPTIONS)
def _take_lazy_step_with_decay(weights, offset, stride, gradient, step):
    if not is_kind(step, LazyDecayStep):
        return None

    def take(weights, offset, stride, gradient, step):
        take_step(weights, offset, stride, gradient, DescentWithDecay(step.lr, step.decay))
        step.done[offset // weights.shape[1]] = step.t + 1

    return take


@overload(take_step, jit_options=INLINED_OPTIONS)
def _take_lazy_step_of_momentum(weights, offset, stride, gradient, step):
    if not is_kind(step, LazyMomentumStep):
        return None

    def take(weights, offset, stride, gradient, step):
        take_step(weights, offset, stride, gradient, step.step)
        step.done[offset // weights.shape[1]] = step.t + 1

    return take


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_lazy_decay(rule, tile, t, total):
    if not is_kind(rule, LazyDecay):
        return None

    def steps(rule, tile, t, total):
        o = rule
        W1, b1, W2, b2 = steps_of_arrays(DescentWithDecay(o.lr, o.decay), tile, t, total)
        return LazyDecayStep(W1.lr, W1.decay, o.logs, o.done[tile], t), b1, W2, b2

    return steps


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_lazy_momentum(rule, tile, t, total):
    if not is_kind(rule, LazyMomentum):
        return None

    def steps(rule, tile, t, total):
        o = rule
        eager = Momentum(o.lr, np.float32(0.0), o.momentum, o.nesterov, o.velocity)
        W1, b1, W2, b2 = steps_of_arrays(eager, tile, t, total)
        return LazyMomentumStep(W1, o.powers, o.sums, o.done[tile], t), b1, W2, b2

    return steps


@overload(steps_of_arrays, jit_options=KERNEL_OPTIONS)
def _steps_of_lazy_adam(rule, tile, t, total):
    if not is_kind(rule, LazyAdam):
        return None

    def steps(rule, tile, t, total):
        o = rule
        eager = Adam(o.lr, o.decay, o.beta_1, o.beta_2, o.epsilon, o.t, o.mean, o.square)
        a, b1, W2, b2 = steps_of_arrays(eager, tile, t, total)
        W1 = LazyAdamStep(a.rate, a.decay, a.beta_1, a.beta_2, a.rest_1, a.rest_2, a.root, a.epsilon, a.mean, a.square)
        return W1, b1, W2, b2

    return steps
