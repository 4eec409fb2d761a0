"""Data to train on: MNIST, digits drawn by ourselves, or a person's own files.

Every loader returns a `Dataset` and raises `DataError` where there is none. Importing this package
loads neither Numba nor pooch; the loaders do, where they need them.
"""

import os
import warnings

from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.files import load_files
from fastmlp.datasets.mnist import load_mnist
from fastmlp.datasets.synthetic.digits import load_synthetic
from fastmlp.errors import DataError, InvalidValueError

__all__ = ["DataError", "Dataset", "load_dataset", "load_files", "load_mnist", "load_synthetic"]


def load_dataset(
    name: str | os.PathLike[str] = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test_fraction: float | None = None,
    label_column: str | int | None = None,
    seed: int = 0,
) -> Dataset:
    """Return the data that ``--dataset`` names.

    Parameters
    ----------
    name : {"auto", "mnist", "synthetic"} or path
        "auto" is MNIST, or the synthetic digits where MNIST can be neither found nor downloaded,
        which a UserWarning says. Anything else is a path for `load_files`.
    data_dir : path, optional
        Where MNIST's files lie, see `load_mnist`. Where it is named, "auto" does not fall back.
    test_fraction, label_column, seed
        For a path only: see `load_files`.

    Raises
    ------
    DataError
        Where the data is not available or damaged.
    ValueError
        Where ``test_fraction`` or ``label_column`` is given for data that has its own.

    Examples
    --------
    >>> load_dataset("no_such_file.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fastmlp.errors.DataError: no_such_file.csv does not exist; ...
    """
    if name not in ("auto", "mnist", "synthetic"):
        return load_files(name, test_fraction=test_fraction, label_column=label_column, seed=seed)
    if test_fraction is not None or label_column is not None:
        raise InvalidValueError(
            "test_fraction and label_column are for your own files; "
            f"the dataset {name} has its own test part and labels"
        )
    if name == "synthetic":
        return load_synthetic()
    try:
        return load_mnist(data_dir)
    except DataError as error:
        if name == "mnist" or data_dir or os.environ.get("FASTMLP_DATA_DIR"):
            raise
        warnings.warn(f"{error}. Using the synthetic digits instead", UserWarning, stacklevel=2)
    return load_synthetic()
