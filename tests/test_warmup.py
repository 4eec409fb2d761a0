"""Compiling ahead: afterwards nothing that a training needs is compiled any more."""

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.engine.warmup import warm_up
from fastmlp.kernels.coded import CodedNonzeros, CodedPairs
from fastmlp.kernels.epoch import train_epoch
from fastmlp.kernels.prediction import network_forward
from fastmlp.kernels.sparse import SparseRows

FORMS = {"dense": np.ndarray, "sparse": SparseRows, "pairs": CodedPairs, "nonzeros": CodedNonzeros}


def inputs(form):
    """Inputs (n, 64) that are trained on in this form."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 64)).astype(np.float32)
    if form == "sparse":  # more than 255 values
        X = rng.normal(size=(300, 64)).astype(np.float32)
        X[:, 1:] = 0
    if form == "nonzeros":
        X[:, 1:] = 0
    if form == "pairs":
        X[...] = 0
        X[:, 10:12] = 1
    return X


@pytest.mark.parametrize("form", FORMS)
def test_after_warming_up_nothing_more_is_compiled(form, monkeypatch):
    warm_up(5)
    seen = []
    chosen = "fastmlp.engine.packed.compile_training"
    monkeypatch.setattr(chosen, lambda _lanes, kind, *_: seen.append(kind))
    compiled = len(train_epoch.signatures), len(network_forward.signatures)
    net, X = NeuralNetwork(5, input_size=64, output_size=3, seed=0), inputs(form)
    y = np.arange(len(X)) % 3
    net.fit(X, y, 8, 1)
    net.score(X, y)
    net.forward(X)
    assert seen == [FORMS[form]]
    assert (len(train_epoch.signatures), len(network_forward.signatures)) == compiled
