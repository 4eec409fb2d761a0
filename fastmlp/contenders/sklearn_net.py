"""The same net in scikit-learn: `MLPClassifier`, without penalty.

The learning problem is that of numpy_net.py. An epoch is a call of `partial_fit`, which keeps weights that were set and
leaves room for a callback. Unlike `fit`, it checks and encodes the labels in every epoch; `assume_finite` makes up for
that time. scikit-learn is loaded with the first net.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from fastmlp.arrays import Float32Array, Labels
from fastmlp.contenders import Result, fit_and_test, numpy_net
from fastmlp.datasets import load_mnist
from fastmlp.errors import InvalidValueError
from fastmlp.network import History, Score

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]


_SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"solver": "sgd", "momentum": 0},
    "momentum": {"solver": "sgd", "momentum": 0.9},
    "adam": {"solver": "adam", "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8},
}


class _Weight:
    """An array of the net, read from and written to its place in one of the model's lists."""

    def __init__(self, arrays: str, layer: int) -> None:
        self._arrays = arrays
        self._layer = layer

    def __get__(self, net: NeuralNetwork, owner: type) -> Float32Array:
        return np.array(getattr(net._model, self._arrays)[self._layer])

    def __set__(self, net: NeuralNetwork, array: Float32Array) -> None:
        getattr(net._model, self._arrays)[self._layer] = np.array(array, np.float32)


class NeuralNetwork:
    """One hidden layer (ReLU), softmax output, cross-entropy, mini-batch gradient descent: an `MLPClassifier`.

    W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) read as float32 arrays and can be set. They start by Glorot, the biases
    at 0. `seed` fixes the weights and the order of the samples. `n_threads` limits NumPy's BLAS while the net trains.
    For two classes scikit-learn uses a single output, which learns differently: InvalidValueError.
    """

    W1 = _Weight("coefs_", 0)
    b1 = _Weight("intercepts_", 0)
    W2 = _Weight("coefs_", 1)
    b2 = _Weight("intercepts_", 1)

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
        from sklearn.neural_network import MLPClassifier

        if output_size < 3:
            raise InvalidValueError(
                f"output_size is {output_size}; it must be at least 3, because scikit-learn's net has only one output "
                "for two classes"
            )
        self._n_threads = n_threads
        self._shape = hidden_size, input_size, output_size
        # Not the number itself: each partial_fit would start with the same order. scikit-learn takes no Generator.
        random = np.random.RandomState(seed)
        self._model = MLPClassifier(
            hidden_size,
            learning_rate_init=lr,
            nesterovs_momentum=False,
            alpha=0,
            **_SETTINGS[optimizer],
            batch_size=1,
            random_state=random,
        )
        # The first call makes the arrays; what it learns is overwritten, and its optimiser made anew.
        self._model.partial_fit(np.zeros((1, input_size), np.float32), [0], classes=np.arange(output_size))
        del self._model._optimizer
        self.W1 = numpy_net.glorot_uniform(random, input_size, hidden_size)
        self.b1 = np.zeros(hidden_size, np.float32)
        self.W2 = numpy_net.glorot_uniform(random, hidden_size, output_size)
        self.b2 = np.zeros(output_size, np.float32)

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

        scikit-learn reports the loss of an epoch but not its accuracy: `history.accuracy` is measured on X after the
        epoch, outside its seconds.
        """
        from sklearn import config_context
        from threadpoolctl import threadpool_limits

        self._model.set_params(batch_size=min(batch_size, len(X)), shuffle=shuffle)
        history = History()
        for epoch in range(1, number_epochs + 1):
            with (
                threadpool_limits(self._n_threads, "blas"),
                config_context(assume_finite=True, skip_parameter_validation=True),
            ):
                start = time.perf_counter()
                self._epoch(X, Y)
                history.seconds.append(time.perf_counter() - start)
            history.loss.append(float(self._model.loss_))
            history.accuracy.append(self.score(X, Y).accuracy)
            if callback:
                callback(epoch, history)
        return history

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against the labels Y (n,).

        scikit-learn returns probabilities, and in float32 small ones are 0; so the loss is computed from the logits, by
        numpy_net.py.
        """
        hidden_size, input_size, output_size = self._shape
        net = numpy_net.NeuralNetwork(hidden_size, input_size=input_size, output_size=output_size)
        net.W1, net.b1, net.W2, net.b2 = self.W1, self.b1, self.W2, self.b2
        return net.score(X, Y)

    def _epoch(self, X: Float32Array, Y: Labels) -> None:
        """Train for one epoch. scikit-learn turns Ctrl-C into a warning; here it becomes KeyboardInterrupt again."""
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Training interrupted by user", UserWarning)
            try:
                self._model.partial_fit(X, Y)
            except UserWarning:
                raise KeyboardInterrupt from None


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
