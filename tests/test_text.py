"""The text of a table in every encoding and packing that people hand in."""

import gzip
import io
import zipfile

import pytest

from fastmlp.datasets.source import Source
from fastmlp.datasets.text import NotTextError, open_text
from fastmlp.errors import DataError

TEXT = "a;b\r\n1;é\r\n"


def zipped(**members):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def read(content):
    with open_text(Source("own.csv", content)) as file:
        return file.read()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda content: zipped(own=content)])
def test_text_is_read_as_it_was_written(encoding, pack):
    mark = "\ufeff" if encoding.endswith("e") else ""
    assert read(pack((mark + TEXT).encode(encoding))) == TEXT


def test_what_else_lies_in_a_zip():
    assert read(zipped(**{"folder/": "", "folder/own.csv": "1,2", "__MACOSX/folder/._own.csv": "x"})) == "1,2"
    with pytest.raises(DataError, match=r"own\.csv holds 2 files; give it one table only, or unpack it"):
        read(zipped(a="1", b="2"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (TEXT.encode("utf-16-le"), "is not UTF-8 text: it has zero bytes, as UTF-32, UTF-16 without its mark"),
        (("\ufeff" + TEXT).encode("utf-32"), "is not UTF-8 text: it has zero bytes"),
        (TEXT.encode("latin-1"), "is not UTF-8 text; save it as CSV in UTF-8"),
        (b"\xff\xfea\0b", "is not UTF-8 text; save it as CSV in UTF-8"),
    ],
)
def test_what_is_no_text_has_an_error_of_its_own(content, words):
    with pytest.raises(NotTextError, match=f"own.csv {words}"):
        read(content)


@pytest.mark.parametrize("place", [slice(30, 40), slice(-30, -20)])
def test_a_damaged_zip(place):
    content = bytearray(zipped(own=TEXT * 100))
    content[place] = bytes(10)
    with pytest.raises(DataError, match=r"own\.csv is damaged, it cannot be unpacked"):
        read(bytes(content))


def test_a_zip_with_a_password():
    content = bytearray(zipped(own=TEXT))
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match=r"own\.csv is encrypted; unpack it first"):
        read(bytes(content))
