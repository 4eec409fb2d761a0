"""Which parts make a shard, and the average of the nets that are trained on the shards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from fastmlp.arrays import Float32Array, Float64Array

__all__ = ["Average", "divide"]


def divide(rows: Sequence[int], n_shards: int) -> list[list[int]]:
    """Return the parts of each shard, in ascending order, where `rows` are the samples of the parts.

    The largest part that is left goes to the shard with the fewest samples, of equal ones the first. Nothing but `rows`
    decides, so that the same parts make the same shards on any cluster.

    >>> divide([10, 10, 10, 10, 10], 2), divide([10, 40, 10, 20], 2)
    ([[0, 2, 4], [1, 3]], [[1], [0, 2, 3]])
    """
    shards: list[list[int]] = [[] for _ in range(n_shards)]
    filled = [0] * n_shards
    for k in sorted(range(len(rows)), key=lambda k: -rows[k]):  # sorting is stable
        emptiest = min(range(n_shards), key=lambda s: filled[s])
        shards[emptiest].append(k)
        filled[emptiest] += rows[k]
    return [sorted(parts) for parts in shards]


class Average:
    """The mean of arrays by name, each set counted by its share; summed in float64, in the order of `add`.

    >>> average = Average()
    >>> average.add({"b1": np.float32([1, 2])}, 0.25)
    >>> average.add({"b1": np.float32([5, 2])}, 0.75)
    >>> average.arrays()
    {'b1': array([4., 2.], dtype=float32)}
    """

    def __init__(self) -> None:
        self._sums: dict[str, Float64Array] = {}

    def add(self, arrays: Mapping[str, Float32Array], share: float) -> None:
        """Add a set of arrays. The first is not added to 0, which would make 0 of -0."""
        for name, array in arrays.items():
            counted = array * np.float64(share)
            if name in self._sums:
                self._sums[name] += counted
            else:
                self._sums[name] = counted

    def arrays(self) -> dict[str, Float32Array]:
        """Return the means; those of one set are that set, to the bit."""
        return {name: array.astype(np.float32) for name, array in self._sums.items()}
