"""Floating-point operations of a net, a multiply-add counted as two.

Counts take `inputs`, how many inputs all samples together multiply: n D with the zeros, and for a net that skips zeros
its nonzeros (`multiplied_inputs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastmlp.arrays import Float32Array

__all__ = ["counted_seconds", "forward_flop", "multiplied_inputs", "training_flop"]


def forward_flop(inputs: int, n: int, hidden_size: int, output_size: int) -> int:
    """Return the operations of the forward pass of n samples: hidden = X W1 and logits = hidden W2.

    >>> forward_flop(10_000 * 784, 10_000, 300, 10) / 1e9
    4.764
    """
    return 2 * hidden_size * (inputs + n * output_size)


def training_flop(inputs: int, n: int, hidden_size: int, output_size: int) -> int:
    """Return the operations of an epoch over n samples: two products with W1 (forward, update), three with W2.

    >>> training_flop(60_000 * 784, 60_000, 300, 10) / 1e9
    57.528
    """
    return hidden_size * (4 * inputs + 6 * n * output_size)


def counted_seconds(results: Mapping[str, Any], hidden_size: int) -> dict[str, float]:
    """Return the seconds of an epoch's arithmetic alone, at the best rate that a comparison measured on its machine.

    "dense" counts every input, "nonzeros" only those that are not 0.
    """
    data, rate = results["data"], results["environment"]["peak_gflops"] * 1e9
    n, output_size = data["n_train"], data["output_size"]
    inputs = {"dense": n * data["input_size"], "nonzeros": data["nonzeros"]}
    return {name: training_flop(count, n, hidden_size, output_size) / rate for name, count in inputs.items()}


def multiplied_inputs(X: Float32Array, hidden_size: int) -> int:
    """Return how many of the inputs X (n, D) fastmlp's net multiplies: the nonzeros where it skips zeros, else all."""
    import numpy as np

    from fastmlp.kernels.coding import pairs_pay, share_of_pairs
    from fastmlp.kernels.layout import choose_lanes
    from fastmlp.kernels.packing import sparse_pays

    nonzeros, lanes = int(np.count_nonzero(X)), choose_lanes(hidden_size)
    density, vectors = nonzeros / X.size, lanes.vectors * -(-hidden_size // lanes.units)
    skips_zeros = sparse_pays(density, vectors) or pairs_pay(density, share_of_pairs(X), vectors, lanes.vectors)
    return nonzeros if skips_zeros else X.size
