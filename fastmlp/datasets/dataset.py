"""What every loader returns."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.arrays import Float32Array, Int64Array, SparseMatrix
from fastmlp.engine.table_columns import TableColumn

__all__ = ["Dataset"]


class Dataset(NamedTuple):
    """A training set and a test set, ready for `NeuralNetwork.fit` and `score`.

    Parameters
    ----------
    x_train : array of shape (n_train, n_features), float32
        Inputs, a row per sample; pixels lie between 0 and 1. Sparse inputs are a csr_array of SciPy, of which
        `x_train.shape[0]` is the length.
    y_train : array of shape (n_train,), int64
        Classes, 0 to C - 1.
    x_test, y_test
        The same of the test set.
    name
        What results call the data, "mnist" for example.
    class_names
        The name of each class; None where the labels are their own names.
    input_scale
        What the values were multiplied by: 1/255 for pixels from 0 to 255, else 1.
    feature_names
        The name of each input, None where they have none.
    notes
        How the data was read, as pairs of what and how.
    in_own_units
        Whether each input is a column on a scale of its own, which a net should standardise.
    table_columns
        How the columns of a table became the inputs, where these are more than its numbers.
    first_column
        The number that an svmlight file gives the first input, 0 or 1; such a file may have fewer columns than others
        that belong to it.

    Examples
    --------
    >>> import numpy as np
    >>> x, y = np.zeros((4, 3), np.float32), np.array([0, 1, 1, 0])
    >>> Dataset(x[:3], y[:3], x[3:], y[3:], name="tiny").n_classes
    2
    """

    x_train: Float32Array | SparseMatrix
    y_train: Int64Array
    x_test: Float32Array | SparseMatrix
    y_test: Int64Array
    name: str
    class_names: tuple[str, ...] | None = None
    input_scale: float = 1.0
    feature_names: tuple[str, ...] | None = None
    notes: tuple[tuple[str, str], ...] = ()
    in_own_units: bool = False
    table_columns: tuple[TableColumn, ...] | None = None
    first_column: int | None = None

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        if self.class_names is not None:
            return len(self.class_names)
        return 1 + max(int(y.max()) for y in (self.y_train, self.y_test) if len(y))
