"""A person's own data: arrays, a table such as CSV, or a folder of IDX files."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import SparseMatrix
from fastmlp.caller import warn_caller
from fastmlp.datasets.array_names import arrays_of_data, in_order
from fastmlp.datasets.choice import STANDARD_INPUT
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.find_parts import names_parts
from fastmlp.datasets.idx_folder import is_set, read_idx_folder
from fastmlp.datasets.kinds import kind_of_file, open_table
from fastmlp.datasets.labels import number_classes
from fastmlp.datasets.matlab import read_mat
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.pixels import PIXEL_SCALE, Inputs, counts_told, scale_pixels, spans_0_to_1
from fastmlp.datasets.samples import as_rows
from fastmlp.datasets.source import Source, expand_home
from fastmlp.datasets.sparse import holds_sparse, read_labels_beside, read_sparse_npz
from fastmlp.datasets.split import DEFAULT_TEST_FRACTION, split
from fastmlp.datasets.standard_input import named_source
from fastmlp.datasets.svmlight import looks_like_svmlight, read_svmlight, together
from fastmlp.engine.feature_names import column_order
from fastmlp.engine.settings import check_integer
from fastmlp.engine.sparse_matrices import is_sparse
from fastmlp.engine.table_columns import TableColumn
from fastmlp.errors import DataError, InvalidTypeError, InvalidValueError

__all__ = ["Part", "as_test_set", "assemble", "divided", "load_files", "load_for_testing"]


class Part(NamedTuple):
    """Inputs and labels as they were read, what the file calls them, and how they were read."""

    x: NDArray[Any] | SparseMatrix
    y: NDArray[Any]
    x_name: str
    y_name: str
    feature_names: tuple[str, ...] | None = None
    label_column: str | None = None
    notes: tuple[tuple[str, str], ...] = ()
    table_columns: tuple[TableColumn, ...] | None = None
    first_column: int | None = None


def load_files(
    path: str | os.PathLike[str],
    *,
    test: str | os.PathLike[str] | None = None,
    test_fraction: float | None = None,
    label_column: str | int | None = None,
    header: bool | None = None,
    seed: int = 0,
) -> Dataset:
    """Return a person's own data as a training and a test set.

    Parameters
    ----------
    path
        The file or folder; the notes say which kinds there are.
    test
        A file of its own to test on, of any of these kinds, read as `path` is.
    test_fraction
        Where there is no test set, the part of each class that is held back for testing; by default 1/7.
    label_column
        A table's column of the labels, by name or by number, counted from 1, or from -1 backwards. By default the
        column that is called as labels are (label, class, target, species and so on), or the only one of text, else the
        last.
    header
        Whether a table's first row names its columns; by default the content says so.
    seed
        Chooses the rows that are held back. A class of one row stays in the training set.

    Returns
    -------
    Dataset
        Named as the file or folder.

    Raises
    ------
    DataError
        Where the data cannot be read or is not as the notes say.
    ValueError, TypeError
        For an option that cannot be used.
    ImportError
        Where a library is not installed.

    Warns
    -----
    UserWarning
        Where something was guessed, and says what.

    Notes
    -----
    `path` is one of

    - an `.npz`, or a `.mat` where SciPy is installed, with `x_train, y_train` and, if there is a test set, `x_test,
      y_test`; or with `X, y`; or with other common names. Labels may be one-hot. Arrays of Python objects are refused.
    - a table (`.csv`, `.tsv`, `.txt`, each also with `.gz` or `.zip`), a row per sample, with or without a header; or,
      where PyArrow is installed, a `.parquet` or `.feather`.
    - a sparse matrix, where SciPy is installed: an `.npz` of `scipy.sparse.save_npz`, with the labels beside it (those
      of `X_train.npz` in `y_train.npy`, of `words.npz` in `words.y.npy`); or, with scikit-learn, an svmlight or libsvm
      file (`.svm`, `.svmlight`, `.libsvm`, or any that begins like one), also with `.gz` or `.bz2`.
    - a folder of IDX files with the names of MNIST, EMNIST or QMNIST, plain or `.gz`; the test files may be missing.
      Of several sets in a folder name one, as in `emnist/emnist-letters`.
    - `-` for standard input, or a pipe, with a table or an `.npz`.

    Images (n, h, w) become rows. Pixels (uint8 beyond 127, whole numbers from 0 to 255) are scaled by 1/255, with a
    UserWarning; other numbers stay as they are. Labels are the whole numbers 0 to C - 1, or anything else that names
    classes, which are then numbered in order.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("length,width,kind\\n5,3,rose\\n6,2,lily\\n5,4,rose\\n7,2,lily\\n")
    ...     data = load_files(path, test_fraction=0.5)
    >>> data.name, data.x_train.shape, data.y_train.tolist(), data.class_names, data.feature_names
    ('flowers.csv', (2, 2), [1, 0], ('lily', 'rose'), ('length', 'width'))
    """
    path = _checked_path(path)
    fraction = DEFAULT_TEST_FRACTION if test_fraction is None else _checked_fraction(test_fraction)
    seed = check_integer("seed", seed, minimum=0)
    parts = _read(path, label_column, header)
    if len(parts) == 2 and test_fraction is not None:
        raise InvalidValueError(f"{path} has a test set of its own; leave test_fraction out")
    if test is not None:
        if len(parts) == 2 or test_fraction is not None:
            raise InvalidValueError(f"{path} has a test set, or test_fraction makes one; leave out the file {test}")
        parts.append(_read_test(_checked_path(test), parts[0], label_column, header))
    whole = assemble(path, parts, fewest_classes=2, test_part=f"the file {test}" if test else "its own")
    return whole if len(parts) == 2 else divided(whole, fraction, seed)


def divided(whole: Dataset, fraction: float, seed: int) -> Dataset:
    """Return a dataset without a test set with a part of each class held back for one."""
    kept, held_back = split(whole.y_train, fraction, seed)
    x, y = whole.x_train, whole.y_train
    note = ("test part", f"{fraction:.4g} of each class, chosen by the seed {seed}")
    return whole._replace(
        x_train=x[kept], y_train=y[kept], x_test=x[held_back], y_test=y[held_back], notes=(*whole.notes, note)
    )


def load_for_testing(
    path: str | os.PathLike[str], *, label_column: str | int | None = None, header: bool | None = None
) -> Dataset:
    """Return all rows of a person's own data as a test set, the training set being empty; one class is enough.

    Where the data has a test set of its own, that is it, and the training set is not empty. The arguments are those of
    `load_files`, which names what is raised.
    """
    path = _checked_path(path)
    parts = _read(path, label_column, header)
    whole = assemble(path, parts, fewest_classes=1, test_part="its own")
    if len(parts) == 2:
        return whole
    return as_test_set(whole)


def as_test_set(whole: Dataset) -> Dataset:
    """Return a dataset without a test set with all its rows as one."""
    x, y = whole.x_train, whole.y_train
    return whole._replace(
        x_train=x[:0], y_train=y[:0], x_test=x, y_test=y, notes=(*whole.notes, ("test part", "all rows"))
    )


def assemble(path: Path, parts: list[Part], fewest_classes: int, test_part: str) -> Dataset:
    """Return one or two parts as a dataset; that of one part has no test set yet."""
    if any(is_sparse(part.x) for part in parts):
        return _assemble_sparse(path, parts, fewest_classes, test_part)
    inputs = [as_rows(part.x, f"{path}: {part.x_name}") for part in parts]
    _check_shapes(path, parts, [X.shape[1] for X in inputs])
    labels, class_names = number_classes([part.y for part in parts], f"{path}: {parts[0].y_name}", fewest_classes)
    found = [Inputs(X, part.x.dtype, part.x_name) for X, part in zip(inputs, parts, strict=True)]
    pixels = parts[0].table_columns is None and scale_pixels(found, str(path))
    if pixels:
        warn_caller(f"{_name(path)}: the inputs are pixels from 0 to 255 and were scaled by 1/255")
    elif (told := counts_told(found[0])) is not None:
        warn_caller(f"{_name(path)}: {told}")
    in_own_units = not pixels and all(part.x.ndim == 2 for part in parts) and not spans_0_to_1(inputs[0])
    notes = (*parts[0].notes, ("scaling", "pixels, by 1/255" if pixels else "none"))
    x_test, y_test = (inputs[1], labels[1]) if len(parts) == 2 else (inputs[0][:0], labels[0][:0])
    if len(parts) == 2:
        notes = (*notes, ("test part", test_part))
    return Dataset(
        inputs[0],
        labels[0],
        x_test,
        y_test,
        _name(path),
        class_names,
        PIXEL_SCALE if pixels else 1.0,
        parts[0].feature_names,
        notes,
        in_own_units,
        parts[0].table_columns,
    )


def _assemble_sparse(path: Path, parts: list[Part], fewest_classes: int, test_part: str) -> Dataset:
    """Return sparse parts as a dataset, with the same columns; their values stay as they are."""
    if not all(is_sparse(part.x) for part in parts):
        raise DataError(f"{path}: one of training and test set is sparse and the other is not; write both alike")
    inputs = together([(f"{path}: {part.x_name}", part.x, part.first_column) for part in parts])
    _check_shapes(path, parts, [X.shape[1] for X in inputs])
    labels, class_names = number_classes([part.y for part in parts], f"{path}: {parts[0].y_name}", fewest_classes)
    columns = [part.first_column for part in parts if part.first_column is not None]
    notes = [("inputs", "sparse, as they are"), ("test part", test_part)][: len(parts)]
    if columns:
        notes.insert(0, ("columns", f"numbered from {min(columns)}"))
    return Dataset(
        inputs[0],
        labels[0],
        inputs[1] if len(parts) == 2 else inputs[0][:0],
        labels[1] if len(parts) == 2 else labels[0][:0],
        _name(path),
        class_names,
        notes=tuple(notes),
        first_column=min(columns, default=None),
    )


def _name(path: Path) -> str:
    """Return what the data is called."""
    return "stdin" if str(path) == STANDARD_INPUT else path.resolve().name


def _checked_path(path: str | os.PathLike[str]) -> Path:
    if not isinstance(path, (str, os.PathLike)):
        raise InvalidTypeError(f"the dataset is {path!r}; name an .npz, a .csv or a folder of IDX files")
    if not os.fspath(path):
        raise DataError("the dataset has no name; name an .npz, a .csv or a folder of IDX files")
    return expand_home(path)


def _checked_fraction(fraction: Any) -> float:
    if not isinstance(fraction, Real):
        raise InvalidTypeError(f"test_fraction is {fraction!r}; it must be a number between 0 and 1")
    number = float(fraction)
    if not 0 < number < 1:
        raise InvalidValueError(f"test_fraction is {fraction}; it must lie between 0 and 1")
    return number


def _read(path: Path, label_column: str | int | None, header: bool | None) -> list[Part]:
    """Read the training set and, where there is one, the test set, whatever the path holds."""
    is_empty = False
    if str(path) != STANDARD_INPUT:
        try:
            found = path.stat()
        except FileNotFoundError:
            if is_set(path):
                _refuse_table_options(path, label_column, header)
                return [Part(*part) for part in read_idx_folder(path.parent, path.name)]
            if names_parts(path):
                raise DataError(
                    f"{path} names data in parts, which `fastmlp train` and `evaluate` take, and load_parts in Python; "
                    "name one file here"
                ) from None
            raise DataError(
                f"{path} does not exist; name an .npz, a .csv or a folder of IDX files, or one of auto, mnist and "
                "synthetic"
            ) from None
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror}") from None
        except ValueError:  # a null character
            raise DataError(f"{str(path)!r} cannot be the name of a file or folder") from None
        if stat.S_ISDIR(found.st_mode):
            _refuse_table_options(path, label_column, header)
            return [Part(*part) for part in read_idx_folder(path)]
        if stat.S_ISREG(found.st_mode):
            is_empty = found.st_size == 0
            if kind_of_file(path.name) is None and not looks_like_svmlight(Source.at(path)):
                raise DataError(
                    f"{path} is not of a known kind; name an .npz, a .csv (or .tsv, .txt, .gz, .zip), a .parquet, an "
                    "svmlight file or a folder of IDX files"
                )
    source = named_source(path)
    kind = kind_of_file(path.name, source)
    if kind in ("text", "arrow"):
        return [_read_table(source, label_column, header)]
    _refuse_table_options(path, label_column, header)
    if is_empty:
        raise DataError(f"{path} is empty; save x_train and y_train, or X and y, with numpy.savez")
    if kind == "svmlight":
        X, y, first_column = read_svmlight(source)
        return [Part(X, y, "the matrix", "the labels", first_column=first_column)]
    if kind == "npz" and holds_sparse(source):
        if not isinstance(source.place, Path):
            raise DataError(f"{source.name} is a sparse matrix without labels: name a file, with labels beside it")
        y_name, y = read_labels_beside(source.place)
        return [Part(read_sparse_npz(source), y, "the matrix", y_name)]
    return _read_arrays(source, kind)


def _refuse_table_options(path: Path, label_column: str | int | None, header: bool | None) -> None:
    for name, value in (("label_column", label_column), ("header", header)):
        if value is not None:
            raise InvalidValueError(f"{name} is for CSV files and other tables, which {path} is not")


def _read_table(source: Source, label_column: str | int | None, header: bool | None) -> Part:
    table = open_table(source, header).inputs_and_labels(label_column)
    return Part(
        table.X,
        np.array(table.labels),
        "the table",
        "the label column",
        table.feature_names,
        table.label_column,
        table.notes,
    )


def _read_test(path: Path, train: Part, label_column: str | int | None, header: bool | None) -> Part:
    """Read a test set from a file of its own, its columns in the order of those of the training set."""
    named = label_column is not None or train.label_column is None or train.feature_names is None
    parts = _read(path, label_column if named else train.label_column, header)
    if len(parts) == 2:
        raise DataError(f"{path} has a training and a test set; name a file that has only the one to test on")
    if not named and parts[0].feature_names is None:
        raise DataError(
            f"{path} has no header with a name for each column, as the training set has; add one, or say with "
            "--label-column which column holds the labels"
        )
    test = parts[0]._replace(x_name=f"{parts[0].x_name} in {path.name}")
    if train.feature_names is not None and test.feature_names is not None:
        try:
            order = column_order(str(path), test.feature_names, train.feature_names)
        except InvalidValueError as error:
            raise DataError(str(error).replace("the model does not know", "the training set lacks")) from None
        if order is not None:
            test = test._replace(x=np.take(test.x, order, axis=1))
    return test


def _read_arrays(source: Source, kind: str) -> list[Part]:
    """Read the arrays of an .npz or .mat that belong to a dataset."""

    def choose(present: Sequence[str]) -> list[str]:
        return arrays_of_data(present, source.name)

    with source.open() as file:
        if kind == "mat":
            stored = read_mat(file, source.name)
            arrays = {key: stored[key] for key in choose(list(stored))}
        else:
            arrays = read_npz(file, source.name, choose)
    names, values = list(arrays), list(arrays.values())
    if names[0] == "arr_0":
        values = in_order(arrays, source.name)
        names = ["X", "y"] if len(values) == 2 else ["x_train", "y_train", "x_test", "y_test"]
    return [
        Part(x, y.reshape(-1) if y.shape == (1, *x.shape[:1]) else y, x_name, y_name)
        for x, y, x_name, y_name in zip(values[::2], values[1::2], names[::2], names[1::2], strict=True)
    ]


def _check_shapes(path: Path, parts: list[Part], widths: list[int]) -> None:
    """Refuse parts whose inputs and labels differ in length, or that differ in width."""
    for part in parts:
        n = part.x.shape[0]
        if part.y.ndim == 0 or n != len(part.y):
            count = len(part.y) if part.y.ndim else "a single value"
            raise DataError(f"{path}: {part.x_name} has {n} rows and {part.y_name} {count}; they must agree")
    if widths[0] != widths[-1]:
        raise DataError(
            f"{path}: {parts[0].x_name} has {widths[0]} inputs per row and {parts[-1].x_name} {widths[-1]}; "
            "they must agree"
        )
