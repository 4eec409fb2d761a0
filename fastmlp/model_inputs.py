"""What people hand in, as a given model sees it: its classes, its width, its scale, and pictures in MNIST's form."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.digit_form import SIZE
from fastmlp.datasets.images import IMAGE_SUFFIXES, is_image, read_digit
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.samples import as_rows
from fastmlp.datasets.source import Source
from fastmlp.datasets.table import NotTextError, Table
from fastmlp.errors import DataError, InvalidValueError
from fastmlp.network import NeuralNetwork

__all__ = ["ModelInputs", "as_model_sees", "class_names", "read_inputs"]

_MAGIC_LENGTH = 8
_NPZ_MAGIC = b"PK"
_NPZ_NAMES = ("X", "x_test", "x")


class ModelInputs(NamedTuple):
    """Samples for a model: `X` (n, D) float32 as its `forward` takes them, and what the values were multiplied by."""

    name: str
    X: Float32Array
    factor: float


def class_names(net: NeuralNetwork) -> tuple[str, ...]:
    """Return the names of the model's classes, which are the numbers 0 to C - 1 where it has no others.

    >>> class_names(NeuralNetwork(output_size=3, seed=0))
    ('0', '1', '2')
    """
    return _names(net.class_names, net.output_size)


def read_inputs(source: Source, net: NeuralNetwork) -> ModelInputs:
    """Return the samples in a picture of a digit, an .npz or a table, without labels.

    A picture is one sample, in MNIST's form. Of an .npz it is the array X, x_test or x, or the only one. Values beyond
    1 are scaled as those that `net` was trained on.

    Raises DataError where `source` cannot be read or does not fit `net`; ImportError for a picture without Pillow.

    >>> net = NeuralNetwork(input_size=2, output_size=2, seed=0)
    >>> read_inputs(Source("flowers.csv", b"length,width\\n5,3\\n6,2\\n"), net).X
    array([[5., 3.],
           [6., 2.]], dtype=float32)
    """
    with source.open() as file:
        magic = file.read(_MAGIC_LENGTH)
    if not magic:
        raise DataError(f"{source.name} is empty")
    if Path(source.name).suffix.lower() in IMAGE_SUFFIXES or is_image(magic):
        return ModelInputs(source.name, _from_picture(source, net), 1.0)
    X = _from_npz(source, net) if magic.startswith(_NPZ_MAGIC) else _from_table(source, net)
    factor = _factor(net, 1.0, X.max())
    if factor != 1:
        np.multiply(X, factor, out=X)
    return ModelInputs(source.name, X, float(factor))


def _from_picture(source: Source, net: NeuralNetwork) -> Float32Array:
    if net.input_size != SIZE * SIZE:
        raise DataError(
            f"{source.name} is a picture, which gives {SIZE * SIZE} inputs, and the model takes {net.input_size}: "
            "give it an .npz or CSV file of inputs"
        )
    with source.open() as file:
        return read_digit(file.read(), source.name)[None]


def _from_npz(source: Source, net: NeuralNetwork) -> Float32Array:
    def choose(present: Sequence[str]) -> Sequence[str]:
        found = [key for key in _NPZ_NAMES if key in present] or (present if len(present) == 1 else [])
        if not found:
            raise DataError(f"{source.name} lacks the array X; it has {', '.join(present) or 'none'}")
        return found[:1]

    with source.open() as file:
        ((key, array),) = read_npz(file, source.name, choose).items()
    X = as_rows(array, f"{source.name}: {key}")
    _check_width(source.name, X.shape[1], net)
    return X


def _from_table(source: Source, net: NeuralNetwork) -> Float32Array:
    try:
        table = Table(source)
        _check_width(source.name, table.n_columns, net)
        return table.inputs()
    except NotTextError:
        raise DataError(f"{source.name} is neither a picture, nor an .npz file, nor a CSV in UTF-8") from None


def _check_width(name: str, width: int, net: NeuralNetwork) -> None:
    if width != net.input_size:
        hint = ": leave the column of labels out" if width == net.input_size + 1 else ""
        raise DataError(f"{name} has {width} inputs per sample and the model takes {net.input_size}{hint}")


def as_model_sees(data: Dataset, net: NeuralNetwork) -> Dataset:
    """Return `data` with the classes numbered and the inputs scaled as those that `net` was trained on.

    Classes are matched by name, those without names being called "0", "1" and so on. Raises ValueError for inputs of
    another width than the net's and for a class that the net does not know.

    >>> x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    >>> net = NeuralNetwork(input_size=3, output_size=2, seed=0)
    >>> net.class_names = ("lily", "rose")
    >>> as_model_sees(Dataset(x, y, x, y, "flowers", ("rose", "lily")), net).y_train
    array([1, 0])
    """
    width = data.x_train.shape[1]
    if width != net.input_size:
        raise InvalidValueError(f"{data.name} has {width} inputs per sample and the model takes {net.input_size}")
    numbers = _numbers_in_model(data, net)
    factor = _factor(net, data.input_scale, max(data.x_train.max(), data.x_test.max()))
    return data._replace(
        x_train=data.x_train if factor == 1 else data.x_train * factor,
        y_train=numbers[data.y_train],
        x_test=data.x_test if factor == 1 else data.x_test * factor,
        y_test=numbers[data.y_test],
        class_names=net.class_names,
        input_scale=net.input_scale,
    )


def _numbers_in_model(data: Dataset, net: NeuralNetwork) -> Int64Array:
    """Return (classes of the data,) int64: the model's number of each class, -1 for one that has no sample."""
    names = _names(data.class_names, data.n_classes)
    known = class_names(net)
    number_of = {name: number for number, name in enumerate(known)}
    numbers = np.array([number_of.get(name, -1) for name in names], np.int64)
    present = np.union1d(data.y_train, data.y_test)
    unknown = present[numbers[present] < 0]
    if len(unknown):
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        raise InvalidValueError(
            f"{data.name} has the class {names[unknown[0]]!r}, which the model does not know; its classes are {shown}"
        )
    return numbers


def _factor(net: NeuralNetwork, input_scale: float, largest: np.float32) -> np.float32:
    """Return the factor for inputs that were multiplied by `input_scale` already and are at most `largest`.

    Pixels are scaled where the model's were, and as they came where not.
    """
    if net.input_scale == input_scale:
        return np.float32(1)
    if net.input_scale == 1:
        return np.float32(1 / input_scale)
    already = input_scale == 1 and largest <= 1
    return np.float32(1 if already else net.input_scale / input_scale)


def _names(names: tuple[str, ...] | None, n_classes: int) -> tuple[str, ...]:
    return names if names is not None else tuple(str(number) for number in range(n_classes))
