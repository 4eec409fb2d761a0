"""MNIST: found on this machine or downloaded, and verified by its content.

Source: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document
recognition", Proceedings of the IEEE 86 (1998) 2278-2324.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable
from operator import methodcaller
from pathlib import Path

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.cache import cache_dir
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.download import download
from fastmlp.datasets.idx import find_idx, parse_idx, read_idx_content, to_idx
from fastmlp.datasets.npz import read_npz
from fastmlp.datasets.source import decompress, expand_home
from fastmlp.errors import DataError
from fastmlp.files.atomic import write_whole

__all__ = ["MIRRORS", "SHA256", "load_mnist"]

SHA256 = {
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
}
"""The four files, the smallest first, and the SHA-256 of what each holds when decompressed."""

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)


def load_mnist(data_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Return MNIST: 60,000 training and 10,000 test images of handwritten digits.

    They are looked for in our cache, then among the copies that Keras (`~/.keras/datasets/mnist.npz`) and torchvision
    (`MNIST/raw`) leave on a machine, and are downloaded into the cache otherwise. Without a network the search takes
    less than 5 seconds.

    Parameters
    ----------
    data_dir
        Folder with the four IDX files, plain or `.gz`; by default the environment variable `FASTMLP_DATA_DIR`. It is
        only read, and where it is named nothing else is tried.

    Returns
    -------
    Dataset
        Named "mnist"; the inputs are rows of 784 values, pixel / 255 as float32.

    Raises
    ------
    DataError
        Where the named folder is missing, incomplete or damaged, or MNIST can be neither found nor downloaded.

    Examples
    --------
    >>> load_mnist("no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fastmlp.errors.DataError: the MNIST folder no/such/folder does not exist; ...
    """
    data_dir = data_dir or os.environ.get("FASTMLP_DATA_DIR")
    if data_dir:
        return _dataset(_read_folder(expand_home(data_dir)))
    contents = _read_local_copy() or _download()
    return _dataset(contents)


def _dataset(contents: dict[str, bytes]) -> Dataset:
    """Parse the four verified contents, each given up as soon as it is converted."""

    def images(name: str) -> Float32Array:
        pixels = parse_idx(contents.pop(name), name)
        x = np.empty((len(pixels), 784), np.float32)
        np.divide(pixels.reshape(x.shape), np.float32(255), out=x)
        return x

    def labels(name: str) -> Int64Array:
        return parse_idx(contents.pop(name), name).astype(np.int64)

    return Dataset(
        x_train=images("train-images-idx3-ubyte"),
        y_train=labels("train-labels-idx1-ubyte"),
        x_test=images("t10k-images-idx3-ubyte"),
        y_test=labels("t10k-labels-idx1-ubyte"),
        name="mnist",
        input_scale=1 / 255,
    )


def _read_folder(folder: Path) -> dict[str, bytes]:
    """Return the four verified contents from a folder; DataError where one is not right."""
    contents = {}
    for name, path in _find_files(folder).items():
        contents[name] = read_idx_content(path)
        _verify(contents[name], SHA256[name], str(path))
    return contents


def _find_files(folder: Path) -> dict[str, Path]:
    """Return the paths of the four files in a folder, plain or gzipped; DataError where one is missing."""
    files = {}
    hint = "; name one that holds train-images-idx3-ubyte, plain or .gz, and its three companions"
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            raise DataError(f"the MNIST folder {folder} is not a folder{hint}")
        for name in SHA256:
            path = find_idx(folder, name)
            if path is None:
                raise DataError(f"the MNIST folder {folder} is incomplete: it lacks {name}, plain or .gz")
            files[name] = path
    except FileNotFoundError:
        raise DataError(f"the MNIST folder {folder} does not exist{hint}") from None
    except OSError as error:
        raise DataError(
            f"the MNIST folder {folder} cannot be read: {error.strerror}; allow reading it, or name another"
        ) from None
    return files


def _read_keras_copy(path: Path) -> dict[str, bytes]:
    """Return the four contents from Keras' mnist.npz, verified as the IDX files they came from."""
    keys = {
        "t10k-labels-idx1-ubyte": "y_test",
        "train-labels-idx1-ubyte": "y_train",
        "t10k-images-idx3-ubyte": "x_test",
        "train-images-idx3-ubyte": "x_train",
    }
    try:
        with path.open("rb") as file:
            arrays = read_npz(file, str(path), lambda _: keys.values())
        contents = {name: to_idx(arrays[key]) for name, key in keys.items()}
    except OSError as error:
        raise DataError(f"{path} is not Keras' copy of MNIST: {error}") from None
    for name, sha256 in SHA256.items():
        _verify(contents[name], sha256, f"{path}:{keys[name]}")
    return contents


def _verify(content: bytes, sha256: str, source: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(
            f"{source} is damaged or is not MNIST's: the SHA-256 of its decompressed content "
            f"starts with {found[:8]}, not {sha256[:8]}; get the file again"
        )


def _read_local_copy() -> dict[str, bytes] | None:
    """Return the four contents from the first whole copy on this machine, None without one."""
    home = expand_home("~")
    keras_home = Path(os.environ.get("KERAS_HOME") or home / ".keras")
    searches: list[tuple[Callable[[Path], dict[str, bytes]], Path]] = [
        (_read_folder, cache_dir() / "mnist"),
        (_read_keras_copy, keras_home / "datasets" / "mnist.npz"),
    ]
    for root in (Path(), Path("data"), home, home / "data", home / "datasets"):
        searches.append((_read_folder, root / "MNIST" / "raw"))  # noqa: PERF401
    for read, path in searches:
        with contextlib.suppress(DataError):  # not there, damaged, something else: search on
            return read(path)
    return None


def _download() -> dict[str, bytes]:
    """Download the four files, keep them in our cache, return their decompressed contents."""
    folder = cache_dir() / "mnist"
    try:
        compressed = download(MIRRORS, {f"{name}.gz": sha256 for name, sha256 in SHA256.items()})
    except DataError as error:
        raise DataError(
            f"MNIST is not on this machine and cannot be downloaded ({error}); put its four "
            "files into a folder and name it with --data-dir or FASTMLP_DATA_DIR"
        ) from None
    try:
        for name, content in compressed.items():
            write_whole(folder / name, methodcaller("write", content))
    except OSError as error:
        warn_caller(
            f"MNIST was downloaded but cannot be kept in {folder} ({error.strerror}); "
            "the next run will download it again"
        )
    return {name.removesuffix(".gz"): decompress(content, name) for name, content in compressed.items()}
