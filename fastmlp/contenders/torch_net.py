"""The same net in PyTorch: `nn.Sequential`, an optimiser, and a plain loop over the batches.

The learning problem is that of numpy_net.py. The data stay in memory as two tensors, from which `index_select` takes
each batch: a `DataLoader` would collect it sample by sample, and reordering the data for the whole epoch first takes
longer. `torch.compile` is not used: an epoch takes longer with it, because the few operators of a step are matrix
products that it hands to the same library, and it needs a C++ compiler on the user's machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fastmlp.arrays import Float32Array, Labels
from fastmlp.contenders import Result, fit_and_test
from fastmlp.datasets import load_mnist
from fastmlp.network import History, Score

if TYPE_CHECKING:
    import torch

__all__ = ["NeuralNetwork", "fit_and_test_net_on_mnist"]


class _Weight:
    """An array of the net, read from and written to a parameter of one of its layers, which torch holds transposed."""

    def __init__(self, layer: str, parameter: str) -> None:
        self._layer = layer
        self._parameter = parameter

    def __get__(self, net: NeuralNetwork, owner: type) -> Float32Array:
        return np.array(self._of(net).detach().numpy().T, order="C")

    def __set__(self, net: NeuralNetwork, array: Float32Array) -> None:
        import torch

        with torch.no_grad():
            self._of(net).copy_(torch.from_numpy(np.array(array.T, np.float32)))

    def _of(self, net: NeuralNetwork) -> torch.Tensor:
        parameter: torch.Tensor = getattr(getattr(net, self._layer), self._parameter)
        return parameter


class NeuralNetwork:
    """One hidden layer (ReLU), softmax output, cross-entropy, mini-batch gradient descent: two Linear layers.

    W1 (D, H), b1 (H,), W2 (H, C), b2 (C,) read as float32 arrays and can be set. They start by Glorot, the biases
    at 0. `seed` fixes the weights and the order of the samples. `n_threads` is torch's number of threads: there is one
    for the whole process, and it holds from the next operation on.
    """

    W1 = _Weight("_hidden", "weight")
    b1 = _Weight("_hidden", "bias")
    W2 = _Weight("_output", "weight")
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
        import torch
        from torch import nn

        if n_threads is not None:
            torch.set_num_threads(n_threads)
        self._random = torch.Generator()
        if seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(seed)
        self._hidden = nn.Linear(input_size, hidden_size, device="cpu")
        self._output = nn.Linear(hidden_size, output_size, device="cpu")
        for layer in (self._hidden, self._output):
            nn.init.xavier_uniform_(layer.weight, generator=self._random)
            nn.init.zeros_(layer.bias)
        self._model = nn.Sequential(self._hidden, nn.ReLU(), self._output)
        self._new_optimizer = partial(_optimizer, optimizer, self._model, lr)
        self._optimizer = self._new_optimizer()
        self._called = False

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

        The first steps of a net, in which torch sets itself up, are timed apart, as compilation, and undone.
        """
        import torch

        x, y = _tensors(X, Y)
        n = len(x)
        history = History()
        if not self._called:
            history.compile_seconds = self._first_call(x[:batch_size], y[:batch_size])
        for epoch in range(1, number_epochs + 1):
            start = time.perf_counter()
            order = torch.randperm(n, generator=self._random) if shuffle else torch.arange(n)
            loss, accuracy = self._epoch(x, y, order, batch_size)
            history.loss.append(loss)
            history.accuracy.append(accuracy)
            history.seconds.append(time.perf_counter() - start)
            if callback:
                callback(epoch, history)
        return history

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy on X (n, D) against the labels Y (n,)."""
        import torch

        x, y = _tensors(X, Y)
        with torch.inference_mode():
            logits = self._model(x)
            loss = torch.nn.functional.cross_entropy(logits, y)
            hits = (logits.argmax(1) == y) & logits.amax(1).isfinite()  # else the probabilities are NaN: never right
            accuracy = hits.float().mean()
        return Score(loss.item(), accuracy.item())

    def _epoch(self, x: torch.Tensor, y: torch.Tensor, order: torch.Tensor, batch_size: int) -> tuple[float, float]:
        """Update from each batch of x[order], y[order]; return mean loss and accuracy, each batch before its update."""
        import torch

        model, optimizer, criterion = self._model, self._optimizer, torch.nn.CrossEntropyLoss()
        y = y[order]
        # Losses and predictions are collected as tensors and summed at the end: .item() in each step would cost time.
        losses, most_likely = [], []
        for samples, target in zip(order.split(batch_size), y.split(batch_size), strict=True):
            optimizer.zero_grad()
            logits = model(x.index_select(0, samples))
            loss = criterion(logits, target)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach() * len(samples))
            most_likely.append(logits.detach().argmax(1))
        sums = torch.stack(losses)
        hits = torch.cat(most_likely) == y
        usable = ~sums.isnan().repeat_interleave(torch.tensor([len(batch) for batch in most_likely]))
        return (sums.sum(dtype=torch.float64) / len(y)).item(), (hits & usable).double().mean().item()

    def _first_call(self, x: torch.Tensor, y: torch.Tensor) -> float:
        """Train on one batch and undo its update."""
        import torch

        start = time.perf_counter()
        weights = {name: tensor.clone() for name, tensor in self._model.state_dict().items()}
        self._epoch(x, y, torch.arange(len(x)), len(x))
        self._model.load_state_dict(weights)
        self._optimizer = self._new_optimizer()
        self._called = True
        return time.perf_counter() - start


def _optimizer(name: str, model: torch.nn.Module, lr: float) -> torch.optim.Optimizer:
    import torch

    if name == "adam":
        return torch.optim.Adam(model.parameters(), lr)
    return torch.optim.SGD(model.parameters(), lr, momentum=0.9 if name == "momentum" else 0.0)


def _tensors(X: Float32Array, Y: Labels) -> tuple[torch.Tensor, torch.Tensor]:
    """Return X and Y as tensors, which share their memory where dtype and layout allow it."""
    import torch

    # torch warns about arrays that are read-only
    x, y = np.require(X, np.float32, ["C", "W"]), np.require(Y, np.int64, ["C", "W"])
    return torch.from_numpy(x), torch.from_numpy(y)


def fit_and_test_net_on_mnist(hidden_size: int, batch_size: int, num_epochs: int, lr: float) -> Result:
    """Train a new net on MNIST and evaluate it, as the original script did."""
    return fit_and_test(NeuralNetwork(hidden_size, lr), load_mnist(), batch_size, num_epochs)
