"""Tables of text: the same rules with labels and without."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from test_files import BAD

from fastmlp.datasets.source import Source
from fastmlp.datasets.table import NotTextError, Table
from fastmlp.errors import DataError


def table(text, name="own.csv"):
    return Table(Source(name, text if isinstance(text, bytes) else text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "1;2\n3;4\n",
        "1\t2\n3\t4\n",
        "a,b\n1,2\n3,4\n",
        "a;b\n1;2\n3;4\n",
        "\ufeffa,b\r\n1,2\r\n3,4",
        "\n\n1;2\n\n3;4\n\n",
        "1,2\r3,4\r",
        '"1" , 2\n 3,"4"\n',
        '"a\nb",c\n1,2\n3,4\n',
        "1e0,+2.0\n3.,.4e1\n",
        gzip.compress(b"a;b\n1;2\n3;4\n", mtime=0),
    ],
)
def test_with_labels_and_without_the_same_numbers(tmp_path, text):
    np.testing.assert_array_equal(table(text).inputs(), [[1, 2], [3, 4]])
    (tmp_path / "own.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    np.testing.assert_array_equal(Table(Source.at(tmp_path / "own.csv")).inputs(), [[1, 2], [3, 4]])
    X, labels = table(text).inputs_and_labels()
    np.testing.assert_array_equal(X, [[1], [3]])
    assert [float(label) for label in labels] == [2, 4]


def test_one_column_is_enough_without_labels():
    np.testing.assert_array_equal(table("a\n1\n2\n").inputs(), [[1], [2]])
    with pytest.raises(DataError, match="has one column only"):
        table("a\n1\n2\n").inputs_and_labels()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "own.csv is empty; give it one row per sample"),
        ("a,b\n", "own.csv has a header but no rows"),
        ("1,2\n3,four\n", "own.csv: row 2, column 2 is 'four', not a number; inputs must be numbers"),
        ("a,b\n\n1,2\n3,\n", r"own.csv: row 4, column 2 \(b\) is empty; inputs must be numbers"),
        ("a,1\n1,2\n", "own.csv: row 1, column 1 is 'a', not a number"),  # half a header is none
        ("1,2\n3\n", "own.csv: row 2 has 1 columns where the first row has 2"),
        ("1_000,2\n", "row 1, column 1 is '1_000', not a number"),
        ("1,2\n0x10,2\n", "row 2, column 1 is '0x10', not a number"),
        ("1,2\n\u0663,2\n", "row 2, column 1 is '\u0663', not a number"),
        ("1,2\ninf,2\n", "row 2, column 1 is inf; inputs must be finite float32 numbers"),
        ("1,2\n3,1e99\n", "row 2, column 2 is 1e99; inputs must be finite float32 numbers"),
        (gzip.compress(b"1,2\n" * 50, mtime=0)[:-9], "own.csv is damaged, it cannot be decompressed"),
        (b"1," + b"2" * 200_000 + b"x\n", "own.csv is not a CSV file: field larger than field limit"),
    ],
)
def test_faults_without_labels(text, words):
    with pytest.raises(DataError, match=words):
        table(text).inputs()


def test_what_is_no_text_has_an_error_of_its_own():
    with pytest.raises(NotTextError, match=r"own\.csv is not UTF-8 text; save it as CSV in UTF-8"):
        table("1;\xe9".encode("latin-1"))


@pytest.mark.parametrize("case", [case for case in BAD if case.startswith("csv")])
def test_bytes_and_files_give_the_same_sentence(tmp_path, case):
    path: Path = BAD[case][0](tmp_path)

    def sentence(source):
        try:
            return str(Table(source).inputs_and_labels())
        except DataError as error:
            return str(error)

    assert sentence(Source(str(path), path.read_bytes())) == sentence(Source.at(path))
