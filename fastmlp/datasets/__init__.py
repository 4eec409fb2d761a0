"""Data to train on: MNIST, digits drawn by ourselves, or a person's own files.

Every loader returns a `Dataset` and raises `DataError` where there is none. The names below are loaded on first use:
importing this package loads neither NumPy nor Numba nor pooch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastmlp.datasets.choice import DatasetChoice, load_dataset
    from fastmlp.datasets.dataset import Dataset
    from fastmlp.datasets.files import load_files
    from fastmlp.datasets.mnist import load_mnist
    from fastmlp.datasets.parts import load_parts
    from fastmlp.datasets.synthetic.digits import load_synthetic

__all__ = ["Dataset", "DatasetChoice", "load_dataset", "load_files", "load_mnist", "load_parts", "load_synthetic"]

_HOMES = {
    "Dataset": "dataset",
    "DatasetChoice": "choice",
    "load_dataset": "choice",
    "load_files": "files",
    "load_mnist": "mnist",
    "load_parts": "parts",
    "load_synthetic": "synthetic.digits",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'fastmlp.datasets' has no attribute '{name}'")
    value: object = getattr(import_module(f"fastmlp.datasets.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
