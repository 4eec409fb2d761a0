"""The same net in JAX: an epoch is one compiled function, which scans over the batches.

The learning problem is that of numpy_net.py. The data stay on the device, and each step gathers its batch from them:
reordering the data for the whole epoch first takes longer, and so does a Python loop over a compiled step. NumPy draws
the order, because `jax.random.permutation` on a CPU takes a good part of the epoch's time. JAX is loaded with the first
net.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, Labels
from fastmlp.contenders import Result, fit_and_test
from fastmlp.contenders.numpy_net import glorot_uniform
from fastmlp.datasets import load_mnist
from fastmlp.errors import InvalidValueError
from fastmlp.machine import available_processors
from fastmlp.network import History, Score

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]

Weights = dict[str, Any]
"""The JAX arrays W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) by name."""


class _Weight:
    """An array of the net, read from and written to the weights under its own name."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, net: NeuralNetwork, owner: type) -> Float32Array:
        return np.array(net._weights[self._name])

    def __set__(self, net: NeuralNetwork, array: Float32Array) -> None:
        net._weights = net._weights | {self._name: net._put(np.array(array, np.float32))}


class NeuralNetwork:
    """One hidden layer (ReLU), softmax output, cross-entropy, mini-batch gradient descent, differentiated by JAX.

    W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) read as float32 arrays and can be set. They start by Glorot, the biases
    at 0. `seed` fixes the weights and the order of the samples. `n_threads` is XLA's number of threads, which is set
    once in a process: InvalidValueError where it has started with another one.
    """

    W1 = _Weight()
    b1 = _Weight()
    W2 = _Weight()
    b2 = _Weight()

    def __init__(
        self,
        hidden_size: int = 30,
        lr: float = 0.1,
        *,
        input_size: int = 784,
        output_size: int = 10,
        optimizer: str = "sgd",
        seed: int | None = None,
        n_threads: int | None = None,
    ) -> None:
        import jax

        self._put = partial(jax.device_put, device=_cpu(n_threads))
        self._optimizer = _optimizer(optimizer, lr)
        self._rng = np.random.default_rng(seed)
        W1, W2 = (glorot_uniform(self._rng, *size) for size in ((input_size, hidden_size), (hidden_size, output_size)))
        zeros = np.zeros(hidden_size, np.float32), np.zeros(output_size, np.float32)
        self._weights = {"W1": W1, "b1": zeros[0], "W2": W2, "b2": zeros[1]}
        self._compiled: dict[tuple[int, int], Any] = {}

    @property
    def _weights(self) -> Weights:
        weights: Weights = self._optimizer.params_fn(self._state)
        return weights

    @_weights.setter
    def _weights(self, weights: Weights) -> None:
        """Begin anew from these weights; what the optimiser remembered is forgotten."""
        import jax

        self._state, self._n_steps = self._optimizer.init_fn(jax.tree.map(self._put, weights)), 0

    def fit(
        self,
        X: Float32Array,
        Y: Labels,
        batch_size: int = 128,
        number_epochs: int = 20,
        *,
        shuffle: bool = True,
        callback: Callable[[int, History], None] | None = None,
    ) -> History:
        """Train on X (n, D) and the labels Y (n,), in a new random order each epoch.

        The epoch is compiled ahead of time for these sizes, which is timed apart and trains nothing.
        """
        n = len(X)
        x, y = self._put(X), self._put(Y.astype(np.int32))
        history = History()
        if (n, batch_size) not in self._compiled:
            history.compile_seconds = self._compile(x, y, batch_size)
        train = self._compiled[n, batch_size]
        for epoch in range(1, number_epochs + 1):
            start = time.perf_counter()
            order = self._rng.permutation(n) if shuffle else np.arange(n)
            self._state, losses, hits = train(self._state, np.int32(self._n_steps), x, y, order.astype(np.int32))
            self._n_steps += -(-n // batch_size)
            # As NumPy arrays: the conversion waits for the end of the epoch, and NumPy can sum in float64.
            history.loss.append(float(np.asarray(losses).sum(dtype=np.float64)) / n)
            history.accuracy.append(int(np.asarray(hits).sum()) / n)
            history.seconds.append(time.perf_counter() - start)
            if callback:
                callback(epoch, history)
        return history

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against the labels Y (n,)."""
        import jax

        losses, hits = jax.jit(_losses)(self._weights, self._put(X), self._put(Y.astype(np.int32)))
        return Score(float(np.asarray(losses).mean(dtype=np.float64)), float(np.asarray(hits).mean()))

    def _compile(self, x: Any, y: Any, batch_size: int) -> float:
        """Compile the epoch on x (n, D), y (n,) in batches; return the seconds that this took."""
        import jax

        start = time.perf_counter()
        epoch = jax.jit(partial(_epoch, self._optimizer, batch_size=batch_size), donate_argnums=0)
        order = jax.ShapeDtypeStruct(y.shape, np.int32)
        lowered = epoch.lower(self._state, np.int32(0), x, y, order)
        self._compiled[len(x), batch_size] = lowered.compile()
        return time.perf_counter() - start


def _epoch(
    optimizer: Any, state: Any, first_step: Any, x: Any, y: Any, order: Any, batch_size: int
) -> tuple[Any, Any, Any]:
    """Update from each batch of x[order], y[order]; return the sum of losses and the hits of each before its update."""
    import jax
    import jax.numpy as jnp

    def update(state: Any, step: tuple[Any, Any]) -> tuple[Any, Any]:
        i, samples = step
        weights = optimizer.params_fn(state)
        (_, sums), gradients = jax.value_and_grad(_mean_loss, has_aux=True)(weights, x[samples], y[samples])
        return optimizer.update_fn(i, gradients, state), sums

    n_full, left = divmod(len(order), batch_size)
    batches = order[: len(order) - left].reshape(-1, batch_size)
    state, (losses, hits) = jax.lax.scan(update, state, (first_step + jnp.arange(n_full), batches))
    if left:  # the last batch is smaller: another shape, so a step of its own
        state, (loss, correct) = update(state, (first_step + n_full, order[-left:]))
        losses, hits = jnp.append(losses, loss), jnp.append(hits, correct)
    return state, losses, hits


def _optimizer(name: str, lr: float) -> Any:
    """JAX's own optimiser of this name: how its state is made of weights, updated, and read as weights."""
    from jax.example_libraries import optimizers

    if name == "adam":
        return optimizers.adam(lr)
    return optimizers.momentum(lr, mass=0.9) if name == "momentum" else optimizers.sgd(lr)


def _mean_loss(weights: Weights, x: Any, y: Any) -> tuple[Any, tuple[Any, Any]]:
    """Return the mean loss of a batch, whose gradient is the step, and beside it the sum of its losses and its hits."""
    losses, hits = _losses(weights, x, y)
    return losses.mean(), (losses.sum(), hits.sum())


def _losses(weights: Weights, x: Any, y: Any) -> tuple[Any, Any]:
    """Return each sample's loss -log softmax(logits)[y], by log-sum-exp, and whether y is its most likely class."""
    import jax
    import jax.numpy as jnp

    hidden = jax.nn.relu(x @ weights["W1"] + weights["b1"])
    logits = hidden @ weights["W2"] + weights["b2"]
    losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[:, 0]
    return losses, (logits.argmax(axis=1) == y) & ~jnp.isnan(losses)  # NaN is never right


_threads_at_start: list[int] = []


def _cpu(n_threads: int | None) -> Any:
    """Return JAX's CPU device. Its threads start when it is first asked for, as many as NPROC says."""
    import jax

    if not _threads_at_start:
        _threads_at_start.append(n_threads or available_processors())
        before = os.environ.get("NPROC")
        os.environ["NPROC"] = str(_threads_at_start[0])
        device = jax.devices("cpu")[0]
        del os.environ["NPROC"]
        if before is not None:
            os.environ["NPROC"] = before
        return device
    if n_threads not in (None, *_threads_at_start):
        raise InvalidValueError(f"XLA has started with {_threads_at_start[0]} threads and cannot change to {n_threads}")
    return jax.devices("cpu")[0]


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
