"""Which data: what `--dataset` and its companions name, and what a model file remembers of it.

The loaders are imported when they are needed: whoever only names data waits for neither NumPy nor Numba.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fastmlp.caller import warn_caller
from fastmlp.errors import DataError, InvalidValueError

if TYPE_CHECKING:
    from fastmlp.datasets.dataset import Dataset
    from fastmlp.engine.table_columns import TableColumn

__all__ = ["PREPROCESS", "STANDARD_INPUT", "DatasetChoice", "load_dataset"]

STANDARD_INPUT = "-"
PREPROCESS = ("scale", "auto", "none")
"""What may be done to a table in training: None is "scale"."""


def load_dataset(
    name: str | os.PathLike[str] = "auto",
    data_dir: str | os.PathLike[str] | None = None,
    *,
    test: str | os.PathLike[str] | None = None,
    test_fraction: float | None = None,
    label_column: str | int | None = None,
    header: bool | None = None,
    preprocess: str | None = None,
    seed: int = 0,
) -> Dataset:
    """Return the data of this name, or a person's own.

    Parameters
    ----------
    name
        "mnist", "synthetic", a path for `load_files`, or "auto": MNIST, or, with a UserWarning, the synthetic digits
        where MNIST can be neither found nor downloaded.
    data_dir
        Where MNIST's files lie, see `load_mnist`; where it is named, "auto" does not fall back.
    test, test_fraction, label_column, header
        For a path only, see `load_files`.
    preprocess
        For a path only: what `DatasetChoice` remembers for `fastmlp train`; nothing is done here.
    seed
        For a path only, see `load_files`.

    Returns
    -------
    Dataset
        With a test set.

    Raises
    ------
    DataError
        Where the data is not available or damaged.
    ValueError
        Where an option is given for data that has its own.

    Examples
    --------
    >>> load_dataset("no_such_file.csv")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fastmlp.errors.DataError: no_such_file.csv does not exist; ...
    """
    if name not in ("auto", "mnist", "synthetic"):
        from fastmlp.datasets.files import load_files

        return load_files(
            name, test=test, test_fraction=test_fraction, label_column=label_column, header=header, seed=seed
        )
    if any(option is not None for option in (test, test_fraction, label_column, header, preprocess)):
        raise InvalidValueError(
            "test, test_fraction, label_column, header and preprocess are for your own files; "
            f"the dataset {name} has its own test set and labels"
        )
    from fastmlp.datasets.mnist import load_mnist
    from fastmlp.datasets.synthetic.digits import load_synthetic

    if name == "synthetic":
        return load_synthetic()
    try:
        return load_mnist(data_dir)
    except DataError as error:
        if name == "mnist" or data_dir or os.environ.get("FASTMLP_DATA_DIR"):
            raise
        warn_caller(f"{error}. Using the synthetic digits instead")
    return load_synthetic()


class DatasetChoice(NamedTuple):
    """The arguments of `load_dataset`, to be loaded later and to be remembered in a model file.

    >>> choice = DatasetChoice("flowers.csv", label_column="kind")
    >>> kept = choice.record("flowers.csv")
    >>> kept["name"], kept["label_column"], Path(kept["source"]).is_absolute()
    ('flowers.csv', 'kind', True)
    """

    dataset: str = "auto"
    data_dir: Path | None = None
    test_fraction: float | None = None
    label_column: str | int | None = None
    test: str | None = None
    header: bool | None = None
    preprocess: str | None = None
    table_columns: tuple[TableColumn, ...] | None = None
    """How a model makes inputs of a table, which goes before what `preprocess` says; not kept in the record."""
    first_column: int | None = None
    """What number an svmlight file gave the first input in training; None where that is not known."""

    @property
    def _is_encoded(self) -> bool:
        named = self.dataset in ("auto", "mnist", "synthetic")
        return not named and (self.table_columns is not None or self.preprocess == "auto")

    def load(self) -> Dataset:
        """Return the data; the same rows are held back each time where there is no test set.

        Raises what `load_dataset` raises, and MissingLibraryError where `preprocess` needs scikit-learn.
        """
        if self._is_encoded:
            from fastmlp.datasets.encoded import load_encoded

            return load_encoded(self)
        return load_dataset(
            self.dataset,
            self.data_dir,
            test=self.test,
            test_fraction=self.test_fraction,
            label_column=self.label_column,
            header=self.header,
            preprocess=self.preprocess,
        )

    @property
    def is_whole_file(self) -> bool:
        """Whether a file is named, and nothing that makes a test set of a part of it."""
        named = self.dataset in ("auto", "mnist", "synthetic")
        return not named and self.test is None and self.test_fraction is None

    def load_for_testing(self) -> Dataset:
        """Return the data to measure a model on: all rows of a file that has no test set, and else as `load` does."""
        if not self.is_whole_file:
            return self.load()
        if self._is_encoded:
            from fastmlp.datasets.encoded import load_encoded

            return load_encoded(self, for_testing=True)
        from fastmlp.datasets.files import load_for_testing

        data = load_for_testing(self.dataset, label_column=self.label_column, header=self.header)
        if data.first_column is None:
            return data
        from fastmlp.datasets.svmlight import counted_alike

        X = counted_alike(data.name, data.x_test, data.first_column, self.first_column)
        return data._replace(x_train=X[:0], x_test=X)

    def of_test_file(self) -> DatasetChoice:
        """Return the choice of all rows of the file that is named to test on."""
        assert self.test is not None
        return DatasetChoice(self.test, label_column=self.label_column, first_column=self.first_column)

    def record(self, name: str) -> dict[str, Any]:
        """Return what a model file keeps of the choice, `name` being what the loaded data is called."""
        source = self.dataset
        if source == "auto":
            source = name
        elif source not in ("mnist", "synthetic", STANDARD_INPUT):
            source = str(Path(source).resolve())
        return {
            "name": name,
            "source": source,
            "test": self.test and str(Path(self.test).resolve()),
            "test_fraction": self.test_fraction,
            "label_column": self.label_column,
            "header": self.header,
            "preprocess": self.preprocess,
            "first_column": self.first_column,
        }

    @classmethod
    def from_training(cls, training: Any) -> DatasetChoice | None:
        """Return the choice whose record stands in a model file's `training`.

        None where there is none: a model that was saved from Python may keep anything there.

        >>> DatasetChoice.from_training({"dataset": DatasetChoice("mnist").record("mnist")}).dataset
        'mnist'
        """
        record = training.get("dataset") if isinstance(training, dict) else None
        if not isinstance(record, dict):
            return None
        source, fraction, column = (record.get(key) for key in ("source", "test_fraction", "label_column"))
        newer = ("test", "header", "preprocess", "first_column")  # than the others
        test, header, preprocess, first_column = (record.get(key) for key in newer)
        if (
            isinstance(source, str)
            and source != STANDARD_INPUT  # which is gone
            and isinstance(fraction, (float, int, type(None)))
            and isinstance(column, (str, int, type(None)))
            and isinstance(test, (str, type(None)))
            and isinstance(header, (bool, type(None)))
            and preprocess in (*PREPROCESS, None)
            and first_column in (0, 1, None)
        ):
            return cls(source, None, fraction, column, test, header, preprocess, first_column=first_column)
        return None
