"""How the weights of a layer start, by the name that `init` has."""

from __future__ import annotations

import math

import numpy as np

from fastmlp.arrays import Float32Array

__all__ = ["INITIALISERS", "glorot_normal", "glorot_uniform"]


def glorot_uniform(rng: np.random.Generator, n_in: int, n_out: int) -> Float32Array:
    """Return weights (n_in, n_out) uniform in +-sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010, equation 16)."""
    limit = math.sqrt(6 / (n_in + n_out))
    return rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32)


def glorot_normal(rng: np.random.Generator, n_in: int, n_out: int) -> Float32Array:
    """Return normal weights (n_in, n_out) with variance 2 / (n_in + n_out) (Glorot and Bengio 2010, equation 12)."""
    return rng.normal(0, math.sqrt(2 / (n_in + n_out)), (n_in, n_out)).astype(np.float32)


INITIALISERS = {"glorot_uniform": glorot_uniform, "glorot_normal": glorot_normal}
