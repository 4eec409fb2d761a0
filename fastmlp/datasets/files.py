"""A person's own data: an .npz, a table such as CSV, or a folder of IDX files."""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Sequence
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.idx import find_idx, read_idx
from fastmlp.datasets.labels import number_classes
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.samples import as_rows, scale_pixels
from fastmlp.datasets.source import Source, expand_home
from fastmlp.datasets.split import DEFAULT_TEST_FRACTION, split
from fastmlp.datasets.table import Table
from fastmlp.engine.settings import check_integer
from fastmlp.errors import DataError, InvalidTypeError, InvalidValueError

__all__ = ["load_files"]

_TABLE_SUFFIXES = (".csv", ".tsv", ".txt")


class _Part(NamedTuple):
    """Inputs and labels as they were read, and what the file calls them."""

    x: NDArray[Any]
    y: NDArray[Any]
    x_name: str
    y_name: str


def load_files(
    path: str | os.PathLike[str],
    *,
    test_fraction: float | None = None,
    label_column: str | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Return a person's own data as a training and a test set, named as the file or folder.

    `path` is one of

    - an `.npz` with `x_train, y_train` and, if there is a test set, `x_test, y_test`; or with `X, y`. Labels may be
      one-hot. Arrays of Python objects are refused.
    - a table (`.csv`, `.tsv`, `.txt`, each also with `.gz`), a row per sample, with or without a header.
    - a folder of IDX files with MNIST's names, plain or `.gz`; the t10k files may be missing.

    Images (n, h, w) become rows. Pixels, that is uint8 or whole numbers from 0 up to 255, are scaled by 1/255, with a
    UserWarning; other numbers stay as they are. Labels are the whole numbers 0 to C - 1, or anything else that names
    classes, which are then numbered in order.

    `test_fraction`, by default 1/7, is the part of each class that is held back for testing where the data has no test
    part; `seed` chooses the rows, and a class of one row stays in the training set. `label_column` is a table's column
    of the labels, by name or by number, counted from 1, or from -1 backwards; by default the column called label,
    class, target or y, else the last.

    Raises DataError where the data cannot be read or is not as above; ValueError or TypeError for an option with a
    value that it cannot have, or that does not apply to the data.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("length,width,kind\\n5,3,rose\\n6,2,lily\\n5,4,rose\\n7,2,lily\\n")
    ...     data = load_files(path, test_fraction=0.5)
    >>> data.name, data.x_train.shape, data.y_train.tolist(), data.class_names
    ('flowers.csv', (2, 2), [1, 0], ('lily', 'rose'))
    """
    path = _checked_path(path)
    fraction = DEFAULT_TEST_FRACTION if test_fraction is None else _checked_fraction(test_fraction)
    seed = check_integer("seed", seed, minimum=0)
    parts = _read(path, label_column)
    if len(parts) == 2 and test_fraction is not None:
        raise InvalidValueError(f"{path} has a test set of its own; leave test_fraction out")

    inputs = [as_rows(part.x, f"{path}: {part.x_name}") for part in parts]
    _check_shapes(path, parts, [X.shape[1] for X in inputs])
    labels, class_names = number_classes([part.y for part in parts], f"{path}: {parts[0].y_name}")
    pixels = scale_pixels(inputs[0], parts[0].x.dtype)
    if pixels:
        for X in inputs[1:]:
            np.divide(X, np.float32(255), out=X)
        warnings.warn(
            f"{path.name}: the inputs are pixels from 0 to 255 and were scaled by 1/255", UserWarning, stacklevel=2
        )
    if len(parts) == 2:
        (x_train, x_test), (y_train, y_test) = inputs, labels
    else:
        kept_and_held_back = split(labels[0], fraction, seed)
        x_train, x_test = (inputs[0][rows] for rows in kept_and_held_back)
        y_train, y_test = (labels[0][rows] for rows in kept_and_held_back)
    return Dataset(x_train, y_train, x_test, y_test, path.resolve().name, class_names, 1 / 255 if pixels else 1.0)


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


def _read(path: Path, label_column: str | int | None) -> list[_Part]:
    """Read the training set and, where there is one, the test set, whatever the path holds."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; name an .npz, a .csv or a folder of IDX files, or one of auto, mnist and synthetic"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:  # a null character
        raise DataError(f"{str(path)!r} cannot be the name of a file or folder") from None
    is_folder = stat.S_ISDIR(found.st_mode)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if not is_folder and suffix in _TABLE_SUFFIXES:
        x, labels = Table(Source.at(path)).inputs_and_labels(label_column)
        return [_Part(x, np.array(labels), "the table", "the label column")]
    if label_column is not None:
        raise InvalidValueError(f"label_column is for CSV files, which {path} is not")
    if is_folder:
        return _read_folder(path)
    if suffix != ".npz":
        raise DataError(
            f"{path} is not of a known kind; name an .npz, a .csv (or .tsv, .txt, .gz) or a folder of IDX files"
        )
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        raise DataError(f"{path} is empty; save x_train and y_train, or X and y, with numpy.savez")
    return _read_npz(path)


def _read_folder(folder: Path) -> list[_Part]:
    """Read IDX files that have MNIST's names."""

    def part(prefix: str) -> _Part | None:
        found = {}
        for name in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"):
            path = find_idx(folder, name)
            if path is not None:
                found[name] = read_idx(path), path.name
        if len(found) == 1:
            missing = "labels" if "images" in next(iter(found)) else "images"
            raise DataError(f"{folder} has {next(iter(found))} but lacks its {missing}")
        if not found:
            return None
        (x, x_name), (y, y_name) = found.values()
        return _Part(x, y, x_name, y_name)

    try:
        train, test = part("train"), part("t10k")
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    if train is None:
        raise DataError(
            f"{folder} lacks train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz; "
            "a folder must hold IDX files with MNIST's names"
        )
    return [train] if test is None else [train, test]


def _read_npz(path: Path) -> list[_Part]:
    """Read the arrays of an .npz that belong to a dataset."""

    def choose(present: Sequence[str]) -> list[str]:
        names = ["X", "y"]
        if {"x_train", "y_train"} <= set(present):
            names = ["x_train", "y_train"]
            if {"x_test", "y_test"} & set(present):
                names += ["x_test", "y_test"]
        for name in names:
            if name not in present:
                raise DataError(
                    f"{path} lacks the array {name}; it has {', '.join(sorted(present)) or 'none'}"
                    " and needs x_train, y_train (and x_test, y_test), or X, y"
                )
        return names

    with Source.at(path).open() as file:
        found = list(read_npz(file, str(path), choose).items())
    return [_Part(x, y, x_name, y_name) for (x_name, x), (y_name, y) in zip(found[::2], found[1::2], strict=True)]


def _check_shapes(path: Path, parts: list[_Part], widths: list[int]) -> None:
    """Refuse parts whose inputs and labels differ in length, or that differ in width."""
    for x, y, x_name, y_name in parts:
        if y.ndim == 0 or len(x) != len(y):
            count = len(y) if y.ndim else "a single value"
            raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} {count}; they must agree")
    if widths[0] != widths[-1]:
        raise DataError(
            f"{path}: {parts[0].x_name} has {widths[0]} inputs per row and {parts[-1].x_name} {widths[-1]}; "
            "they must agree"
        )
