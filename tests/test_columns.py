"""Which column of a table holds the labels, and which only numbers the rows."""

import warnings

import numpy as np
import pytest

from fastmlp.datasets.columns import (
    Columns,
    is_index_name,
    is_label_name,
    label_by_kind,
    label_by_name,
    label_by_values,
    label_column_index,
    numbers_rows,
)
from fastmlp.errors import DataError, InvalidTypeError


def columns(header):
    return Columns("own.csv", len(header.split(",")), header.split(","))


@pytest.mark.parametrize(
    ("header", "label"),
    [
        ("a,label,b", 1),
        ("Labels,a", 0),
        ("a,DIGIT", 1),
        ("digits,a", 0),
        ("a,Species,b", 1),
        ("classes,a", 0),
        ("category,a", 0),
        ("y,a,b", 0),
        ("species,label,a", 1),  # the surer name
        ("x,y,Class", 2),
        ("x,y", 1),
        ("x,y,z", None),  # these are places
        ("a,b,c", None),
    ],
)
def test_names_of_labels(header, label):
    assert label_by_name(columns(header)) == label


def test_two_names_of_labels_are_asked_about():
    with pytest.raises(DataError, match=r"may stand in column 1 \(label\) and column 3 \(class\); .*--label-column"):
        label_by_name(columns("label,a,class"))


@pytest.mark.parametrize(
    ("named", "index"), [("784", 1), (784, 1), (1, 0), ("1", 0), (-1, 2), ("b", 2), (2, 1), ("-2", 1)]
)
def test_a_column_that_is_named(named, index):
    assert label_column_index(columns("a,784,b"), named) == index


@pytest.mark.parametrize(
    ("named", "error", "words"),
    [
        ("c", DataError, "has no column called c; its columns are a, b"),
        (0, DataError, "has no column 0 for the labels; it has columns 1 to 2"),
        (3, DataError, "has no column 3"),
        (1.5, InvalidTypeError, "label_column is 1.5; it must be a column's name or number"),
        ([1], InvalidTypeError, r"label_column is \[1\]"),
    ],
)
def test_a_column_that_is_not_there(named, error, words):
    with pytest.raises(error, match=words):
        label_column_index(columns("a,b"), named)
    if error is DataError:
        with pytest.raises(DataError, match="has no column"):
            label_column_index(Columns("own.csv", 2, None), named)


def test_labels_by_kind():
    abc = columns("a,b,c")
    assert label_by_kind(abc, [], [0, 2]) is None
    assert label_by_kind(abc, [2], []) == 2
    assert label_by_kind(abc, [0, 2], [0, 2]) == 2  # the first is reported as text
    assert label_by_kind(abc, [0], []) == 2  # another text in each row: names, and no classes
    with pytest.warns(UserWarning, match=r"column 1 \(a\), the only one of text, was taken for the labels; --label"):
        assert label_by_kind(abc, [0], [0]) == 0
    with pytest.raises(DataError, match=r"may stand in column 1 \(a\), which is text, or in the last, column 3 \(c\)"):
        label_by_kind(abc, [0], [0, 2])


DIGITS = np.arange(60.0) % 10
GAPS = np.array([0.0, 3, 7] * 20)
COUNTS = np.arange(60.0) * 7
NOISE = np.linspace(0, 1, 60)
BLANK = np.zeros(60)


@pytest.mark.parametrize(
    ("first", "last", "header", "taken"),
    [
        (DIGITS, BLANK, None, "first"),  # mnist_train.csv
        (DIGITS, NOISE, None, "first"),
        (GAPS, NOISE, None, "first"),
        (DIGITS, BLANK, "a,b,c", "first"),
        (NOISE, DIGITS, None, "last"),
        (BLANK, DIGITS + 1, None, "last"),
        (NOISE, GAPS, None, "last"),
        (GAPS, DIGITS, None, "last"),
        (GAPS, GAPS, None, "last"),
        (COUNTS, COUNTS, None, "last"),
        (NOISE, NOISE, None, "last"),
        (DIGITS, DIGITS, "a,b,c", "last"),
        (DIGITS, DIGITS, None, None),
        (DIGITS, GAPS, None, None),
        (DIGITS, DIGITS, "0,1,2", None),
        (DIGITS, GAPS, "a,b,c", None),
    ],
)
def test_labels_by_values(first, last, header, taken):
    given = Columns("own.csv", 3, header.split(",") if header else None)
    if taken is None:
        with pytest.raises(
            DataError, match=r"may stand in the first column, column 1.*, or in the last, column 3.*--lab"
        ):
            label_by_values(given, (0, 2), (first, last))
        return
    with pytest.warns(UserWarning, match=f"the {taken} column, column .*, was taken for the labels; --label-column"):
        assert label_by_values(given, (0, 2), (first, last)) == {"first": 0, "last": 2}[taken]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index", "Id", "ID", "row.names", "rownames", "__index_level_0__"])
def test_names_of_row_numbers(name):
    assert is_index_name(name)
    assert not is_label_name(name)


@pytest.mark.parametrize("name", ["width", "idx_mean", "x", "unnamed"])
def test_names_of_inputs(name):
    assert not is_index_name(name)
    assert not is_label_name(name)


@pytest.mark.parametrize(
    ("values", "named", "unnamed"),
    [
        ([str(k) for k in range(20)], True, True),
        ([str(k) for k in range(1, 21)], True, True),
        ([str(k) for k in range(5)], True, False),  # too few to say so without a name
        (["7", "3", "12"], True, False),
        (["7", "3", "7"], False, False),
        (["0.5", "1.5"], False, False),
        (["Mazda RX4", "Datsun 710"], True, False),
        (["north", "south", "north"], False, False),
        ([str(2 * k) for k in range(20)], True, False),
    ],
)
def test_row_numbers(values, named, unnamed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert numbers_rows(values, named=True) == named
        assert numbers_rows(values, named=False) == unnamed


def test_a_name_that_two_columns_have():
    with pytest.raises(DataError, match=r"own\.csv has 2 columns called a; name one by its number"):
        label_column_index(columns("a,b,a"), "a")
    assert label_column_index(columns("a,b,a"), 3) == 2
