"""The same net in Keras (TensorFlow), trained by a plain `fit`.

The learning problem is that of numpy_net.py. Keras draws its own weights (GlorotUniform) and, where it shuffles, its
own order of the samples, which our seed does not fix. TensorFlow is loaded with the first net.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from fastmlp.arrays import Float32Array, Labels
from fastmlp.contenders import Result, fit_and_test
from fastmlp.datasets import load_mnist
from fastmlp.network import History, Score

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]


class _Weight:
    """An array of the net, read from and written to a variable of one of its layers."""

    def __init__(self, layer: str, variable: str) -> None:
        self._layer = layer
        self._variable = variable

    def __get__(self, net: NeuralNetwork, owner: type) -> Float32Array:
        variable = getattr(getattr(net, self._layer), self._variable)
        return np.array(variable.numpy())

    def __set__(self, net: NeuralNetwork, array: Float32Array) -> None:
        getattr(getattr(net, self._layer), self._variable).assign(array)


class NeuralNetwork:
    """One hidden layer (ReLU), softmax output, cross-entropy, mini-batch gradient descent: two Dense layers.

    W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) read as float32 arrays and can be set. `seed` fixes the initial weights.
    `n_threads` is TensorFlow's number of threads, which is set once in a process: TensorFlow raises RuntimeError where
    it has started with another one.
    """

    _compile_settings: ClassVar[dict[str, Any]] = {}  # beside optimizer, loss and metrics

    W1 = _Weight("_hidden", "kernel")
    b1 = _Weight("_hidden", "bias")
    W2 = _Weight("_output", "kernel")
    b2 = _Weight("_output", "bias")

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
        import keras

        if n_threads is not None:
            _set_threads(n_threads)
        glorot = keras.initializers.GlorotUniform(seed=keras.random.SeedGenerator(seed))
        self._hidden = keras.layers.Dense(hidden_size, "relu", kernel_initializer=glorot)
        self._output = keras.layers.Dense(output_size, kernel_initializer=glorot)
        self._model = keras.Sequential([keras.Input((input_size,)), self._hidden, self._output])
        self._model.compile(
            optimizer=_optimizer(optimizer, lr),
            # Softmax and cross-entropy in one step from the logits: more exact, and faster.
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            **self._compile_settings,
        )
        self._traced: set[tuple[int, int]] = set()

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
        """Train by one call of Keras' own `fit`; tracing is timed apart, as compilation."""
        history = History()
        shapes = min(batch_size, len(X)), len(X) % batch_size  # of the batches, and of the smaller last one
        if shapes not in self._traced:
            history.compile_seconds = self._trace(X[: sum(shapes)], Y[: sum(shapes)], batch_size)
            self._traced.add(shapes)
        recorder = _recorder(history, callback)
        self._model.fit(X, Y, batch_size, number_epochs, verbose=0, shuffle=shuffle, callbacks=[recorder])
        return history

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against the labels Y (n,)."""
        loss, accuracy = self._model.evaluate(X, Y, batch_size=1024, verbose=0)
        if np.isnan(loss):  # Keras takes a class also where the probabilities are NaN, which are never right
            logits = self._model.predict(X, batch_size=1024, verbose=0)
            accuracy = float(((logits.argmax(axis=1) == Y) & np.isfinite(logits.max(axis=1))).mean())
        return Score(loss, accuracy)

    def _trace(self, X: Float32Array, Y: Labels, batch_size: int) -> float:
        """Let TensorFlow trace the training step on a batch of each size, and undo the updates."""
        start = time.perf_counter()
        optimizer, weights = self._model.optimizer, self._model.get_weights()
        optimizer.build(self._model.trainable_variables)
        state = [variable.numpy() for variable in optimizer.variables]
        self._model.fit(X, Y, batch_size, verbose=0)
        self._model.set_weights(weights)
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)
        return time.perf_counter() - start


def _optimizer(name: str, lr: float) -> Any:
    import keras

    if name == "adam":
        return keras.optimizers.Adam(lr, epsilon=1e-8)  # as everybody's but Keras', whose default is 1e-7
    return keras.optimizers.SGD(lr, momentum=0.9 if name == "momentum" else 0.0)


def _set_threads(n_threads: int) -> None:
    from tensorflow.config import threading

    for setting in ("intra_op", "inter_op"):
        if getattr(threading, f"get_{setting}_parallelism_threads")() != n_threads:
            getattr(threading, f"set_{setting}_parallelism_threads")(n_threads)


def _recorder(history: History, callback: Callable[[int, History], None] | None) -> Any:
    """Return the Keras callback that records each epoch in `history`."""
    import keras

    start = 0.0

    def on_epoch_begin(_epoch: int, _logs: dict[str, float]) -> None:
        nonlocal start
        start = time.perf_counter()

    def on_epoch_end(epoch: int, logs: dict[str, float]) -> None:
        history.seconds.append(time.perf_counter() - start)
        history.loss.append(logs["loss"])
        history.accuracy.append(logs["accuracy"])
        if callback:
            callback(epoch + 1, history)

    return keras.callbacks.LambdaCallback(on_epoch_begin, on_epoch_end)


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
