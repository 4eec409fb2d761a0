"""What is computed: the whole net in NumPy, as fast as NumPy does it.

Read this file first. The names are those of the formulas: B batch, D inputs, H hidden units, C classes; `d` before a
name is the gradient of the loss with respect to it. Everything is float32, and the large arrays of a batch are
allocated once and reused for every batch.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import BoolArray, Float32Array, Labels
from fastmlp.contenders import Result, fit_and_test
from fastmlp.contenders.numpy_optimizers import step_of
from fastmlp.datasets import load_mnist
from fastmlp.errors import InvalidValueError
from fastmlp.machine import thread_variables
from fastmlp.network import History, Score

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]


class NeuralNetwork:
    """One hidden layer (ReLU), softmax output, cross-entropy, mini-batch gradient descent.

    W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) are float32 and can be set. They start by Glorot, the biases at 0. `seed`
    fixes the weights and the order of the samples. `n_threads` is only checked: NumPy's BLAS reads it from the
    environment when NumPy is loaded.

    >>> net = NeuralNetwork(hidden_size=5, input_size=2, output_size=2, seed=0)
    >>> X = np.array([[0, 1], [1, 0]], np.float32)
    >>> history = net.fit(X, np.array([0, 1]), batch_size=2, number_epochs=100)
    >>> net.forward(X).argmax(axis=1)
    array([0, 1])
    """

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
        if n_threads is not None:
            _check_threads(n_threads)
        self._steps = {name: step_of(optimizer, lr) for name in ("W1", "b1", "W2", "b2")}
        self._rng = np.random.default_rng(seed)
        self.W1 = glorot_uniform(self._rng, input_size, hidden_size)
        self.b1 = np.zeros(hidden_size, np.float32)
        self.W2 = glorot_uniform(self._rng, hidden_size, output_size)
        self.b2 = np.zeros(output_size, np.float32)

    def forward(self, X: Float32Array) -> Float32Array:
        """Return softmax(max(0, X W1 + b1) W2 + b2): probabilities (n, C) for X (n, D)."""
        probs = self._logits(X)
        probs -= probs.max(axis=1, keepdims=True)
        np.exp(probs, out=probs)
        probs /= probs.sum(axis=1, keepdims=True)
        return probs

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against the labels Y (n,)."""
        losses, hits = _softmax_cross_entropy(self._logits(X), Y)
        return Score(float(losses.mean(dtype=np.float64)), float(hits.mean()))

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

        The history's loss and accuracy are means over the epoch, each batch measured before its update.
        `callback(epoch, history)` is called after each epoch, which count from 1.
        """
        n = len(X)
        # Updates are made in place, and the arrays may belong to the caller: train on copies.
        self.W1, self.b1 = np.array(self.W1, np.float32), np.array(self.b1, np.float32)
        self.W2, self.b2 = np.array(self.W2, np.float32), np.array(self.b2, np.float32)
        scratch = _Scratch(min(batch_size, n), self.W1, self.W2)
        history = History()
        for epoch in range(1, number_epochs + 1):
            start_time = time.perf_counter()
            order = self._rng.permutation(n) if shuffle else np.arange(n)
            loss, correct = 0.0, 0
            for start in range(0, n, batch_size):
                losses, hits = self._train(X, Y, order[start : start + batch_size], scratch)
                loss += float(losses.sum(dtype=np.float64))
                correct += int(hits.sum())
            history.loss.append(loss / n)
            history.accuracy.append(correct / n)
            history.seconds.append(time.perf_counter() - start_time)
            if callback:
                callback(epoch, history)
        return history

    def _train(
        self, X: Float32Array, Y: Labels, samples: NDArray[np.intp], scratch: _Scratch
    ) -> tuple[Float32Array, BoolArray]:
        """Update from the samples with the indices `samples` (B,); return their losses and hits before it."""
        B = len(samples)  # the last batch of an epoch may be smaller
        x, hidden, logits, dhidden = (array[:B] for array in scratch.of_batch)

        # Forward. "clip" lets NumPy write straight into x: no index is out of range.
        np.take(X, samples, axis=0, out=x, mode="clip")
        y = Y[samples]
        np.matmul(x, self.W1, out=hidden)
        hidden += self.b1
        np.maximum(hidden, 0, out=hidden)
        np.matmul(hidden, self.W2, out=logits)
        logits += self.b2
        losses, hits = _softmax_cross_entropy(logits, y)

        # Backward. All that follows is linear in dlogits, so plain descent has it multiplied by lr here, once.
        dlogits = logits  # which holds the probabilities by now
        dlogits[np.arange(B), y] -= 1
        dlogits *= self._steps["W1"].scale / B
        np.matmul(dlogits, self.W2.T, out=dhidden)
        dhidden *= hidden > 0

        np.matmul(hidden.T, dlogits, out=scratch.dW2)
        self._steps["W2"](self.W2, scratch.dW2)
        self._steps["b2"](self.b2, dlogits.sum(axis=0))
        np.matmul(x.T, dhidden, out=scratch.dW1)
        self._steps["W1"](self.W1, scratch.dW1)
        self._steps["b1"](self.b1, dhidden.sum(axis=0))
        return losses, hits

    def _logits(self, X: Float32Array) -> Float32Array:
        """Return max(0, X W1 + b1) W2 + b2 (n, C) for X (n, D)."""
        hidden = X @ self.W1
        hidden += self.b1
        np.maximum(hidden, 0, out=hidden)
        logits: Float32Array = np.matmul(hidden, self.W2, dtype=np.float32)
        logits += self.b2
        return logits


class _Scratch:
    """The arrays of a batch: written anew for each, allocated once."""

    def __init__(self, batch_size: int, W1: Float32Array, W2: Float32Array) -> None:
        D, H = W1.shape
        C = W2.shape[1]
        x, hidden, logits, dhidden = (np.empty((batch_size, k), np.float32) for k in (D, H, C, H))
        self.of_batch = x, hidden, logits, dhidden
        self.dW1 = np.empty_like(W1)
        self.dW2 = np.empty_like(W2)


def _softmax_cross_entropy(logits: Float32Array, y: Labels) -> tuple[Float32Array, BoolArray]:
    """Return loss_i = -log softmax(logits_i)[y_i] (B,), and whether y_i is the most likely class.

    logits (B, C) is overwritten by its softmax. The loss is log sum exp(logits_i) - logits_i[y_i], which needs no
    clipping.
    """
    samples = np.arange(len(y))
    most_likely = logits.argmax(axis=1)
    logits -= logits[samples, most_likely][:, None]  # no logit is above 0 now: exp cannot overflow
    losses = -logits[samples, y]
    probs = np.exp(logits, out=logits)
    total = probs.sum(axis=1)
    losses += np.log(total)
    probs /= total[:, None]
    return losses, (most_likely == y) & ~np.isnan(losses)  # NaN is never right


def glorot_uniform(rng: np.random.Generator | np.random.RandomState, n_in: int, n_out: int) -> Float32Array:
    """Return weights (n_in, n_out) uniform within +-sqrt(6 / (n_in + n_out)): Glorot and Bengio (2010), formula 16."""
    limit = np.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)


def _check_threads(n_threads: int) -> None:
    variables = thread_variables(n_threads)
    if any(os.environ.get(name) != value for name, value in variables.items()):
        settings = " ".join(f"{name}={value}" for name, value in variables.items())
        raise InvalidValueError(
            "NumPy takes its number of threads from the environment when it is loaded: "
            f"start the process with {settings}"
        )


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
