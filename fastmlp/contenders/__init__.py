"""The nets of a comparison: one module each, one protocol, loaded only when used.

Each module has a class `NeuralNetwork` that follows the protocol `Contender`, and the original script's
`fit_and_test_net_on_mnist`. Importing this package loads none of them, nor NumPy.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from fastmlp.errors import MissingLibraryError
from fastmlp.machine import how_to_get_keras

if TYPE_CHECKING:
    from fastmlp.arrays import Float32Array, Labels
    from fastmlp.datasets import Dataset
    from fastmlp.network import History, Score

__all__ = ["MODULES", "Contender", "Result", "available", "fit_and_test", "load", "not_installed"]


class Contender(Protocol):
    """A net with one hidden layer, as every contender offers it.

    X is (n, D) float32, Y is (n,) integers from 0 to C - 1. The weights read as float32 arrays W1 (D, H), b1 (H,),
    W2 (H, C), b2 (C,) and can be set, so that all contenders can start from the same ones. `optimizer` is "sgd",
    "momentum" or "adam", the library's own with the settings of `fastmlp.engine.optimizers`; what it remembers is that
    of the net. `n_threads=None` leaves the number of threads to the library behind the net.
    """

    W1: Float32Array
    b1: Float32Array
    W2: Float32Array
    b2: Float32Array

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
    ) -> None: ...

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
        """Train; the history has the loss, accuracy and seconds of each epoch, and compilation apart from them.

        `callback(epoch, history)` is called after each epoch, which count from 1.
        """

    def score(self, X: Float32Array, Y: Labels) -> Score:
        """Return the mean loss and the accuracy of the net on X against Y."""


@dataclass(frozen=True)
class _Module:
    """Where a contender is, the libraries it imports, and the pip command that installs them."""

    name: str
    needs: tuple[str, ...]
    pip: str


_KERAS = ("keras", "tensorflow"), how_to_get_keras()

MODULES = {
    "fastmlp": _Module("fastmlp.contenders.fastmlp_net", ("numba",), "pip install fastmlp"),
    "numpy": _Module("fastmlp.contenders.numpy_net", ("numpy",), "pip install numpy"),
    "keras": _Module("fastmlp.contenders.keras_net", *_KERAS),
    "keras-tuned": _Module("fastmlp.contenders.keras_tuned_net", *_KERAS),
    "torch": _Module("fastmlp.contenders.torch_net", ("torch",), "pip install torch"),
    "jax": _Module("fastmlp.contenders.jax_net", ("jax",), "pip install jax"),
    "sklearn": _Module("fastmlp.contenders.sklearn_net", ("sklearn",), "pip install 'fastmlp[sklearn]'"),
}


def available(name: str) -> bool:
    """Return whether the libraries of the contender `name` are installed, without loading them.

    >>> available("numpy")
    True
    """
    return all(find_spec(library) for library in MODULES[name].needs)


def load(name: str) -> type[Contender]:
    """Load the contender `name` and return its class.

    Raises MissingLibraryError, with the pip command to type, where its libraries are not installed.

    >>> load("numpy")(hidden_size=5, seed=0).W2.shape
    (5, 10)
    """
    if not available(name):
        raise MissingLibraryError(not_installed(name))
    net: type[Contender] = import_module(MODULES[name].name).NeuralNetwork
    return net


def not_installed(name: str) -> str:
    """Return the sentence for a contender whose libraries are not installed, with the pip command that installs them.

    >>> not_installed("sklearn")
    "the net 'sklearn' needs sklearn: pip install 'fastmlp[sklearn]'"
    """
    module = MODULES[name]
    return f"the net '{name}' needs {' and '.join(module.needs)}: {module.pip}"


@dataclass(frozen=True)
class Result:
    """The outcome of training; times in seconds, accuracies as fractions."""

    train_seconds: float
    compile_seconds: float
    test_accuracy: float
    test_loss: float
    train_accuracy: float
    train_loss: float
    history: History


def fit_and_test(
    net: Contender,
    data: Dataset,
    batch_size: int = 128,
    number_epochs: int = 20,
    callback: Callable[[int, History], None] | None = None,
) -> Result:
    """Train `net` on the training set of `data`, then evaluate it on both parts.

    `train_seconds` is the sum of the epochs, without compilation and evaluation.
    """
    return measure(net, data, net.fit(data.x_train, data.y_train, batch_size, number_epochs, callback=callback))


def measure(net: Contender, data: Dataset, history: History) -> Result:
    """Return the result of the training that `history` records, with `net` measured on both parts of `data`."""
    train = net.score(data.x_train, data.y_train)
    test = net.score(data.x_test, data.y_test)
    return Result(
        train_seconds=sum(history.seconds),
        compile_seconds=history.compile_seconds,
        test_accuracy=test.accuracy,
        test_loss=test.loss,
        train_accuracy=train.accuracy,
        train_loss=train.loss,
        history=history,
    )
