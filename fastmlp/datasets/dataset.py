"""What every loader returns."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastmlp.arrays import Float32Array, Int64Array


class Dataset(NamedTuple):
    """A training part and a test part, ready for ``NeuralNetwork.fit`` and ``predict``.

    Attributes
    ----------
    x_train : ndarray of shape (n_train, D), float32
        Inputs, one row per sample; pixels lie between 0 and 1.
    y_train : ndarray of shape (n_train,), int64
        Class labels, 0 to C - 1.
    x_test : ndarray of shape (n_test, D), float32
        Inputs of the test part.
    y_test : ndarray of shape (n_test,), int64
        Class labels of the test part.
    name : str
        What the data is called in results, "mnist" for example.
    class_names : tuple of str, or None
        ``class_names[k]`` is the name of class k; None where the labels are their own names.
    input_scale : float
        What the values were multiplied by: 1/255 for pixels from 0 to 255, else 1.

    Examples
    --------
    >>> x, y = np.zeros((4, 3), np.float32), np.array([0, 1, 1, 0])
    >>> Dataset(x[:3], y[:3], x[3:], y[3:], name="tiny").n_classes
    2
    """

    x_train: Float32Array
    y_train: Int64Array
    x_test: Float32Array
    y_test: Int64Array
    name: str
    class_names: tuple[str, ...] | None = None
    input_scale: float = 1.0

    @property
    def n_classes(self) -> int:
        """The number of classes C."""
        if self.class_names is not None:
            return len(self.class_names)
        return 1 + int(max(self.y_train.max(), self.y_test.max()))


def all_finite(array: npt.NDArray[np.generic]) -> bool:
    """Whether no value of a real array is NaN or infinite, in little memory.

    >>> all_finite(np.array([1.0, np.nan]))
    False
    """
    with np.errstate(invalid="ignore"):  # where there is a NaN, it is the minimum
        return bool(np.isfinite(array.min()) and np.isfinite(array.max()))
