"""A person's own data: an .npz file, or a folder of IDX files of any content (Fashion-MNIST, say)."""

import os
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastmlp.datasets.dataset import DataError, Dataset, Float32Array, Int64Array
from fastmlp.datasets.idx import parse_idx, read_content

_IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
_PARTS = tuple(_IDX_NAMES)


def load_files(path: str | os.PathLike[str]) -> Dataset:
    """Return the data of an ``.npz`` file or of a folder of IDX files.

    An ``.npz`` holds the arrays ``x_train, y_train, x_test, y_test``; a folder holds files of MNIST's four names, plain
    or ``.gz``, with any content. Inputs are (n, D) or images (n, h, w), which become rows; uint8 is scaled by 1/255,
    with a UserWarning. Labels are whole numbers from 0. Nothing in a file is ever run: pickled objects are refused.

    Raises DataError where a file is missing, damaged or holds something else; the sentence names it.

    >>> import tempfile
    >>> x, y = np.eye(4, dtype=np.float32), np.array([0, 1, 0, 1])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/tiny.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    ...     load_files(f"{folder}/tiny.npz").x_train.shape
    (4, 4)
    """
    path = Path(path)
    try:
        is_folder, exists = path.is_dir(), path.exists()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    if not exists:
        raise DataError(f"{path} does not exist; name an .npz file or a folder of IDX files")
    arrays = _read_folder(path) if is_folder else _read_npz(path)
    parts: dict[str, Any] = {}
    for part in ("train", "test"):
        x = _inputs(arrays[f"x_{part}"], f"x_{part} of {path}")
        parts[f"x_{part}"] = x
        parts[f"y_{part}"] = _labels(arrays[f"y_{part}"], len(x), f"y_{part} of {path}")
    if parts["x_train"].shape[1] != parts["x_test"].shape[1]:
        raise DataError(
            f"{path} has {parts['x_train'].shape[1]} values per training sample and {parts['x_test'].shape[1]} "
            "per test sample; both parts must have the same columns"
        )
    if arrays["x_train"].dtype == np.uint8:
        warnings.warn(f"the values of {path} are bytes: they are divided by 255", UserWarning, stacklevel=3)
    return Dataset(**parts, name=path.stem)


def _read_folder(folder: Path) -> dict[str, npt.NDArray[Any]]:
    arrays = {}
    for part, name in _IDX_NAMES.items():
        file = next((f for f in (folder / name, folder / f"{name}.gz") if f.is_file()), None)
        if file is None:
            raise DataError(f"the folder {folder} lacks {name}, plain or .gz; it needs MNIST's four file names")
        arrays[part] = parse_idx(read_content(file), str(file))
    return arrays


def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is a single array; save several with np.savez: {', '.join(_PARTS)}")
            missing = [name for name in _PARTS if name not in file]
            if missing:
                raise DataError(f"{path} lacks {', '.join(missing)}; it must hold {', '.join(_PARTS)}")
            return {name: file[name] for name in _PARTS}
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        if "allow_pickle" in str(error) or "pickle" in str(error):
            raise DataError(
                f"{path} is no .npz file of plain arrays; other formats and pickled objects are not read"
            ) from None
        raise DataError(f"{path} is damaged: {error}") from None
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(f"{path} is damaged, it cannot be read as .npz ({error}); get the file again") from None


def _inputs(array: npt.NDArray[Any], source: str) -> Float32Array:
    """(n, ...) numbers as (n, D) float32 rows."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{source} has dtype {array.dtype}; it must hold real numbers")
    if array.ndim < 2 or array.size == 0:
        raise DataError(f"{source} has shape {array.shape}; it must be (samples, values) or (samples, height, width)")
    with np.errstate(over="ignore"):
        rows: Float32Array = array.reshape(len(array), -1).astype(np.float32)
    if not np.isfinite(rows).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        raise DataError(f"{source} holds NaN or infinity, first in row {row}, column {column}; remove or replace it")
    if array.dtype == np.uint8:
        rows /= 255
    return rows


def _labels(array: npt.NDArray[Any], n: int, source: str) -> Int64Array:
    """(n,) whole numbers from 0 as int64."""
    if array.shape != (n,):
        raise DataError(f"{source} has shape {array.shape} for {n} samples; it must be ({n},)")
    if array.dtype.kind not in "fiub" or not (array == np.floor(array)).all() or array.min() < 0:
        raise DataError(f"{source} must hold whole numbers from 0 to the number of classes less one")
    return array.astype(np.int64)
