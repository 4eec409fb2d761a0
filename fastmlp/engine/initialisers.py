"""How the weights of a layer start, by the name that `init` has: in blocks of rows, as wide layers are large."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from fastmlp.arrays import Float32Array

__all__ = ["INITIALISERS", "glorot_normal", "glorot_uniform"]

_ROWS = 1000  # of a block, which is drawn in float64


def glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> Iterator[Float32Array]:
    """Yield weights (n_in, n_out) uniform in +-sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, equation 16)."""
    limit = math.sqrt(6 / (n_in + n_out))
    for n in _blocks(n_in):
        yield rng.uniform(-limit, limit, (n, n_out)).astype(np.float32)


def glorot_normal(rng: np.random.Generator, n_in: int, n_out: int) -> Iterator[Float32Array]:
    """Yield normal weights (n_in, n_out) with variance 2 / (n_in + n_out) (Glorot and Bengio 2010, equation 12)."""
    for n in _blocks(n_in):
        yield rng.normal(0, math.sqrt(2 / (n_in + n_out)), (n, n_out)).astype(np.float32)


def _blocks(n_in: int) -> Iterator[int]:
    return (min(_ROWS, n_in - start) for start in range(0, n_in, _ROWS))


INITIALISERS = {"glorot_uniform": glorot_uniform, "glorot_normal": glorot_normal}
