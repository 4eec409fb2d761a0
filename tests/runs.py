"""What tests of a comparison and of its runs share: tiny data, and contenders that do something else."""

import numpy as np

from fastmlp.contenders import MODULES
from fastmlp.datasets import Dataset

FASTMLP = MODULES["fastmlp"].name
NUMPY = MODULES["numpy"].name


def tiny():
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 80)
    x = rng.random((80, 3), np.float32)
    x[:, 0] += y
    return Dataset(x[:60], y[:60], x[60:], y[60:], "tiny")


def write_fake(folder, body, name="fake_net"):
    """Write a module into `folder` whose net is NumPy's, but for `body` at the beginning of `fit`; return its name."""
    code = f"""
import os, time
from {NUMPY} import NeuralNetwork as _Net

class NeuralNetwork(_Net):
    def fit(self, X, Y, batch_size, number_epochs, **options):
        {body}
        return super().fit(X, Y, batch_size, number_epochs, **options)
"""
    (folder / f"{name}.py").write_text(code, encoding="utf-8")
    return name
