"""What every loader returns."""

from __future__ import annotations

from typing import NamedTuple

from fastmlp.arrays import Float32Array, Int64Array, SparseMatrix
from fastmlp.engine.table_columns import TableColumn

__all__ = ["Dataset"]


class Dataset(NamedTuple):
    """A training set and a test set, ready for `NeuralNetwork.fit` and `score`.

    `x_train` (n_train, D) and `x_test` (n_test, D) float32 are the inputs, a row per sample; pixels lie between 0 and
    1. `y_train` (n_train,) and `y_test` (n_test,) int64 are the classes, 0 to C - 1. `name` is what results call the
    data, "mnist" for example. `class_names[k]` is the name of class k; None where the labels are their own names.
    `input_scale` is what the values were multiplied by: 1/255 for pixels from 0 to 255, else 1. `feature_names` are the
    names of the D inputs, None where they have none. `notes` say how the data was read, as pairs of what and how.
    `in_own_units` says that each input is a column on a scale of its own, which a net should standardise.
    `first_column` is the number that an svmlight file gives the first input, 0 or 1; such a file may have fewer columns
    than others that belong to it. Sparse inputs are a csr_array of SciPy, of which `x_train.shape[0]` is the length.
    `table_columns` say how the columns of a table became the inputs, where these are more than its numbers.

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
