"""Data in parts, of which few are in memory at a time: what `fit` and `score` take in place of X and Y."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.engine.settings import check_integer
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["ArrayPart", "Part", "Parts"]


class Part(Protocol):
    """Some of the samples. It may be read in another thread, and many times; each time it must give the same."""

    @property
    def name(self) -> str:
        """What messages call it: the file, for example."""

    def labels(self) -> ArrayLike:
        """Return the labels (n,), 0 to C - 1, without reading the inputs where that can be avoided."""

    def read(self) -> tuple[ArrayLike, ArrayLike]:
        """Return the inputs X (n, D) and the labels (n,), as `NeuralNetwork.fit` takes them."""


class ArrayPart(NamedTuple):
    """Rows of arrays X and Y that may be larger than memory: memory maps, say, or datasets of HDF5 or Zarr."""

    name: str
    X: Any
    Y: Any
    first: int
    last: int

    def __reduce__(self) -> tuple[type[ArrayPart], tuple[object, ...]]:
        """Pickle these rows alone: another process has no use for the others."""
        return ArrayPart, (self.name, *self.read(), 0, self.last - self.first)

    def labels(self) -> NDArray[Any]:
        """Return the labels of these rows."""
        return np.asarray(self.Y[self.first : self.last])

    def read(self) -> tuple[ArrayLike, ArrayLike]:
        """Return these rows, copied into memory where they are a memory map."""
        X = self.X[self.first : self.last]
        return (np.array(X) if isinstance(X, np.ndarray) else X), self.labels()


class Parts:
    """Data in parts, of which few are in memory at a time: what `fit` and `score` take in place of X and Y.

    Parameters
    ----------
    parts
        A sequence of anything with a `name`, and with methods `labels()`, which returns labels (n_samples,), and
        `read()`, which returns X and the labels as `NeuralNetwork.fit` takes them. Each time they must return the same.
    class_names, feature_names, input_scale
        As in a `Dataset`; the names of the parts' own frames must be the same.

    Raises
    ------
    InvalidTypeError, InvalidValueError
        For what is no such sequence.

    See Also
    --------
    load_parts : Makes parts of files.

    Examples
    --------
    >>> X, Y = np.zeros((10, 3), np.float32), np.arange(10) % 2
    >>> parts = Parts.of_arrays(X, Y, rows=4)
    >>> [part.name for part in parts.parts], len(parts.parts[2].labels())
    (['rows 0 to 3', 'rows 4 to 7', 'rows 8 to 9'], 2)
    """

    name: str = "parts"
    """What results and messages call the data."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        class_names: Sequence[str] | None = None,
        feature_names: Sequence[str] | None = None,
        input_scale: float = 1.0,
    ) -> None:
        self.parts = tuple(parts)
        if not self.parts:
            raise InvalidValueError("there are no parts: give one or more")
        for part in self.parts:
            if not all(hasattr(part, name) for name in ("name", "labels", "read")):
                raise InvalidTypeError(f"a part is {part!r}; it must have a name and the methods labels() and read()")
        self.class_names = None if class_names is None else tuple(class_names)
        self.feature_names = None if feature_names is None else tuple(feature_names)
        self.input_scale = input_scale

    @classmethod
    def of_arrays(cls, X: Any, Y: Any, rows: int) -> Parts:
        """Return two arrays in parts; nothing is read yet.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            A memory map, `numpy.load("X.npy", mmap_mode="r")`, or anything else that has a length and gives rows for a
            slice.
        Y : array of shape (n_samples,)
            Labels.
        rows
            Samples of a part; the last one has what is left.

        Returns
        -------
        Parts
            Called by their rows.

        Raises
        ------
        InvalidValueError
            Where X and Y differ in length.
        """
        step, n = check_integer("rows", rows), len(X)
        if n == 0 or len(Y) != n:
            raise InvalidValueError(f"X has {n} rows and Y {len(Y)}; they must agree, and be one or more")
        ends = [min(first + step, n) for first in range(0, n, step)]
        firsts = range(0, n, step)
        return cls([ArrayPart(f"rows {a} to {b - 1}", X, Y, a, b) for a, b in zip(firsts, ends, strict=True)])

    @property
    def n_samples(self) -> int:
        """How many samples there are in all parts, of which the labels are read."""
        return sum(np.size(part.labels()) for part in self.parts)

    def __len__(self) -> int:
        return len(self.parts)

    def __getitem__(self, which: slice) -> Self:
        """Some of the parts, with the same names."""
        some = copy.copy(self)
        some.parts = self.parts[which]
        if not some.parts:
            raise InvalidValueError(f"no part is left of {len(self)}")
        return some
