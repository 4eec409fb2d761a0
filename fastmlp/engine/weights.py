"""The parameters of a net, packed as the kernels take them; each array can be read and set by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, overload

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Float32Array, all_finite
from fastmlp.engine.inputs import as_inputs
from fastmlp.engine.settings import default_threads
from fastmlp.errors import InvalidValueError
from fastmlp.kernels.layout import choose_lanes, empty_parameters
from fastmlp.kernels.prediction import PredictionScratch
from fastmlp.kernels.team import Member, run_team, share_of

__all__ = ["Parameter", "Weights"]

_ROWS_OF_A_BLOCK = 1000  # of W1, packed or unpacked at once: a block of all tiles fits the cache
_LARGE = 1 << 20  # elements of W1 from which several threads copy faster than one


class Weights:
    """W1 (D, H), b1 (H,), W2 (H, C), b2 (C,), float32, all 0 at first; `packed` is what the kernels read and write.

    >>> weights = Weights(5, 3, 2)
    >>> weights["W2"] = [[1, 2], [3, 4], [5, 6]]
    >>> weights["W2"][1]
    array([3., 4.], dtype=float32)
    >>> weights["b1"]
    array([0., 0., 0.], dtype=float32)
    """

    def __init__(self, input_size: int, hidden_size: int, output_size: int) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {
            "W1": (input_size, hidden_size),
            "b1": (hidden_size,),
            "W2": (hidden_size, output_size),
            "b2": (output_size,),
        }
        self.lanes = choose_lanes(hidden_size)
        self.packed = empty_parameters(input_size, hidden_size, output_size, self.lanes)
        self.idle_scratch: list[PredictionScratch] = []  # memory that forward passes left for the next

    def __getitem__(self, name: str) -> Float32Array:
        """Return the array called `name`, a read-only copy: what is written there would be lost without a word."""
        H, packed = self.shapes["b1"][0], self.packed
        array: Float32Array
        if name == "W1":
            array = self._unpacked_W1()
        elif name == "b1":
            array = packed.b1.reshape(-1)[:H].copy()
        elif name == "W2":
            C = self.shapes["b2"][0]
            array = np.array(packed.W2.transpose(0, 2, 1).reshape(-1, packed.W2.shape[1])[:H, :C], order="C")
        else:
            array = packed.b2[: self.shapes["b2"][0]].copy()
        array.flags.writeable = False
        return array

    def __setitem__(self, name: str, value: ArrayLike) -> None:
        """Copy `value` to the array called `name`; raises InvalidValueError, InvalidTypeError where it does not fit."""
        shape = self.shapes[name]
        array = as_inputs(name, value, ndim=len(shape))
        if array.shape != shape:
            raise InvalidValueError(f"{name} has shape {array.shape}; this net's is {shape}")
        if not all_finite(array):
            raise InvalidValueError(f"{name} holds NaN or infinity; weights must be finite")
        if name == "W1":
            self._pack_W1(array)
        elif name == "b1":
            self.packed.b1.reshape(-1)[: len(array)] = array
        elif name == "W2":
            for tile, units in enumerate(self._tiles()):
                self.packed.W2[tile, : shape[1], : units.stop - units.start] = array[units].T
        else:
            self.packed.b2[: len(array)] = array

    @property
    def vectors(self) -> int:
        """SIMD vectors of the packed hidden layer."""
        return self.lanes.vectors * len(self.packed.b1)

    def fill_W1(self, blocks: Iterable[Float32Array]) -> None:
        """Copy blocks of rows to W1, one after the other from its first row on."""
        first = 0
        for block in blocks:
            for tile, units in enumerate(self._tiles()):
                self.packed.W1[tile, first : first + len(block), : units.stop - units.start] = block[:, units]
            first += len(block)

    def arrays(self) -> dict[str, Float32Array]:
        """Return all four by their names, read-only copies."""
        return {name: self[name] for name in self.shapes}

    def copy(self) -> Weights:
        """Return weights of their own, with the same values."""
        return self._restored(self.shapes, self.arrays())

    def __reduce__(self) -> tuple[Callable[..., Weights], tuple[object, ...]]:
        """Pickle the plain arrays: a machine that loads them may have other tiles."""
        return self._restored, (self.shapes, self.arrays())

    @classmethod
    def _restored(cls, shapes: dict[str, tuple[int, ...]], arrays: dict[str, Float32Array]) -> Weights:
        weights = cls(*shapes["W1"], *shapes["b2"])
        for name, array in arrays.items():
            weights[name] = array
        return weights

    def _tiles(self) -> list[slice]:
        """The hidden units of each tile."""
        (hidden_size,), width = self.shapes["b1"], self.lanes.units
        return [slice(first, min(first + width, hidden_size)) for first in range(0, hidden_size, width)]

    def _unpacked_W1(self) -> Float32Array:
        W1 = np.empty(self.shapes["W1"], np.float32)

        def copy(rows: slice) -> None:
            for tile, units in enumerate(self._tiles()):
                W1[rows, units] = self.packed.W1[tile, rows, : units.stop - units.start]

        self._for_blocks(copy)
        return W1

    def _pack_W1(self, W1: Float32Array) -> None:
        def copy(rows: slice) -> None:
            for tile, units in enumerate(self._tiles()):
                self.packed.W1[tile, rows, : units.stop - units.start] = W1[rows, units]

        self._for_blocks(copy)

    def _for_blocks(self, copy: Callable[[slice], None]) -> None:
        """Call copy(rows) for blocks of rows of W1; NumPy copies without the GIL, so threads share large ones."""
        input_size, hidden_size = self.shapes["W1"]

        def work(member: Member) -> None:
            first, last = share_of(input_size, member)
            for start in range(first, last, _ROWS_OF_A_BLOCK):
                copy(slice(start, min(start + _ROWS_OF_A_BLOCK, last)))

        run_team(default_threads() if input_size * hidden_size >= _LARGE else 1, work)


class Parameter:
    """One of a net's arrays, as an attribute of the net, which has its `Weights` as `_weights`."""

    def __init__(self, what: str) -> None:
        self.__doc__ = f"{what} float32, a read-only copy; setting copies too."

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, net: None, owner: type) -> Parameter: ...

    @overload
    def __get__(self, net: object, owner: type) -> Float32Array: ...

    def __get__(self, net: Any, owner: type) -> Parameter | Float32Array:
        return self if net is None else net._weights[self._name]

    def __set__(self, net: Any, value: ArrayLike) -> None:
        net._weights[self._name] = value
