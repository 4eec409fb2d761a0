"""Train a small neural network on a CPU, fast.

The names below are loaded on first use: importing the package loads neither NumPy nor Numba.

>>> from fastmlp import NeuralNetwork
>>> NeuralNetwork(hidden_size=30, seed=0).W1.shape
(784, 30)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.datasets import (
        DataError,
        Dataset,
        load_dataset,
        load_files,
        load_mnist,
        load_synthetic,
    )
    from fastmlp.network import DivergenceError, History, NeuralNetwork, Score

__version__ = "0.1.0"

__all__ = [
    "DataError",
    "Dataset",
    "DivergenceError",
    "History",
    "NeuralNetwork",
    "Score",
    "__version__",
    "load_dataset",
    "load_files",
    "load_mnist",
    "load_synthetic",
]

_NETWORK_NAMES = {"DivergenceError", "History", "NeuralNetwork", "Score"}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fastmlp' has no attribute '{name}'")
    module = import_module("fastmlp.network" if name in _NETWORK_NAMES else "fastmlp.datasets")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
