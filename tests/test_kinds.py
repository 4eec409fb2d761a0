"""What kind of file it is."""

import io
import zipfile

import numpy as np
import pytest

from fastmlp.datasets.kinds import kind_of_content, kind_of_file, open_table
from fastmlp.datasets.source import Source
from fastmlp.errors import InvalidValueError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("own.csv", "text"),
        ("OWN.CSV", "text"),
        ("own.tsv.gz", "text"),
        ("own.csv.zip", "text"),
        ("own.zip", "text"),
        ("own.npz", "npz"),
        ("own.mat", "mat"),
        ("own.parquet", "arrow"),
        ("own.feather", "arrow"),
        ("own", None),
        ("own.png", None),
        ("own.npz.gz", None),
    ],
)
def test_by_the_name(name, kind):
    assert kind_of_file(name) == kind
    if kind:
        assert kind_of_file(name, Source(name, b"anything")) == kind


def zipped(name):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, "1,2")
    return file.getvalue()


def npz():
    file = io.BytesIO()
    np.savez(file, X=np.eye(2))
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"1,2\n", "text"),
        (b"PKC,b\n1,2\n", "text"),
        (b"", "text"),
        (npz(), "npz"),
        (zipped("own.csv"), "text"),
        (zipped("X.npy")[:30], "npz"),
        (b"PAR1....", "arrow"),
        (b"ARROW1\0\0", "arrow"),
        (b"MATLAB 5.0 MAT-file", "mat"),
    ],
    ids=["comma", "begins with PK", "empty", "npz", "zipped table", "start of an npz", "parquet", "feather", "mat"],
)
def test_by_the_content(content, kind):
    assert kind_of_content(Source("stdin", content)) == kind


def test_a_header_is_for_text_only():
    with pytest.raises(InvalidValueError, match=r"header is for tables of text, which own\.parquet is not"):
        open_table(Source("own.parquet", b"PAR1"), header=True)
