"""A person's own table of numbers and text, some missing, as a dataset: `--preprocess auto`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fastmlp.datasets.choice import STANDARD_INPUT, DatasetChoice
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.files import Part, as_test_set, assemble, divided, load_files, load_for_testing
from fastmlp.datasets.kinds import kind_of_file, open_table
from fastmlp.datasets.labels import number_classes
from fastmlp.datasets.mixed import as_inputs, learn_columns
from fastmlp.datasets.source import expand_home
from fastmlp.datasets.split import DEFAULT_TEST_FRACTION, split
from fastmlp.datasets.standard_input import named_source
from fastmlp.datasets.table import MixedTable, Table
from fastmlp.engine.feature_names import column_order
from fastmlp.engine.table_columns import TableColumn, names_of_inputs
from fastmlp.errors import DataError, InvalidValueError
from fastmlp.printable import shown

__all__ = ["load_encoded"]

_SEED = 0  # of the split, as for all data on the command line


def load_encoded(choice: DatasetChoice, *, for_testing: bool = False) -> Dataset:
    """Return the data of a file of one's own, with text encoded and missing numbers filled in.

    How that is done is learnt from the rows to train on, unless `choice.table_columns` say it. Other files than tables
    of text are read as `load_files` does. With `for_testing`, all rows are the test set, as in `load_for_testing`.

    Raises DataError for what cannot be read, MissingLibraryError where scikit-learn is needed and missing.
    """
    path = expand_home(choice.dataset)
    if not _is_text(path):
        return _plain(choice, for_testing)
    columns, label_column = choice.table_columns, choice.label_column
    train = _read(path, choice, label_column, columns)
    if columns is None:
        columns = learn_columns(train.columns, _rows_to_train_on(choice, train, str(path)))
    parts = [_part(train, columns)]
    if choice.test is not None:
        column = train.label_column if label_column is None else label_column
        parts.append(_part(_read(expand_home(choice.test), choice, column, columns), columns))
    fewest_classes = 1 if for_testing else 2
    whole = assemble(path, parts, fewest_classes=fewest_classes, test_part=f"the file {choice.test}")
    if for_testing:
        return as_test_set(whole)
    return whole if len(parts) == 2 else divided(whole, choice.test_fraction or DEFAULT_TEST_FRACTION, _SEED)


def _is_text(path: Path) -> bool:
    """Whether the file is a table of text; what cannot be read is left to those who say why."""
    if str(path) == STANDARD_INPUT:
        return kind_of_file(path.name, named_source(path)) == "text"
    return path.is_file() and kind_of_file(path.name) == "text"


def _plain(choice: DatasetChoice, for_testing: bool) -> Dataset:
    column, header = choice.label_column, choice.header
    if for_testing:
        return load_for_testing(choice.dataset, label_column=column, header=header)
    return load_files(
        choice.dataset, test=choice.test, test_fraction=choice.test_fraction, label_column=column, header=header
    )


def _read(
    path: Path, choice: DatasetChoice, label_column: str | int | None, wanted: Sequence[TableColumn] | None
) -> MixedTable:
    table = open_table(named_source(path), choice.header)
    if not isinstance(table, Table):
        raise DataError(f"{path} is no table of text, as the data to train on is")
    return table.mixed(label_column, wanted)


def _rows_to_train_on(
    choice: DatasetChoice, table: MixedTable, name: str
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if choice.test is not None:
        return np.arange(len(table.labels))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what there is to say is said when the parts are made
        (y,), _ = number_classes([np.array(table.labels)], f"{name}: the label column", 2)
        return split(y, choice.test_fraction or DEFAULT_TEST_FRACTION, _SEED)[0]


def _part(table: MixedTable, columns: Sequence[TableColumn]) -> Part:
    """Return what `columns` make of a table as a part of a dataset."""
    try:
        column_order(table.columns.name, list(table.columns.values), [column.name for column in columns])
    except InvalidValueError as error:
        raise DataError(str(error)) from None
    names = names_of_inputs(columns)
    if len(set(names)) != len(names):
        raise DataError(f"{table.columns.name}: two inputs would be called the same; rename the columns")
    changed = [column for column in columns if column.categories is not None or column.fill is not None]
    encoded = [f"{column.name} ({len(column.categories)})" for column in changed if column.categories is not None]
    filled = [f"{column.name} ({column.fill:g})" for column in changed if column.fill is not None]
    notes = [("encoded", shown(encoded, 10)), ("filled in", shown(filled, 10))]
    return Part(
        as_inputs(table.columns, columns),
        np.array(table.labels),
        "the table",
        "the label column",
        names if table.named else None,
        table.label_column,
        (*table.notes, *(note for note in notes if note[1])),
        tuple(columns) if changed else None,
    )
