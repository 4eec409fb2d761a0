"""How parameters lie in memory: cut into tiles of hidden units, so that every product runs along them with unit stride.

A tile is the share of the hidden layer that stays in one core's cache, one register tile wide. Which unit belongs to
which tile depends on the hidden size (and the machine's vectors) alone, never on the number of threads: sums over tiles
are taken in tile order, and the result has the same bits for any number of threads.
"""

from __future__ import annotations

import math
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastmlp.arrays import Float32Array

from .tiles import Lanes, target

__all__ = [
    "Parameters",
    "aligned_zeros",
    "choose_lanes",
    "empty_parameters",
    "padded",
    "room_for",
]

_ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def aligned_zeros(shape: tuple[int, ...], dtype: DTypeLike = np.float32) -> NDArray[Any]:
    """C-contiguous zeros that start on a cache line, so that no vector straddles two lines.

    >>> aligned_zeros((3, 16)).ctypes.data % 64
    0
    """
    dtype = np.dtype(dtype)
    n_bytes = math.prod(shape) * dtype.itemsize
    if n_bytes > sys.maxsize - _ALIGNMENT:
        raise MemoryError(f"an array of shape {shape} is larger than any memory")
    raw = np.zeros(n_bytes + _ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % _ALIGNMENT
    return raw[start : start + n_bytes].view(dtype).reshape(shape)


def padded(n: int, multiple: int) -> int:
    """The smallest multiple of `multiple` that is at least `n`.

    >>> padded(10, 4)
    12
    """
    return -(-n // multiple) * multiple


def room_for(batch_size: int) -> int:
    """Samples for which a batch's arrays have room: kernels may go beyond its end, and rows of 2^k collide in a cache.

    >>> room_for(128)
    144
    """
    return padded(batch_size, 16) + 16


def choose_lanes(hidden_size: int) -> Lanes:
    """The tile width for a hidden layer.

    Least work for a nonzero input, counted as tiles (an even number, from 16 vectors on a multiple of four, which as
    many threads can share) times the vectors of a tile + 1.5, for reading a nonzero and stepping the loop.
    """
    vectors = -(-hidden_size // target().width)
    share = 4 if vectors >= 16 else 2

    def work(width: int) -> float:
        return padded(-(-vectors // width), share) * (width + 1.5)

    return Lanes(min(range(1, target().max_vectors + 1), key=lambda width: (work(width), -width)))


class Parameters(NamedTuple):
    """Parameters of the net, packed by tiles; what is beyond H or C is zero and stays zero."""

    W1: Float32Array  # (tiles, D padded to 2, units)
    b1: Float32Array  # (tiles, units)
    W2: Float32Array  # (tiles, C padded to 4, units): transposed, a row per class
    b2: Float32Array  # (C padded to a vector,)


def empty_parameters(input_size: int, hidden_size: int, output_size: int, lanes: Lanes) -> Parameters:
    """Packed parameters in tiles of this width, all zero."""
    units = lanes.units
    tiles = -(-hidden_size // units)
    return Parameters(
        aligned_zeros((tiles, padded(input_size, 2), units)),
        aligned_zeros((tiles, units)),
        aligned_zeros((tiles, padded(output_size, 4), units)),
        aligned_zeros((padded(output_size, target().width),)),
    )
