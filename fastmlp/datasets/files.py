"""A person's own data: an .npz, a CSV, or a folder of IDX files."""

import os
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.datasets.cache import expand_home
from fastmlp.datasets.dataset import Dataset, all_finite
from fastmlp.datasets.idx import find_idx, parse_idx, read_content
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.table import read_table
from fastmlp.errors import DataError, InvalidValueError

DEFAULT_TEST_FRACTION = 1 / 7
"""As large a part as MNIST's."""
_TABLE_SUFFIXES = (".csv", ".tsv", ".txt")
_LARGEST_LABEL = 2**53
"""Beyond, two whole numbers may be the same float."""
_Array = npt.NDArray[np.generic]


class _Part(NamedTuple):
    """Inputs and labels as they were read, and what the file calls them."""

    x: _Array
    y: _Array
    x_name: str
    y_name: str


def load_files(
    path: str | os.PathLike[str],
    *,
    test_fraction: float | None = None,
    label_column: str | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Return a person's own data as a training and a test part.

    Images (n, h, w) become rows. Pixels, that is uint8 or whole numbers from 0 up to 255, are
    scaled by 1/255, which a UserWarning says; other numbers stay as they are. Labels are the whole
    numbers 0 to C - 1, or anything else that names classes, which are then numbered in order.

    Parameters
    ----------
    path : path
        One of:

        - ``.npz`` with ``x_train, y_train`` and, if there is a test part, ``x_test, y_test``; or
          with ``X, y``. Labels may be one-hot. Arrays of Python objects are refused.
        - ``.csv`` (also ``.tsv``, ``.txt``, and each with ``.gz``), one row per sample, with or
          without a header.
        - a folder of IDX files with MNIST's names, plain or ``.gz``; the t10k files may be missing.
    test_fraction : float, optional
        The part of each class that is held back for testing where the data has no test part;
        default 1/7. A class of one row stays in the training part.
    label_column : str or int, optional
        The CSV column of the labels, by name or by number, counted from 1, or from -1 backwards.
        Default: the column called label, class, target or y, else the last.
    seed : int
        Chooses the rows that are held back.

    Returns
    -------
    Dataset
        Named as the file or folder.

    Raises
    ------
    DataError
        Where the data cannot be read or is not as above; the message says where it is wrong.
    ValueError
        Where ``test_fraction`` is not between 0 and 1, or an option does not apply to the data.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "flowers.csv")
    ...     _ = path.write_text("length,width,kind\\n5,3,rose\\n6,2,lily\\n5,4,rose\\n7,2,lily\\n")
    ...     data = load_files(path, test_fraction=0.5)
    >>> data.name, data.x_train.shape, data.y_train.tolist(), data.class_names
    ('flowers.csv', (2, 2), [1, 0], ('lily', 'rose'))
    """
    if not os.fspath(path):
        raise DataError("the dataset has no name; name an .npz, a .csv or a folder of IDX files")
    path = expand_home(path)
    if test_fraction is not None and not 0 < test_fraction < 1:
        raise InvalidValueError(f"test_fraction must lie between 0 and 1, not be {test_fraction}")
    train, test = _read(path, label_column)
    if test is not None and test_fraction is not None:
        raise InvalidValueError(f"{path} has a test part of its own; leave test_fraction out")

    for part in (train, test) if test is not None else (train,):
        _check_lengths(path, part)
    y_train, y_test, class_names = _number_classes(path, train, test)
    x_train = _inputs(path, train)
    if test is not None:
        x_test = _inputs(path, test)
        if x_train.shape[1] != x_test.shape[1]:
            raise DataError(
                f"{path}: {train.x_name} has {x_train.shape[1]} inputs per row and "
                f"{test.x_name} {x_test.shape[1]}; they must agree"
            )
    pixels = _scale_pixels(x_train, train.x.dtype)
    if pixels:
        if test is not None:
            np.divide(x_test, np.float32(255), out=x_test)
        warnings.warn(
            f"{path.name}: the inputs are pixels from 0 to 255 and were scaled by 1/255",
            UserWarning,
            stacklevel=2,
        )
    if test is None:
        kept, held_back = _split(y_train, test_fraction or DEFAULT_TEST_FRACTION, seed)
        x_test, y_test = x_train[held_back], y_train[held_back]
        x_train, y_train = x_train[kept], y_train[kept]
    input_scale = 1 / 255 if pixels else 1.0
    return Dataset(x_train, y_train, x_test, y_test, path.resolve().name, class_names, input_scale)


def _read(path: Path, label_column: str | int | None) -> tuple[_Part, _Part | None]:
    """Read the training part and, where there is one, the test part, whatever the path holds."""
    try:
        found = path.stat()
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; name an .npz, a .csv or a folder of IDX files, or one of auto, mnist and synthetic"
        ) from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    is_folder = stat.S_ISDIR(found.st_mode)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if not is_folder and suffix in _TABLE_SUFFIXES:
        x, labels = read_table(path, label_column)
        return _Part(x, np.array(labels), "the table", "the label column"), None
    if label_column is not None:
        raise InvalidValueError(f"label_column is for CSV files, which {path} is not")
    if is_folder:
        return _read_folder(path)
    if suffix != ".npz":
        raise DataError(
            f"{path} is of no known kind; name an .npz, a .csv (or .tsv, .txt, .gz) or a folder of IDX files"
        )
    if found.st_size == 0:
        raise DataError(f"{path} is empty; save x_train and y_train, or X and y, with numpy.savez")
    return _read_npz(path)


def _read_folder(folder: Path) -> tuple[_Part, _Part | None]:
    """Read IDX files that have MNIST's names."""

    def part(prefix: str) -> _Part | None:
        found = {}
        for name in (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"):
            path = find_idx(folder, name)
            if path is not None:
                found[name] = parse_idx(read_content(path), str(path)), path.name
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
    return train, test


def _read_npz(path: Path) -> tuple[_Part, _Part | None]:
    """Read the arrays of an .npz that belong to a data set."""

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

    try:
        with path.open("rb") as file:
            found = list(read_npz(file, str(path), choose).items())
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    parts = [_Part(x, y, x_name, y_name) for (x_name, x), (y_name, y) in zip(found[::2], found[1::2], strict=True)]
    return parts[0], parts[1] if len(parts) == 2 else None


def _check_lengths(path: Path, part: _Part) -> None:
    """Refuse a part whose arrays have the wrong dimensions or different lengths."""
    x, y, x_name, y_name = part
    if x.ndim < 2:
        raise DataError(
            f"{path}: {x_name} has the shape {x.shape}; it must be (samples, inputs) or (samples, height, width)"
        )
    if x.size == 0:
        raise DataError(f"{path}: {x_name} is empty, its shape is {x.shape}")
    if y.ndim == 0 or len(x) != len(y):
        count = len(y) if y.ndim else "a single value"
        raise DataError(f"{path}: {x_name} has {len(x)} rows and {y_name} {count}; they must agree")


def _inputs(path: Path, part: _Part) -> Float32Array:
    """Return the inputs of a part as rows of finite float32 numbers, in an array of their own."""
    if part.x.dtype.kind not in "buif":
        raise DataError(f"{path}: {part.x_name} holds {part.x.dtype}, not real numbers")
    with np.errstate(over="ignore"):
        x = part.x.reshape(len(part.x), -1).astype(np.float32, order="C")
    if not all_finite(x):
        row, column = np.argwhere(~np.isfinite(x))[0]
        value = part.x.reshape(x.shape)[row, column]
        raise DataError(
            f"{path}: {part.x_name} has {value} in row {row}, column {column} (from 0); inputs "
            "must be finite float32 numbers"
        )
    return x


def _scale_pixels(x: Float32Array, dtype: np.dtype[np.generic]) -> bool:
    """Scale pixels by 1/255 in place; return whether ``x``, read as ``dtype``, holds pixels."""
    least, most = float(x.min()), float(x.max())
    if dtype == np.uint8:
        pixels = most > 1
    else:
        pixels = least == 0 and most == 255 and all(np.array_equal(r, np.rint(r)) for r in x)
    if pixels:
        np.divide(x, np.float32(255), out=x)
    return pixels


def _number_classes(
    path: Path, train: _Part, test: _Part | None
) -> tuple[Int64Array, Int64Array, tuple[str, ...] | None]:
    """Return both parts' labels as 0 to C - 1, and the classes' names where those say more."""
    labels = [_labels(path, part) for part in (train, test) if part is not None]
    if len({part.dtype.kind for part in labels}) > 1:
        raise DataError(f"{path}: {train.y_name} and the test part's labels are of different kinds")
    values, codes = np.unique(np.concatenate(labels), return_inverse=True)
    names = tuple(str(value) for value in values)
    if len(names) < 2:
        raise DataError(
            f"{path}: {train.y_name} has one class only ({names[0]}); a classifier needs two or "
            "more, so check which column or array holds the labels"
        )
    y = codes.astype(np.int64).reshape(-1)
    y_train, y_test = y[: len(labels[0])], y[len(labels[0]) :]
    counted = names == tuple(str(k) for k in range(len(names)))
    return y_train, y_test, None if counted else names


def _labels(path: Path, part: _Part) -> npt.NDArray[np.str_] | Int64Array:
    """Return the labels (n,) as text, or as int64 where they are or read as whole numbers."""
    y: npt.NDArray[Any] = part.y
    if y.dtype.kind == "S":
        y = np.char.decode(y, "utf-8", "replace")
    if y.dtype.kind not in "Ubuif":
        raise DataError(f"{path}: {part.y_name} holds {y.dtype}; labels are whole numbers or text")
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind != "U":
        one_hot = ((y == 0) | (y == 1)).all(axis=1) & (y.sum(axis=1) == 1)
        if not one_hot.all():
            raise DataError(
                f"{path}: {part.y_name} has the shape {y.shape} and is not one-hot in row "
                f"{int(np.argmin(one_hot))} (from 0); give one label per row"
            )
        y = y.argmax(axis=1)
    if y.ndim != 1:
        raise DataError(f"{path}: {part.y_name} has the shape {y.shape}; give one label per row")
    if y.dtype.kind == "U":
        names, codes = np.unique(y, return_inverse=True)
        try:
            numbers = names.astype(np.float64)
        except ValueError:
            return y
        y = numbers[codes]
    if y.dtype.kind == "f":
        wrong = ~(np.isfinite(y) & (y == np.rint(y)))
        if wrong.any():
            row = int(np.argmax(wrong))
            raise DataError(
                f"{path}: {part.y_name} has {part.y.reshape(len(y), -1)[row, 0]} in row {row} (from 0); "
                "labels are whole numbers or text"
            )
    too_large = (y < -_LARGEST_LABEL) | (y > _LARGEST_LABEL)
    if too_large.any():
        row = int(np.argmax(too_large))
        raise DataError(f"{path}: {part.y_name} has {y[row]} in row {row} (from 0), too large for a label")
    return y.astype(np.int64)


def _split(y: Int64Array, fraction: float, seed: int) -> tuple[Int64Array, Int64Array]:
    """Return the rows of a training and a test part, each class divided by ``fraction``.

    Each class gives the whole rows of its share; those still missing come from the classes that
    were rounded down most. A class keeps at least one row for training.
    """
    counts = np.bincount(y)
    shares = counts * fraction
    taken = np.minimum(np.floor(shares).astype(np.int64), np.maximum(counts - 1, 0))
    missing = max(1, round(len(y) * fraction)) - int(taken.sum())
    for k in np.argsort(taken - shares, kind="stable"):
        if missing > 0 and taken[k] + 1 < counts[k]:
            taken[k] += 1
            missing -= 1
    if taken.sum() == 0:
        warnings.warn(
            "no class has a second row that could be held back: the test part is the training part",
            UserWarning,
            stacklevel=3,
        )
        return np.arange(len(y)), np.arange(len(y))
    shuffled = np.random.default_rng(seed).permutation(len(y))
    by_class = shuffled[np.argsort(y[shuffled], kind="stable")]
    rank = np.arange(len(y)) - np.repeat(np.cumsum(counts) - counts, counts)
    held_back = rank < np.repeat(taken, counts)
    return np.sort(by_class[~held_back]), np.sort(by_class[held_back])
