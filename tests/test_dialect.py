"""What separates the cells of a table of text, and what its decimals."""

import pytest

from fastmlp.datasets.dialect import Dialect, read_head
from fastmlp.datasets.source import Source


@pytest.mark.parametrize(
    ("text", "dialect"),
    [
        ("1,2\n3,4\n", (",", ".", 0)),
        ("1.5;2\n3;4\n", (";", ".", 0)),
        ("1\t2\n3\t4\n", ("\t", ".", 0)),
        ("7\n8\n", (",", ".", 0)),
        ("sep=;\na,b;c\n1;2\n", (";", ".", 1)),
        ("SEP=|\r\n1|2\r\n", ("|", ".", 1)),
        ("sep=\t\n1\t2,5\n", ("\t", ",", 1)),
        ('"sep=;"\n1;2\n', (";", ".", 1)),
        ("1,5;2,5\n3,25;4\n", (";", ",", 0)),  # commas and semicolons: as semicolons leave numbers
        ("1,5\t2,5\n3\t4\n", ("\t", ",", 0)),
        ("a,b;c\n1,5;2\n", (";", ",", 0)),
        ("a;x,b,label\n1,2,0\n3,4,1\n", (",", ".", 0)),  # a semicolon in a name
        ("1,234;5\n2,345;6\n", (";", ".", 0)),  # unclear: said when it is read
        ("1,5;2.5\n", (";", ".", 0)),
        ("1,5;1.234,5\n", (";", ".", 0)),
        ('"1,5","2,5"\n', (",", ".", 0)),
        ("\n\n1;2\n", (";", ".", 0)),
    ],
)
def test_dialects(text, dialect):
    assert read_head(Source("own.csv", text.encode())).dialect == Dialect(*dialect)


def test_the_first_rows_with_their_lines():
    head = read_head(Source("own.csv", b'sep=;\r\n\r\n"a\r\nb";c\r\n1;2\r\n'))
    assert [(row.line, row.cells) for row in head.rows] == [(4, ["a\r\nb", "c"]), (5, ["1", "2"])]


def test_a_row_that_may_go_on_is_left_out():
    text = "1,2\n" * 199 + '3,"x\ny"\n' + "1,2\n" * 9
    assert len(read_head(Source("own.csv", text.encode())).rows) == 199


def test_no_text():
    assert read_head(Source("own.csv", b"")).rows == []
