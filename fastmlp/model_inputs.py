"""What people hand in, as a given model sees it: its classes, its width, its scale, and pictures in MNIST's form."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from fastmlp.arrays import Float32Array, Int64Array, SparseMatrix
from fastmlp.caller import warn_caller
from fastmlp.datasets.array_names import arrays_of_inputs
from fastmlp.datasets.columns import Columns, is_index_name, is_label_name, label_column_index
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.digit_form import SIZE
from fastmlp.datasets.images import IMAGE_SUFFIXES, is_image, read_digit
from fastmlp.datasets.kinds import kind_of_file, open_table
from fastmlp.datasets.matlab import read_mat
from fastmlp.datasets.mixed import as_inputs
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.parts import FileParts
from fastmlp.datasets.pixels import PIXEL_SCALE
from fastmlp.datasets.samples import as_rows
from fastmlp.datasets.source import Source
from fastmlp.datasets.sparse import holds_sparse, read_sparse_npz, widened
from fastmlp.datasets.svmlight import counted_alike, read_svmlight
from fastmlp.datasets.table import Table
from fastmlp.datasets.text import NotTextError
from fastmlp.engine.feature_names import column_order
from fastmlp.engine.parts import Part, Parts
from fastmlp.engine.scaling import Scaling
from fastmlp.errors import DataError, InvalidValueError
from fastmlp.network import NeuralNetwork
from fastmlp.printable import shown

__all__ = ["ModelInputs", "as_model_sees", "class_names", "parts_as_model_sees", "read_inputs", "standardised"]

_MAGIC_LENGTH = 8


class ModelInputs(NamedTuple):
    """Samples for a model: `X` (n, D) float32 as its `forward` takes them, and what the values were multiplied by."""

    name: str
    X: Float32Array | SparseMatrix
    factor: float


def class_names(net: NeuralNetwork) -> tuple[str, ...]:
    """Return the names of the model's classes, which are the numbers 0 to C - 1 where it has no others.

    >>> class_names(NeuralNetwork(output_size=3, seed=0))
    ('0', '1', '2')
    """
    return _names(net.class_names, net.output_size)


def read_inputs(
    source: Source,
    net: NeuralNetwork,
    *,
    label_column: str | int | None = None,
    header: bool | None = None,
    first_column: int | None = None,
) -> ModelInputs:
    """Return the samples in a picture of a digit, an .npz, a .mat, a table or an svmlight file, without labels.

    A picture is one sample, in MNIST's form. Of an .npz it is the array X, x_test or x, or the only one. The columns of
    a table with a header are taken by the names that `net` knows; those of labels (`label_column` in training) and of
    the numbers of rows are left out, with a UserWarning. `header` is as in `load_files`; `first_column` is what number
    an svmlight file gave the first column in training. Values beyond 1 are scaled as those of the training data.

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
    kind = kind_of_file(Path(source.name).name, source)
    is_table = kind in ("text", "arrow")
    if kind == "svmlight" or (kind == "npz" and holds_sparse(source)):
        X = _from_sparse(source, net, kind, first_column)
    else:
        X = _from_table(source, net, label_column, header) if is_table else _from_arrays(source, net, kind)
    factor = _factor(source.name, net, 1.0, [X])
    if factor != 1:
        X *= factor
    return ModelInputs(source.name, X, float(factor))


def _from_picture(source: Source, net: NeuralNetwork) -> Float32Array:
    if net.input_size != SIZE * SIZE:
        raise DataError(
            f"{source.name} is a picture, which gives {SIZE * SIZE} inputs, and the model takes {net.input_size}: "
            "give it an .npz or CSV file of inputs"
        )
    with source.open() as file:
        return read_digit(file.read(), source.name)[None]


def _from_sparse(source: Source, net: NeuralNetwork, kind: str, first_column: int | None) -> SparseMatrix:
    if kind == "svmlight":
        X, _, found = read_svmlight(source)
        X = _as_wide(counted_alike(source.name, X, found, first_column), net)
    else:
        X = read_sparse_npz(source)
    if X.shape[1] != net.input_size:
        raise DataError(f"{source.name} has {X.shape[1]} columns and the model takes {net.input_size}")
    return X


def _as_wide(X: SparseMatrix, net: NeuralNetwork) -> SparseMatrix:
    """Return X of a file that does not say how many columns it has, with as many as the model has inputs."""
    return widened(X, net.input_size) if X.shape[1] < net.input_size else X


def _from_arrays(source: Source, net: NeuralNetwork, kind: str) -> Float32Array:
    def choose(present: Sequence[str]) -> Sequence[str]:
        found = arrays_of_inputs(present, source.name)
        if not found:
            raise DataError(f"{source.name} lacks the array X; it has {', '.join(present) or 'none'}")
        return found[:1]

    with source.open() as file:
        if kind == "mat":
            stored = read_mat(file, source.name)
            (key,) = choose(list(stored))
            array = stored[key]
        else:
            ((key, array),) = read_npz(file, source.name, choose).items()
    X = as_rows(array, f"{source.name}: {key}")
    _check_width(source.name, X.shape[1], net.input_size)
    return X


def _from_table(
    source: Source, net: NeuralNetwork, label_column: str | int | None, header: bool | None
) -> Float32Array:
    try:
        table = open_table(source, header)
        made_of = net.table_columns
        names = tuple(column.name for column in made_of) if made_of else net.feature_names
        columns = table.columns(names if names and len(names) > 1 else ())
        width = len(made_of) if made_of else net.input_size
        order = _columns_in_model(columns, names, width, label_column)
        if not made_of:
            return table.inputs(columns, order)
        if not isinstance(table, Table):
            raise DataError(f"{source.name} is no table of text, as the model was trained on: write it as CSV")
        return as_inputs(table.mixed_inputs(columns, order, made_of), made_of)
    except NotTextError:
        if kind_of_file(source.name) is not None:
            raise
        raise DataError(f"{source.name} is neither a picture, nor an .npz file, nor a CSV in UTF-8") from None


def _columns_in_model(
    columns: Columns, wanted: Sequence[str] | None, width: int, label_column: str | int | None
) -> Sequence[int]:
    """Return the columns of a table that the model takes, of which it knows the names `wanted`, in its order."""
    header, kept = columns.header, list(range(columns.n))
    if header is None:
        # Where a number named the labels in training, and there is one column too many, it is the same.
        one_more = isinstance(label_column, int) and columns.n == width + 1
        spare = [label_column_index(columns, label_column)] if one_more and label_column is not None else []
    else:
        known = wanted or ()
        spare = [j for j, cell in enumerate(header) if cell not in known and _is_spare(cell, label_column)]
    if spare and (wanted is not None or columns.n - len(spare) == width):
        names = shown(columns.called(j) for j in spare)
        are = "are no inputs of the model, were" if len(spare) > 1 else "is no input of the model, was"
        warn_caller(f"{columns.name}: {names}, which {are} left out")
        kept = [j for j in kept if j not in spare]
    if wanted is None or header is None:
        _check_width(columns.name, len(kept), width)
        return kept
    try:
        order = column_order(columns.name, [header[j] for j in kept], wanted)
    except InvalidValueError as error:
        hint = "; leave the column of labels out" if len(kept) == width + 1 and not spare else ""
        raise DataError(f"{error}{hint}") from None
    return kept if order is None else [kept[place] for place in order]


def _is_spare(name: str, label_column: str | int | None) -> bool:
    """Whether a column that the model does not know holds labels or numbers the rows."""
    return is_label_name(name) or is_index_name(name) or name == label_column


def _check_width(name: str, width: int, wanted: int) -> None:
    if width != wanted:
        hint = ": leave the column of labels out" if width == wanted + 1 else ""
        raise DataError(f"{name} has {width} inputs per sample and the model takes {wanted}{hint}")


def as_model_sees(data: Dataset, net: NeuralNetwork) -> Dataset:
    """Return `data` with its classes, its columns and its scale as those that `net` was trained on.

    Classes are matched by name, those without names being called "0", "1" and so on, and so are the columns where the
    data and the net have names for them. Raises ValueError for inputs of another width than the net's, or of other
    names, for a class that the net does not know, and for values that are no pixels where those of the net are.

    >>> x, y = np.zeros((2, 3), np.float32), np.array([0, 1])
    >>> net = NeuralNetwork(input_size=3, output_size=2, seed=0)
    >>> net.class_names = ("lily", "rose")
    >>> as_model_sees(Dataset(x, y, x, y, "flowers", ("rose", "lily")), net).y_train
    array([1, 0])
    """
    if data.first_column is not None:
        data = data._replace(x_train=_as_wide(data.x_train, net), x_test=_as_wide(data.x_test, net))
    width = data.x_train.shape[1]
    if width != net.input_size:
        raise InvalidValueError(f"{data.name} has {width} inputs per sample and the model takes {net.input_size}")
    if net.feature_names is not None and data.feature_names is not None:
        order = column_order(data.name, data.feature_names, net.feature_names)
        if order is not None:
            x_train, x_test = (np.take(X, order, axis=1) for X in (data.x_train, data.x_test))
            data = data._replace(x_train=x_train, x_test=x_test)
    numbers = _numbers_in_model(data, net)
    factor = _factor(data.name, net, data.input_scale, [data.x_train, data.x_test])
    return data._replace(
        x_train=data.x_train if factor == 1 else data.x_train * factor,
        y_train=numbers[data.y_train],
        x_test=data.x_test if factor == 1 else data.x_test * factor,
        y_test=numbers[data.y_test],
        class_names=net.class_names,
        input_scale=net.input_scale,
        feature_names=net.feature_names or data.feature_names,
    )


def parts_as_model_sees(parts: Parts, net: NeuralNetwork) -> Parts:
    """Return parts with the classes numbered as in `net`. Raises DataError where it does not know one of them.

    Raises DataError also where the inputs are scaled otherwise than those that it was trained on.
    """
    if parts.input_scale != net.input_scale:
        ours, theirs = ("pixels" if scale != 1 else "no pixels" for scale in (parts.input_scale, net.input_scale))
        raise DataError(f"{parts.name} holds {ours} from 0 to 255, and the model was trained on {theirs}")
    known, names = class_names(net), parts.class_names
    if names is None and isinstance(parts, FileParts):
        names = _names(None, parts.n_classes)
    if names is None or names == known[: len(names)]:
        return parts
    unknown = [name for name in names if name not in known]
    if unknown:
        raise DataError(
            f"{parts.name} has the classes {shown(unknown)}, which the model does not know ({shown(known)})"
        )
    numbers = np.array([known.index(name) for name in names], np.int64)
    seen = copy.copy(parts)
    seen.parts, seen.class_names = tuple(_Renumbered(part, numbers) for part in parts.parts), known
    return seen


class _Renumbered(NamedTuple):
    """A part whose classes have other numbers."""

    part: Part
    numbers: Int64Array

    @property
    def name(self) -> str:
        return self.part.name

    def labels(self) -> Int64Array:
        numbered: Int64Array = self.numbers[np.asarray(self.part.labels())]
        return numbered

    def read(self) -> tuple[ArrayLike, ArrayLike]:
        X, y = self.part.read()
        return X, self.numbers[np.asarray(y)]


def standardised(data: Dataset, net: Any) -> Dataset:
    """Have a net that is still to be trained on `data` scale its inputs, by the training rows; return what it takes.

    Our own net keeps the scaling and applies it itself; any other gets data that is scaled already. Where the inputs
    are not in units of their own, and where the net has a scaling, nothing is done.

    >>> x, y = np.array([[10, 7], [20, 7], [30, 7]], np.float32), np.array([0, 1, 0])
    >>> net = NeuralNetwork(input_size=2, output_size=2, seed=0)
    >>> _ = standardised(Dataset(x, y, x, y, "tiny", in_own_units=True), net)
    >>> net.scaling.centre
    array([20.,  7.], dtype=float32)
    """
    if not data.in_own_units or (isinstance(net, NeuralNetwork) and net.scaling is not None):
        return data
    scaling = Scaling.of(data.x_train)
    if isinstance(net, NeuralNetwork):
        net.scaling = scaling
        return data
    x_train, x_test = (scaling.apply(data.name, X) for X in (data.x_train, data.x_test))
    return data._replace(x_train=x_train, x_test=x_test, in_own_units=False)


def _numbers_in_model(data: Dataset, net: NeuralNetwork) -> Int64Array:
    """Return (classes of the data,) int64: the model's number of each class, -1 for one that has no sample."""
    names = _names(data.class_names, data.n_classes)
    known = class_names(net)
    number_of = {name: number for number, name in enumerate(known)}
    numbers = np.array([number_of.get(name, -1) for name in names], np.int64)
    present = np.union1d(data.y_train, data.y_test)
    unknown = present[numbers[present] < 0]
    if len(unknown):
        raise InvalidValueError(
            f"{data.name} has the class {names[unknown[0]]!r}, which the model does not know; its classes are "
            f"{shown(known, most=10)}"
        )
    return numbers


def _factor(name: str, net: NeuralNetwork, input_scale: float, parts: Sequence[Float32Array]) -> np.float32:
    """Return the factor for inputs that were multiplied by `input_scale` already.

    Pixels are scaled where the model's were, and as they came where not. Raises DataError for values that are no pixels
    where the model's are.
    """
    if net.input_scale == input_scale:
        return np.float32(1)
    if net.input_scale == 1:
        return np.float32(1 / input_scale)
    parts = [X for X in parts if X.shape[0]]
    least, largest = float(min(X.min() for X in parts)), float(max(X.max() for X in parts))
    if net.input_scale == PIXEL_SCALE and input_scale == 1 and (least < 0 or largest > 255):
        raise DataError(
            f"{name} holds values from {least:g} to {largest:g}, and the model was trained on pixels: give it those, "
            "from 0 to 255 or from 0 to 1"
        )
    already = input_scale == 1 and largest <= 1
    return np.float32(1 if already else net.input_scale / input_scale)


def _names(names: tuple[str, ...] | None, n_classes: int) -> tuple[str, ...]:
    return names if names is not None else tuple(str(number) for number in range(n_classes))
