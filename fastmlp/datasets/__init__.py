"""Data to train on: MNIST, digits drawn by ourselves, or a person's own files.

Every loader returns a `Dataset` and raises `DataError` where there is none. Importing this package
loads neither Numba nor pooch; the loaders do, where they need them.
"""

import os
import warnings

from fastmlp.datasets.dataset import DataError, Dataset
from fastmlp.datasets.files import load_files
from fastmlp.datasets.mnist import load_mnist
from fastmlp.datasets.synthetic import load_synthetic

__all__ = ["DataError", "Dataset", "load_dataset", "load_files", "load_mnist", "load_synthetic"]


def load_dataset(
    name: str | os.PathLike[str] = "auto",
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Return the data that ``--dataset`` names.

    Parameters
    ----------
    name : {"auto", "mnist", "synthetic"} or path
        "auto" is MNIST, or the synthetic digits where MNIST can be neither found nor downloaded,
        which a UserWarning says. Anything else is a path for `load_files`.
    data_dir : path, optional
        Where MNIST's files lie, see `load_mnist`. Where it is named, "auto" does not fall back.

    Raises
    ------
    DataError
        Where the data is not available or damaged.

    Examples
    --------
    >>> load_dataset("no_such_file.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fastmlp.datasets.dataset.DataError: no_such_file.csv does not exist; ...
    """
    if name not in ("auto", "mnist", "synthetic"):
        return load_files(name)
    if name == "synthetic":
        return load_synthetic()
    try:
        return load_mnist(data_dir)
    except DataError as error:
        if name == "mnist" or data_dir or os.environ.get("FASTMLP_DATA_DIR"):
            raise
        warnings.warn(f"{error}. Using the synthetic digits instead", UserWarning, stacklevel=2)
    return load_synthetic()
