"""Train a small neural network on a CPU, fast.

The names below are loaded on first use: importing the package loads neither NumPy nor Numba.

>>> from fastmlp import NeuralNetwork
>>> NeuralNetwork(hidden_size=30, seed=0).W1.shape
(784, 30)
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.classifier import FastMLPClassifier as FastMLPClassifier
    from fastmlp.datasets import (
        Dataset,
        load_dataset,
        load_files,
        load_mnist,
        load_parts,
        load_synthetic,
    )
    from fastmlp.engine.optimizers import SGD, Adam, Momentum
    from fastmlp.engine.parts import Parts
    from fastmlp.engine.scaling import Scaling
    from fastmlp.engine.schedules import CosineDecay, ReduceOnPlateau, StepDecay
    from fastmlp.engine.stopping import EarlyStopping
    from fastmlp.errors import DataError, DivergenceError, FastmlpError
    from fastmlp.network import History, NeuralNetwork, Score
    from fastmlp.progress import ProgressBar
    from fastmlp.session import TrainingSession

__version__ = "0.1.0"

__all__ = [
    "SGD",
    "Adam",
    "CosineDecay",
    "DataError",
    "Dataset",
    "DivergenceError",
    "EarlyStopping",
    "FastmlpError",
    "History",
    "Momentum",
    "NeuralNetwork",
    "Parts",
    "ProgressBar",
    "ReduceOnPlateau",
    "Scaling",
    "Score",
    "StepDecay",
    "TrainingSession",
    "__version__",
    "load_dataset",
    "load_files",
    "load_mnist",
    "load_parts",
    "load_synthetic",
]

_OPTIONAL = {"FastMLPClassifier"}  # not in __all__: `from fastmlp import *` must not need scikit-learn

_HOMES = {
    "classifier": _OPTIONAL,
    "engine.optimizers": {"SGD", "Adam", "Momentum"},
    "engine.parts": {"Parts"},
    "engine.schedules": {"CosineDecay", "ReduceOnPlateau", "StepDecay"},
    "engine.stopping": {"EarlyStopping"},
    "engine.scaling": {"Scaling"},
    "errors": {"DataError", "DivergenceError", "FastmlpError"},
    "network": {"History", "NeuralNetwork", "Score"},
    "progress": {"ProgressBar"},
    "session": {"TrainingSession"},
}


def __getattr__(name: str) -> object:
    if name not in __all__ and name not in _OPTIONAL:
        raise AttributeError(f"module 'fastmlp' has no attribute '{name}'")
    home = next((home for home, names in _HOMES.items() if name in names), "datasets")
    module = import_module(f"fastmlp.{home}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_OPTIONAL})
