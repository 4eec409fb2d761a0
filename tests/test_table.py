"""Tables of text: the same rules with labels and without."""

import gzip
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from test_files import BAD
from test_text import zipped

from fastmlp.datasets.source import Source
from fastmlp.datasets.table import Table
from fastmlp.errors import DataError


def table(text, name="own.csv", **options):
    return Table(Source(name, text if isinstance(text, bytes) else text.encode()), **options)


def labelled(text, label_column=None, **options):
    """The table with its labels, whatever is said of it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return table(text, **options).inputs_and_labels(label_column)


@pytest.mark.parametrize(
    "text",
    [
        "1,2\n3,4\n",
        "1;2\n3;4\n",
        "1\t2\n3\t4\n",
        "a,b\n1,2\n3,4\n",
        "a;b\n1;2\n3;4\n",
        "sep=;\r\na;b\r\n1;2\r\n3;4\r\n",
        "sep=|\n1|2\n3|4\n",
        "1,0;2,0\n3,0;4,0\n",
        "a;b\n1,0;2\n3;4,\n",
        "a\tb\n1,0\t2\n3\t4\n",
        "\ufeffa,b\r\n1,2\r\n3,4",
        "\n\n1;2\n\n3;4\n\n",
        "1,2\r3,4\r",
        "a,b\r1,2\r3,4\r",
        '"1" , 2\n 3,"4"\n',
        '"a\nb",c\n1,2\n3,4\n',
        '"a\r\nb",c\r\n1,2\r\n"3\r\n",4\r\n',
        "1e0,+2.0\n3.,.4e1\n",
        gzip.compress(b"a;b\n1;2\n3;4\n", mtime=0),
        zipped(own="a;b\n1;2\n3;4\n"),
        "a\tb\r\n1,0\t2\r\n3\t4\r\n".encode("utf-16"),
    ],
)
def test_with_labels_and_without_the_same_numbers(tmp_path, text):
    np.testing.assert_array_equal(table(text).inputs(), [[1, 2], [3, 4]])
    (tmp_path / "own.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    np.testing.assert_array_equal(Table(Source.at(tmp_path / "own.csv")).inputs(), [[1, 2], [3, 4]])
    X, labels, *_ = labelled(text)
    np.testing.assert_array_equal(X, [[1], [3]])
    assert [float(label.replace(",", ".")) for label in labels] == [2, 4]


def test_one_column_is_enough_without_labels():
    np.testing.assert_array_equal(table("a\n1\n2\n").inputs(), [[1], [2]])
    with pytest.raises(DataError, match="has one column only"):
        table("a\n1\n2\n").inputs_and_labels()


def test_true_and_false_are_1_and_0():
    """As pandas writes the columns of get_dummies."""
    text = "a,red,kind\n1,True,x\n2,False,y\n3,1,x\n"
    np.testing.assert_array_equal(labelled(text).X, [[1, 1], [2, 0], [3, 1]])
    np.testing.assert_array_equal(table("a;b\n1,5;true\n2;FALSE\n").inputs(), [[1.5, 1], [2, 0]])


def test_a_decimal_comma_far_down_is_found():
    rows = "7;8\n" * 1000 + "1,5;2\n"
    np.testing.assert_array_equal(table(rows).inputs()[-1], [1.5, 2])
    X, labels, *_ = labelled("a;b;kind\n" + "7;8;x,1\n" * 1000 + "1,5;2;y.2\n")
    np.testing.assert_array_equal(X[-1], [1.5, 2])
    assert (labels[0], labels[-1]) == ("x,1", "y.2")  # text stays as it was


def test_chosen_columns_in_another_order():
    given = table("a,b,kind,c\n1,2,x,3\n4,5,y,6\n")
    X = given.inputs(given.columns(), [3, 0])
    np.testing.assert_array_equal(X, [[3, 1], [6, 4]])
    assert X.flags.c_contiguous


def test_columns_are_taken_out_within_the_memory_of_the_table():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (5000, 7))
    text = "".join(",".join(map(str, row)) + "\n" for row in values)
    given = table("a,b,c,d,e,f,label\n" + text)
    for kept in ([0, 1, 2, 3, 4, 5], [1, 2, 3], [0, 2, 5, 6], [6, 0, 3]):
        X = given.inputs(given.columns(), kept)
        np.testing.assert_array_equal(X, values[:, kept])
        assert X.flags.c_contiguous and X.flags.writeable
        assert (X.base is not None and X.base.size >= values.size) == (kept != [6, 0, 3])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "own.csv is empty; give it one row per sample"),
        ("a,b\n", "own.csv has a header but no rows"),
        ("1,2\n3,four\n", "own.csv: row 2, column 2 is 'four', not a number; inputs must be numbers: leave columns of"),
        (
            "a,b\n\n1,2\n3,\n",
            r"own.csv: row 4, column 2 \(b\) is empty; inputs must be numbers: fill missing values in",
        ),
        ("a,1\n1,2\n", "own.csv: the first row may be a header, .* --header or --no-header"),
        ("a,b,c\n1,2\n3,4\n", "own.csv: row 2 has 2 columns where the first row has 3"),
        ("a;b\n1;2\n;\n", "own.csv: row 3 is empty but for its separators; delete it"),
        ("1,2\n3\n", "own.csv: row 2 has 1 columns where the first row has 2"),
        ("1 2 3\n4 5 6\n", "own.csv has spaces between its numbers; put commas, semicolons or tabs there"),
        ("1_000,2\n", "row 1, column 1 is '1_000', not a number because of the separators in it; .*: write 1000 for"),
        ("1 000;2\n", "row 1, column 1 is '1 000', not a number because of the separators"),
        ("1,5;1.000,5\n", "in all 1 numbers with separators in the column 2"),
        ("1,5;2.5\n", "column 1 is '1,5', a number with a decimal comma; .*: write 1.5 for 1,5, or use commas in all"),
        (
            "1,234;5\n",
            "is '1,234', either a number with a decimal comma or one with a separator of thousands; .*: write 1.2",
        ),
        ('"1,5","2,5"\n', "column 1 is '1,5', a number with a decimal comma"),
        ("1,2\n0x10,2\n", "row 2, column 1 is '0x10', not a number"),
        ("1,2\n\u0663,2\n", "row 2, column 1 is '\u0663', not a number"),
        ("1,2\nNA,2\n", "row 2, column 1 is 'NA', a missing value; inputs must be numbers: fill missing"),
        ("1,2\nnan,2\n", "row 2, column 1 is 'nan', a missing value"),
        ("1,2\ninf,2\n", "row 2, column 1 is inf; inputs must be finite float32 numbers"),
        ("1,2\n3,1e99\n", "row 2, column 2 is 1e99; inputs must be finite float32 numbers"),
        ("1,2\n2024-01-05,2\n", "is '2024-01-05', a date or a time; .* write these as numbers"),
        ("1,2\n$5,2\n", r"is '\$5', an amount of money; .* without the sign of the currency"),
        ("1,2\n5 %,2\n", "is '5 %', a percentage; .* without their sign"),
        (gzip.compress(b"1,2\n" * 50, mtime=0)[:-9], "own.csv is damaged, it cannot be decompressed"),
        (b"1," + b"2" * 200_000 + b"x\n", "own.csv is not a CSV file: field larger than field limit"),
    ],
)
def test_faults_without_labels(text, words):
    with pytest.raises(DataError, match=words):
        table(text).inputs()


def test_faults_are_counted_by_kind_and_column():
    header = ",".join("abcdefgh")
    text = f"{header}\n1,2,3,4,5,6,7,8\nx,y,z,u,v,w,7,\nq,2,3,4,5,6,?,2024-01-05\n"
    with pytest.raises(DataError) as caught:
        table(text).inputs()
    assert str(caught.value) == (
        "own.csv: row 3, column 1 (a) is 'x', not a number; inputs must be numbers: leave columns of text out, number "
        "their values, or say with --label-column where the labels are (in all 7 such cells in the columns a, b, c, d, "
        "e and 1 more, 2 missing values in the columns h, g, 1 dates or times in the column h)"
    )


# Labels, headers, numbers of rows


def test_a_header_is_taken_or_not_as_it_is_said():
    text = "0,1,2\n7,3,4\n9,5,4\n"
    with pytest.raises(DataError, match="the first row may be a header"):
        table(text).inputs()
    assert table(text, header=True).inputs().shape == (2, 3)
    assert table(text, header=False).inputs().shape == (3, 3)
    assert labelled(text, header=True).feature_names == ("1", "2")
    assert labelled("a,b,label\n1,2,x\n3,4,y\n", header=True).labels == ["x", "y"]
    with pytest.raises(DataError, match=r"own\.csv has no column called kind; it has no header"):
        labelled("1,2,x\n3,4,y\n", "kind", header=False)
    with pytest.raises(DataError, match="has a header but no rows"):
        table("1,2\n", header=True).inputs()


def test_numbered_columns():
    """A frame written with its default names, 785 columns wide."""
    header = ",".join(map(str, range(784))) + ",label\n"
    row = ",".join(["0", "255"] * 392)
    X, labels, names, label, _ = labelled(header + f"{row},7\n" * 3)
    assert (X.shape, labels, label) == ((3, 784), ["7"] * 3, "label")
    assert names == tuple(map(str, range(784)))
    numbered = ",".join(map(str, range(785))) + "\n" + f"{row},7\n" * 3
    X, labels, _, label, _ = labelled(numbered, 784)
    assert (X.shape, labels, label) == ((3, 784), ["7"] * 3, "784")
    assert table(header.replace(",label", "") + f"{row}\n" * 3).inputs().shape == (3, 784)


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "Id", "index"])
@pytest.mark.parametrize("start", [0, 1, 40])
def test_the_numbers_of_the_rows_are_left_out(name, start):
    text = f"{name},a,b,label\n" + "".join(f"{start + k},{k / 2},{-k},{k % 2}\n" for k in range(12))
    with pytest.warns(UserWarning, match=r"own\.csv: column 1.*, which only numbers or names the rows, was left out"):
        found = table(text).inputs_and_labels()
    assert (found.X.shape, found.feature_names) == ((12, 2), ("a", "b"))
    np.testing.assert_array_equal(found.X[:, 1], -np.arange(12))


def test_names_of_rows_are_left_out():
    text = ",a,b,label\nMazda,1,2,x\nDatsun,3,4,y\n"
    with pytest.warns(UserWarning, match="which only numbers or names the rows"):
        assert table(text).inputs_and_labels().X.tolist() == [[1, 2], [3, 4]]


def test_a_column_without_name_and_content_is_left_out():
    """Where each row ends with a separator."""
    with pytest.warns(UserWarning, match="column 4, which is empty, was left out"):
        assert table("a,b,label,\n1,2,x,\n3,4,y,\n").inputs_and_labels().X.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match=r"column 4 is empty; every row needs a label|row 1, column 4 is empty"):
        labelled("1,2,x,\n3,4,y,\n")


def test_what_is_named_so_and_does_not_number_the_rows_is_an_input():
    text = "Id,a,label\n" + "7,1,x\n7,2,y\n8,3,x\n"
    with pytest.warns(UserWarning, match=r"column 1 \(Id\) is an input; leave it out if it only names the rows"):
        assert table(text).inputs_and_labels().X.tolist() == [[7, 1], [7, 2], [8, 3]]
    with pytest.raises(DataError, match=r"row 2, column 1 \(Id\) is 'u', not a number"):
        labelled("Id,a,label\nu,1,x\nu,2,y\n")


def test_a_first_column_that_counts_without_a_name_is_told():
    text = "".join(f"{k},{k * k % 7},{'xy'[k % 2]}\n" for k in range(30))
    with pytest.warns(UserWarning, match="column 1 counts the rows and is an input; leave it out if it only numbers"):
        assert table(text).inputs_and_labels().X.shape == (30, 2)


def test_nothing_but_labels_and_numbers_of_rows():
    with pytest.raises(DataError, match="has no inputs beside its labels and the numbers of its rows"):
        labelled("Id,label\n1,x\n2,y\n")


@pytest.mark.parametrize(
    ("text", "says", "label"),
    [
        ("".join(f"{k % 10},{k * 37 % 256},{k * 91 % 256},0\n" for k in range(60)), "first column, column 1", 0),
        ("".join(f"0,{k * 37 % 256},{k * 91 % 256},{k % 10}\n" for k in range(60)), "last column, column 4", 3),
        ("a,b,c\n" + "".join(f"{k % 3},{k},{k / 7:.3}\n" for k in range(60)), r"first column, column 1 \(a\)", 0),
        ("a,b,c\n" + "".join(f"{k / 7:.3},{k},{k % 3}\n" for k in range(60)), r"last column, column 3 \(c\)", 2),
        ("Id,b,c,d\n" + "".join(f"{k},{k % 3},{k},{k / 7:.3}\n" for k in range(60)), r"column 2 \(b\)", 1),
    ],
)
def test_labels_that_nothing_names_are_found_by_their_values(text, says, label):
    with pytest.warns(
        UserWarning, match=f"{says}, was taken for the labels; --label-column names another|numbers the|only"
    ):
        found = table(text).inputs_and_labels()
    rows = [line.split(",") for line in text.split() if "a" not in line and "b" not in line]
    assert found.labels == [row[label] for row in rows]


def test_labels_that_two_columns_may_hold_are_asked_about():
    text = "".join(f"{k % 10},{k * 37 % 256},{k % 2}\n" for k in range(60))
    with pytest.raises(DataError, match="may stand in the first column, column 1, or in the last, column 3, as both"):
        table(text).inputs_and_labels()
    assert labelled(text, 1).labels[:3] == ["0", "1", "2"]
    assert labelled(text, -1).X.shape == (60, 2)


def test_a_missing_value_in_a_column_that_might_have_been_the_labels():
    text = "a,b,c\n" + "1.5,2,0\n2.5,3,1\n" * 200 + "NA,2,0\n"
    with pytest.raises(DataError, match=r"row 402, column 1 \(a\) is 'NA', a missing value"):
        labelled(text)


@pytest.mark.parametrize("case", [case for case in BAD if case.startswith("csv")])
def test_bytes_and_files_give_the_same_sentence(tmp_path, case):
    path: Path = BAD[case][0](tmp_path)

    def sentence(source):
        try:
            return str(labelled_source(source))
        except DataError as error:
            return str(error)

    assert sentence(Source(str(path), path.read_bytes())) == sentence(Source.at(path))


def labelled_source(source):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Table(source).inputs_and_labels()


# Whatever the bytes are, and how much memory it takes

MARKS = [
    ",",
    ";",
    "\t",
    "\n",
    "\r",
    '"',
    "\0",
    "sep=;\n",
    "1,5",
    "NA",
    "nan",
    "1e400",
    "\ufeff",
    "'",
    "True",
    "-",
    "  ",
]
WHOLE = [
    "Id,a,b,label\n" + "".join(f"{k},{k / 8},{-k},{'xyz'[k % 3]}\n" for k in range(30)),
    "sep=;\r\na;b;label\r\n" + "".join(f"{k},5;{k * k % 7};{k % 2}\r\n" for k in range(30)),
    ",".join(map(str, range(9)))
    + "\n"
    + "".join(",".join(str(k * j % 11) for j in range(9)) + "\n" for k in range(30)),
]


def test_any_bytes_give_a_table_or_a_sentence():
    random, told = np.random.default_rng(0), []
    for k in range(600):
        content = bytearray(WHOLE[k % 3].encode(["utf-8", "utf-16"][k % 2]))
        for _ in range(2):
            place, count = int(random.integers(len(content))), int(random.integers(1, 9))
            new = [random.bytes(count), b"", str(random.choice(MARKS)).encode()][random.integers(3)]
            content[place : place + count * int(random.integers(2))] = new
        packed = [bytes(content), gzip.compress(content, mtime=0), zipped(own=bytes(content))][k % 3]
        for read in (lambda source: labelled_source(source), lambda source: Table(source).inputs()):
            try:
                read(Source("own.csv", packed))
            except DataError as error:
                told.append(str(error))
    assert 300 < len(told) < 1200
    assert all(sentence.startswith("own.csv") and "\n" not in sentence for sentence in told)


def test_a_table_takes_no_more_memory_for_prediction_than_for_training():
    rng = np.random.default_rng(0)
    text = "".join(",".join(map(str, row)) + "\n" for row in rng.integers(0, 9, (3000, 120)))
    header = ",".join(f"c{k}" for k in range(119)) + ",label\n"

    def peak(read):
        tracemalloc.start()
        kept = read(table(header + text))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most, kept

    training, _ = peak(lambda given: given.inputs_and_labels())
    predicting, _ = peak(lambda given: given.inputs(given.columns(), range(119)))
    assert predicting <= training
    assert predicting < 1.5 * 3000 * 120 * 4 + len(text) + 2e6  # the text, the table, and no second one


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_converter_is_no_fault_of_a_cell(error, monkeypatch):
    """NumPy tells of whatever a converter raises as a cell that cannot be read, even of Ctrl-C."""

    def ended(text):
        raise error

    monkeypatch.setattr("fastmlp.datasets.table._coder", lambda codes, decimal: ended)
    with pytest.raises(error):
        table("a,b,label\n1,2,rose\n3,4,lily\n").inputs_and_labels()
