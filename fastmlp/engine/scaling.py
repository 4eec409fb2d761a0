"""The scaling of inputs that come in units of their own: each column by the centre and the spread of its training rows.

    z = clip((x - centre) / spread, -limit, limit)

The rule was chosen by measurement (docs/data.md has the figures): a few wild values must not squash a column, as they
do where mean and standard deviation scale it, nor reach the net as they are. So, for each column,

- centre is the median, which is 0 where most values are 0: these stay 0, and the kernels skip them;
- spread is 1.4826 times the median distance of the values that differ from the centre, which is the standard deviation
  where the column is normal, but at least so large that no more than a fifth of them is cut off;
- a column of 0 and 1 only, as of one-hot values, stays as it is, and so does one whose values are all the same but for
  the centre, which is taken off.

All of it is computed in float32, one rounding a step, so that other programs (see `fastmlp.export`) give the same bits.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Float32Array, Float64Array
from fastmlp.engine.inputs import as_inputs, refuse_unusable
from fastmlp.errors import InvalidTypeError, InvalidValueError

__all__ = ["Scaling", "check_scaling"]

_LIMIT = 3.0
_NORMAL = 1.4826  # standard deviations of a normal column to its median distance from the median
_NOT_CUT = 0.8  # of the values that differ from the centre
_COLUMNS_AT_ONCE = 16  # copied out of the rows: one at a time, each would read all of them
_LEAST, _LARGEST = (float(value) for value in (np.finfo(np.float32).tiny, np.finfo(np.float32).max))


class Scaling(NamedTuple):
    """How a net scales its inputs: clip((x - centre) / spread, -limit, limit).

    Parameters
    ----------
    centre, spread : array of shape (n_features,), float32
        Of each column; spreads lie above 0.
    limit
        What is beyond it is cut off.

    Notes
    -----
    `Scaling.of` takes the median as the centre, and as the spread 1.4826 times the median distance of the values that
    differ from it, but at least so much that no more than a fifth of them is cut off. Columns of 0 and 1 stay as they
    are.

    Examples
    --------
    >>> rows = np.array([[1.0, 7], [2, 7], [3, 7], [4, 7], [5000, 7]])
    >>> scaling = Scaling.of(rows)
    >>> scaling.centre, scaling.apply("X", rows.astype(np.float32))[:, 0].round(2)
    (array([3., 7.], dtype=float32), array([-0.9 , -0.45,  0.  ,  0.45,  3.  ], dtype=float32))
    """

    centre: Float32Array
    spread: Float32Array
    limit: float = _LIMIT

    @classmethod
    def of(cls, rows: ArrayLike) -> Scaling:
        """Return the scaling that suits some training rows.

        Parameters
        ----------
        rows : array of shape (n_samples, n_features)
            Finite numbers.

        Returns
        -------
        Scaling
            With the default limit.

        Raises
        ------
        InvalidValueError, InvalidTypeError
            For rows that are no finite numbers.
        """
        X = as_inputs("rows", rows, ndim=2)
        if not np.isfinite(X).all():
            refuse_unusable("rows", X)
        both = [
            _centre_and_spread(column.astype(np.float64))
            for start in range(0, X.shape[1], _COLUMNS_AT_ONCE)
            for column in X[:, start : start + _COLUMNS_AT_ONCE].T.copy()
        ]
        centre, spread = (np.array(values, np.float32) for values in zip(*both, strict=True))
        return cls(centre, spread)

    def apply(self, name: str, X: Float32Array) -> Float32Array:
        """Return some rows scaled.

        Parameters
        ----------
        name
            What a message calls X.
        X : array of shape (n_samples, n_features), float32
            As they are.

        Returns
        -------
        ndarray of shape (n_samples, n_features), float32
            A new array.

        Raises
        ------
        InvalidValueError
            For NaN or infinity.
        """
        if not np.isfinite(X).all():
            refuse_unusable(name, X)
        with np.errstate(over="ignore", under="ignore"):  # what becomes infinite is cut off
            scaled = X - self.centre
            scaled /= self.spread
        return np.clip(scaled, -np.float32(self.limit), np.float32(self.limit), out=scaled)


def _centre_and_spread(column: Float64Array) -> tuple[float, float]:
    if ((column == 0) | (column == 1)).all() and column.any():
        return 0.0, 1.0
    centre = float(np.float32(np.median(column)))
    distances = abs(column - centre)
    distances = distances[distances > 0]
    if not len(distances):
        return centre, 1.0
    places = (len(distances) - 1) // 2, len(distances) // 2, int(_NOT_CUT * (len(distances) - 1))
    distances.partition(places)
    below, above, most = (float(distances[place]) for place in places)
    median = (below + above) / 2
    return centre, float(np.clip(max(_NORMAL * median, most / _LIMIT), _LEAST, _LARGEST))


def check_scaling(value: Any, n: int) -> Scaling:
    """Return `value`, a Scaling of n inputs, in arrays of its own; InvalidTypeError or InvalidValueError if it is none.

    >>> check_scaling(Scaling(np.zeros(2), np.ones(2)), 2).spread
    array([1., 1.], dtype=float32)
    """
    if not isinstance(value, Scaling):
        raise InvalidTypeError(f"scaling is {value!r}; it must be a Scaling, such as Scaling.of(X)")
    centre, spread = (np.array(array, np.float32) for array in (value.centre, value.spread))
    if centre.shape != (n,) or spread.shape != (n,):
        raise InvalidValueError(
            f"scaling has centres of shape {centre.shape} and spreads of {spread.shape}; this net needs {(n,)}"
        )
    if not (np.isfinite(centre).all() and np.isfinite(spread).all() and (spread > 0).all()):
        raise InvalidValueError("scaling must have finite centres, and finite spreads above 0")
    if (
        isinstance(value.limit, bool)
        or not isinstance(value.limit, (int, float))
        or not _LEAST <= value.limit <= _LARGEST
    ):
        raise InvalidValueError(f"scaling has the limit {value.limit!r}; it must be a number above 0")
    centre.flags.writeable = spread.flags.writeable = False
    return Scaling(centre, spread, float(value.limit))
