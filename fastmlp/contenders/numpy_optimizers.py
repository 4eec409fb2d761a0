"""The optimisers of the net in NumPy, in place, as fast as NumPy does them; formulas in `fastmlp.kernels.steps`."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from fastmlp.arrays import Float32Array
from fastmlp.engine.optimizers import Adam, Momentum, as_optimizer

__all__ = ["Step", "step_of"]


class Step(Protocol):
    """What updates one array of a net, and remembers what it needs for that.

    `scale` is what the gradient must have been multiplied by.
    """

    scale: float

    def __call__(self, weights: Float32Array, gradient: Float32Array) -> None:
        """Update `weights`; `gradient` is overwritten."""


def step_of(optimizer: str, lr: float) -> Step:
    """Return the step of the optimiser of this name, for one array.

    >>> step, weights = step_of("sgd", 0.5), np.ones(2, np.float32)
    >>> step(weights, np.array([2, 0], np.float32) * step.scale)
    >>> weights
    array([0., 1.], dtype=float32)
    """
    settings = as_optimizer(optimizer)
    if isinstance(settings, Momentum):
        return _MomentumStep(lr, settings)
    if isinstance(settings, Adam):
        return _AdamStep(lr, settings)
    return _Descent(lr)


class _Descent:
    def __init__(self, lr: float) -> None:
        self.scale = lr

    def __call__(self, weights: Float32Array, gradient: Float32Array) -> None:
        weights -= gradient


class _MomentumStep:
    scale = 1.0

    def __init__(self, lr: float, settings: Momentum) -> None:
        self._lr, self._momentum = np.float32(lr), np.float32(settings.momentum)
        self._velocity: Float32Array | None = None

    def __call__(self, weights: Float32Array, gradient: Float32Array) -> None:
        if self._velocity is None:
            self._velocity = np.zeros_like(weights)
        v = self._velocity
        v *= self._momentum
        v += gradient
        np.multiply(v, self._lr, out=gradient)
        weights -= gradient


class _AdamStep:
    scale = 1.0

    def __init__(self, lr: float, settings: Adam) -> None:
        self._lr, self._settings, self._t = lr, settings, 0
        self._moments: tuple[Float32Array, Float32Array, Float32Array] | None = None

    def __call__(self, weights: Float32Array, gradient: Float32Array) -> None:
        beta_1, beta_2, epsilon = self._settings.beta_1, self._settings.beta_2, self._settings.epsilon
        if self._moments is None:
            self._moments = np.zeros_like(weights), np.zeros_like(weights), np.empty_like(weights)
        m, v, scratch = self._moments
        self._t += 1
        m *= np.float32(beta_1)
        m += np.multiply(gradient, np.float32(1 - beta_1), out=scratch)
        v *= np.float32(beta_2)
        np.multiply(gradient, gradient, out=gradient)
        gradient *= np.float32(1 - beta_2)
        v += gradient
        np.sqrt(v, out=scratch)
        scratch *= np.float32(1 / np.sqrt(1 - beta_2**self._t))
        scratch += np.float32(epsilon)
        np.divide(m, scratch, out=scratch)
        scratch *= np.float32(self._lr / (1 - beta_1**self._t))
        weights -= scratch
