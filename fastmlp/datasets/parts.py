"""Files as parts of one data set that may be larger than memory: the labels are read first, the inputs in training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import Float32Array, Int64Array, SparseMatrix
from fastmlp.datasets.array_names import arrays_of_data, in_order
from fastmlp.datasets.arrow import ArrowTable, open_parquet
from fastmlp.datasets.find_parts import ARRAY_NAMES, find_parts
from fastmlp.datasets.idx_folder import read_idx_folder
from fastmlp.datasets.labels import as_class_labels, number_classes
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.pixels import PIXEL_SCALE, Inputs, scale_as_first, scale_pixels, spans_0_to_1
from fastmlp.datasets.samples import as_rows
from fastmlp.datasets.source import Source
from fastmlp.datasets.sparse import holds_sparse, read_labels_beside, read_sparse_npz, widened
from fastmlp.datasets.split import DEFAULT_TEST_FRACTION
from fastmlp.datasets.svmlight import counted_alike, is_svmlight_name, read_svmlight
from fastmlp.engine.parts import Parts
from fastmlp.engine.settings import check_integer
from fastmlp.engine.sparse_matrices import is_sparse
from fastmlp.errors import DataError, InvalidTypeError, InvalidValueError

__all__ = ["FileParts", "load_parts"]

_BYTES = 1 << 28  # of a part of a large array, in float32


class Raw(NamedTuple):
    """Inputs and labels as a file has them, and the names of its columns."""

    x: NDArray[Any]
    y: NDArray[Any]
    feature_names: tuple[str, ...] | None = None


class _Source(Protocol):
    """Where a part is read from."""

    name: str

    def labels(self) -> NDArray[Any]: ...

    def raw(self) -> Raw: ...


class _Npz:
    """An .npz with one pair of inputs and labels, as `load_files` finds them."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    def labels(self) -> NDArray[Any]:
        arrays = self._arrays(only_labels=True)
        return list(arrays.values())[-1] if len(arrays) == 1 else in_order(arrays, self.name)[1]

    def raw(self) -> Raw:
        arrays = self._arrays(only_labels=False)
        x, y = in_order(arrays, self.name) if "arr_0" in arrays else arrays.values()
        return Raw(x, y)

    def _arrays(self, only_labels: bool) -> dict[str, NDArray[Any]]:
        def choose(present: Sequence[str]) -> list[str]:
            chosen = arrays_of_data(present, self.name)
            if len(chosen) > 2:
                raise DataError(f"{self.name} has a test set of its own; a part has one pair, X and y")
            return chosen[1:] if only_labels and chosen[0] != "arr_0" else chosen

        source = Source.at(self._path)
        with source.open() as file:
            return read_npz(file, self.name, choose)


class _SparseNpz:
    """A sparse matrix as SciPy saves it, with its labels in a file beside it."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path

    def labels(self) -> NDArray[Any]:
        return read_labels_beside(self._path)[1]

    def raw(self) -> Raw:
        return Raw(read_sparse_npz(Source.at(self._path)), self.labels())


class _Svmlight:
    """A file in svmlight's format; it is read once to see its labels, how its columns count and how many it has."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        table = read_svmlight(Source.at(path))
        self.first_column, self.width = table.first_column, table.X.shape[1]
        self._y: NDArray[Any] = table.y

    def labels(self) -> NDArray[Any]:
        return self._y

    def agree(self, first_column: int, width: int) -> None:
        """Be read as one of several, whose columns count from `first_column`, and of which the widest has `width`."""
        self.first_column, self.width = first_column, width

    def raw(self) -> Raw:
        X, y, first = read_svmlight(Source.at(self._path))
        X = counted_alike(self.name, X, first, self.first_column)
        return Raw(widened(X, self.width) if X.shape[1] < self.width else X, y)


class _IdxFolder:
    """A folder of IDX files, of which the training set is a part."""

    def __init__(self, path: Path) -> None:
        self.name, self._path = str(path), path
        self._y: NDArray[Any] | None = None  # kept, as all of the folder is read for it

    def labels(self) -> NDArray[Any]:
        return self.raw().y if self._y is None else self._y

    def raw(self) -> Raw:
        part = read_idx_folder(self._path)[0]
        self._y = part.y
        return Raw(part.x, part.y)


class _Rows:
    """Rows of X.npy and y.npy, which are mapped into memory, not read."""

    def __init__(self, folder: Path, first: int, last: int) -> None:
        self.name, self._folder, self._rows = f"{folder}, rows {first} to {last - 1}", folder, slice(first, last)

    def labels(self) -> NDArray[Any]:
        return np.array(_mapped(self._folder, ARRAY_NAMES[1])[self._rows])

    def raw(self) -> Raw:
        return Raw(np.array(_mapped(self._folder, ARRAY_NAMES[0])[self._rows]), self.labels())


class _RowGroup:
    """A row group of a Parquet file."""

    def __init__(self, path: Path, group: int, label_column: str | int | None) -> None:
        self.name, self._path, self._group, self._label = f"{path}, row group {group}", path, group, label_column

    def labels(self) -> NDArray[Any]:
        if not isinstance(self._label, str):
            return self.raw().y
        with open_parquet(self._path) as file:
            column = file.read_row_group(self._group, columns=[self._label]).column(0)
        return np.array([str(value) for value in column.to_pylist()])

    def raw(self) -> Raw:
        with open_parquet(self._path) as file:
            table = ArrowTable.of(self.name, file.read_row_group(self._group))
        found = table.inputs_and_labels(self._label)
        self._label = found.label_column
        return Raw(found.X, np.array(found.labels), found.feature_names)


class _FilePart:
    """A part of files, with what all parts have agreed on."""

    def __init__(self, source: _Source, values: NDArray[Any], numbers: Int64Array) -> None:
        self._source, self._values, self._numbers = source, values, numbers
        self.is_pixels = self.is_sparse = False
        self.feature_names: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """The file, and which rows of it."""
        return self._source.name

    def labels(self) -> Int64Array:
        """Return the classes of the samples."""
        return self._numbered(self._source.labels())

    def read(self) -> tuple[Float32Array | SparseMatrix, Int64Array]:
        """Return inputs and classes; raises DataError for what does not go with the other parts."""
        raw = self._source.raw()
        if raw.feature_names != self.feature_names:
            raise DataError(
                f"{self.name} has the columns {raw.feature_names}, and the first part {self.feature_names}: "
                "the columns of all parts must agree"
            )
        if is_sparse(raw.x) != self.is_sparse:
            kinds = ("an array", "a sparse matrix")
            raise DataError(
                f"{self.name} is {kinds[not self.is_sparse]} and the first part {kinds[self.is_sparse]}: the parts "
                "must be of one kind"
            )
        if self.is_sparse:
            return raw.x, self._numbered(raw.y)
        X = as_rows(raw.x, f"{self.name}: X", check=False)  # the net looks for NaN when it packs them
        scale_as_first(Inputs(X, raw.x.dtype, "X"), self.name, self.is_pixels)
        return X, self._numbered(raw.y)

    def first(self) -> tuple[Raw, Float32Array | SparseMatrix]:
        """Return what is in the file, and its inputs as rows."""
        raw = self._source.raw()
        return raw, raw.x if is_sparse(raw.x) else as_rows(raw.x, f"{self.name}: X")

    def _numbered(self, y: NDArray[Any]) -> Int64Array:
        labels = as_class_labels(y, f"{self.name}: y")
        places = np.searchsorted(self._values, labels).clip(max=len(self._values) - 1)
        if labels.dtype.kind != self._values.dtype.kind or not np.array_equal(self._values[places], labels):
            raise DataError(f"{self.name} has other labels than when it was opened: leave the parts as they are")
        return self._numbers[places]


class FileParts(Parts):
    """`Parts` of files: also `input_size` D, `n_classes` C, `is_sparse`, and more as in a `Dataset`."""

    input_size: int
    n_classes: int
    in_own_units: bool
    is_sparse: bool
    first_column: int | None

    def divided(self, test_fraction: float | None = None) -> tuple[Self, Self]:
        """Return the parts to train on, and those to test on: the last by name, a seventh of them, but at least one.

        Raises InvalidValueError where there is only one.
        """
        if len(self) == 1:
            raise InvalidValueError(f"{self.name} is one part, which is not divided: name a file to test on")
        fraction = DEFAULT_TEST_FRACTION if test_fraction is None else test_fraction
        n = min(len(self) - 1, max(1, round(fraction * len(self))))
        return self[:-n], self[-n:]


def load_parts(
    path: str | os.PathLike[str], *, rows: int | None = None, label_column: str | int | None = None
) -> FileParts:
    """Return data in parts, for `NeuralNetwork.fit` and `score`, in the order of their names; only labels are read yet.

    Parameters
    ----------
    path
        A pattern, as `parts/*.npz`, or a folder; the notes say what its files may be.
    rows
        Samples of a part of `X.npy`; by default 256 MB of them.
    label_column
        As for `load_files`.

    Returns
    -------
    Parts
        Also with `input_size`, `n_classes`, `is_sparse`, and more as in a `Dataset`.

    Raises
    ------
    DataError
        For a part that cannot be read or does not go with the others; the message has its name.

    Notes
    -----
    The files are

    - `.npz`, each with one pair of inputs and labels, as `load_files` reads them;
    - `.parquet`, of which each row group is a part, where PyArrow is installed;
    - `.npz` of `scipy.sparse.save_npz`, with labels beside it, and `.svm`, `.svmlight` or `.libsvm`, as `load_files`
      reads them; an svmlight file is read once to see its labels;
    - folders of IDX files, of which the training set is a part;
    - or the folder holds `X.npy` and `y.npy`, which are mapped, and cut into parts of `rows` rows.

    Classes are numbered over all parts. The first part says whether the inputs are pixels, to be scaled by 1/255, and
    which columns there are.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for k in range(2):
    ...         np.savez(f"{folder}/{k}.npz", X=np.eye(3, dtype=np.float32), y=["a", "b", "ac"[k]])
    ...     parts = load_parts(f"{folder}/*.npz")
    >>> len(parts), parts.input_size, parts.class_names
    (2, 3, ('a', 'b', 'c'))
    """
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidTypeError(f"the parts are {path!r}; name them as in 'parts/*.npz', or a folder")
    rows = None if rows is None else check_integer("rows", rows)
    sources = [source for each in find_parts(path) for source in _sources(each, rows, label_column)]
    first_column = _count_alike([source for source in sources if isinstance(source, _Svmlight)])
    parts, class_names, n_classes = _with_classes(sources, str(path))
    raw, X = parts[0].first()
    sparse = is_sparse(X)
    is_pixels = not sparse and scale_pixels([Inputs(X, raw.x.dtype, "X")], parts[0].name)
    for part in parts:
        part.is_sparse, part.is_pixels, part.feature_names = sparse, is_pixels, raw.feature_names
    found = FileParts(
        parts,
        class_names=class_names,
        feature_names=raw.feature_names,
        input_scale=PIXEL_SCALE if is_pixels else 1.0,
    )
    found.name, found.input_size, found.n_classes = str(path), X.shape[1], n_classes
    found.in_own_units = not (sparse or is_pixels) and raw.x.ndim == 2 and not spans_0_to_1(X)
    found.is_sparse, found.first_column = sparse, first_column
    return found


def _sources(path: Path, rows: int | None, label_column: str | int | None) -> Iterator[_Source]:
    """The parts that one path holds."""
    if path.is_dir():
        if not all((path / name).is_file() for name in ARRAY_NAMES):
            yield _IdxFolder(path)
            return
        X, y = (_mapped(path, name) for name in ARRAY_NAMES)
        if X.ndim < 2 or len(X) != len(y):
            raise DataError(f"{path}: X.npy has the shape {X.shape} and y.npy {y.shape}; they must agree in rows")
        step = rows or max(1, _BYTES // (4 * max(1, X.size // len(X))))
        for first, last in pairwise([*range(0, len(X), step), len(X)]):
            yield _Rows(path, first, last)
    elif path.suffix.lower() == ".npz":
        yield _SparseNpz(path) if holds_sparse(Source.at(path)) else _Npz(path)
    elif is_svmlight_name(path.name):
        yield _Svmlight(path)
    elif path.suffix.lower() == ".parquet":
        with open_parquet(path) as file:
            groups, named = file.num_row_groups, label_column
            if groups and not isinstance(named, str):
                named = ArrowTable.of(str(path), file.read_row_group(0)).inputs_and_labels(label_column).label_column
        for group in range(groups):
            yield _RowGroup(path, group, named)
    else:
        raise DataError(f"{path} is no part; parts are .npz, .parquet or .svm files, or folders of IDX files")


def _count_alike(sources: Sequence[_Svmlight]) -> int | None:
    """Have svmlight files count their columns from the same number, returned, and have as many as the widest."""
    if not sources:
        return None
    first = min(source.first_column for source in sources)
    width = max(source.width + source.first_column - first for source in sources)
    for source in sources:
        source.agree(first, width)
    return first


def _with_classes(sources: Sequence[_Source], name: str) -> tuple[list[_FilePart], tuple[str, ...] | None, int]:
    """Read the labels of all parts and number the classes; return the parts, the classes' names and their number."""
    values = []
    for source in sources:
        labels = as_class_labels(source.labels(), f"{source.name}: y")
        if not len(labels):
            raise DataError(f"{source.name} has no samples: leave it out")
        values.append(np.unique(labels))
        if values[-1].dtype.kind != values[0].dtype.kind:
            kinds = ["text" if each.dtype.kind == "U" else "numbers" for each in (values[-1], values[0])]
            raise DataError(
                f"{source.name} has labels of {kinds[0]} and {sources[0].name} of {kinds[1]}: the classes of all parts "
                "must be named alike"
            )
    numbered = number_classes(values, f"{name}: y")
    parts = [_FilePart(*each) for each in zip(sources, values, numbered.parts, strict=True)]
    return parts, numbered.names, 1 + max(int(numbers.max()) for numbers in numbered.parts)


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    """Return an .npy as a memory map."""
    try:
        array: NDArray[Any] = np.load(folder / name, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise DataError(f"{folder / name} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise DataError(f"{folder / name} is damaged or holds Python objects ({error}); save it again") from None
    return array
