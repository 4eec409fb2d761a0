"""Whatever the bytes of an .npz or of a model file are, reading them gives arrays or one sentence."""

import io
import struct
import zipfile

import numpy as np
import pytest

from fastmlp.datasets.npz import read_npz
from fastmlp.errors import DataError, ModelFileError
from fastmlp.files.model import read_model, write_model

X = np.random.default_rng(0).normal(size=(40, 3))
Y = np.arange(40) % 3


def npz_bytes(save=np.savez):
    file = io.BytesIO()
    save(file, X=X, y=Y)
    return file.getvalue()


def model_bytes(folder):
    arrays = {"W1": np.ones((2, 3)), "b1": np.ones(3), "W2": np.ones((3, 1)), "b2": np.ones(1)}
    write_model(folder / "net.npz", arrays, {})
    return (folder / "net.npz").read_bytes()


def with_flag(flag):
    """The zip's first entry says of itself, in both places, what `flag` means."""
    content = bytearray(npz_bytes())
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, 6, flag)
    struct.pack_into("<H", content, central + 8, flag)
    return bytes(content)


def with_method(method):
    content = bytearray(npz_bytes())
    central = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, 8, method)
    struct.pack_into("<H", content, central + 10, method)
    return bytes(content)


def with_header(header):
    """X has this text as the header that names its type and shape; its check sum is right."""
    text = header.encode().ljust(117) + b"\n"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("X.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(960))
    return file.getvalue()


def compressed_and_damaged(method):
    """An array whose compressed stream is overwritten in its middle."""
    array, file = io.BytesIO(), io.BytesIO()
    np.save(array, X)
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in ("X.npy", "y.npy"):
            archive.writestr(name, array.getvalue())
    content = bytearray(file.getvalue())
    content[60:80] = bytes(20)
    return bytes(content)


def zip_behind_an_array():
    """One array, then a zip: NumPy takes the file for an .npy."""
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue() + npz_bytes()


DAMAGED = {
    "encrypted": with_flag(1),
    "strongly encrypted": with_flag(64),
    "patched": with_flag(32),
    "unknown compression": with_method(99),
    "deflate stream": compressed_and_damaged(zipfile.ZIP_DEFLATED),
    "bzip2 stream": compressed_and_damaged(zipfile.ZIP_BZIP2),
    "lzma stream": compressed_and_damaged(zipfile.ZIP_LZMA),
    "header unfinished": with_header("{'descr': '<f8', 'shape': (40, 3"),
    "header no Python": with_header("{'descr' '<f8' $"),
    "header of another type": with_header("{'descr': 'ham', 'fortran_order': False, 'shape': (40, 3)}"),
    "shape of text": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': ('a', 3)}"),
    "shape of fractions": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (40.5, 3)}"),
    "negative shape": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (-40, 3)}"),
    "shape beyond integers": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10**30, 3)}"),
    "shape beyond 64 bits": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (1" + "0" * 30 + ", 3)}"),
    "a hundred terabytes": with_header("{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000, 1)}"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage(case):
    with pytest.raises(DataError, match=r"^bad\.npz: the array X is (damaged|larger than the memory)") as caught:
        read_npz(io.BytesIO(DAMAGED[case]), "bad.npz", lambda names: names)
    assert "\n" not in str(caught.value)


def test_a_zip_behind_an_array_is_no_npz():
    with pytest.raises(DataError, match=r"^bad\.npz is not an \.npz file"):
        read_npz(io.BytesIO(zip_behind_an_array()), "bad.npz", lambda names: names)


def altered(content, random):
    """Bytes replaced, taken out or put in, or the end cut off."""
    content = bytearray(content)
    place, count = int(random.integers(len(content))), int(random.integers(1, 9))
    kind = random.integers(4)
    if kind == 0:
        content[place : place + count] = random.bytes(count)
    elif kind == 1:
        del content[place : place + count]
    elif kind == 2:
        content[place:place] = random.bytes(count)
    else:
        del content[place:]
    return bytes(content)


def rezipped(content, random):
    """The arrays altered within a zip that is whole: no check sum tells of it."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w") as new:
        for name in old.namelist():
            array = old.read(name)
            new.writestr(name, altered(array[:100], random) + array[100:])
    return file.getvalue()


@pytest.mark.parametrize("alter", [altered, rezipped])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_any_bytes_give_arrays_or_a_sentence(save, alter):
    random, content, told = np.random.default_rng(1), npz_bytes(save), []
    for _ in range(300):
        try:
            read_npz(io.BytesIO(alter(content, random)), "bad.npz", lambda names: names)
        except DataError as error:
            told.append(str(error))
    assert len(told) > 100
    assert all(sentence.startswith("bad.npz") for sentence in told)


@pytest.mark.parametrize("alter", [altered, rezipped])
def test_any_bytes_give_a_model_or_a_sentence(tmp_path, alter):
    random, content, told = np.random.default_rng(1), model_bytes(tmp_path), []
    for _ in range(300):
        (tmp_path / "net.npz").write_bytes(alter(content, random))
        try:
            read_model(tmp_path / "net.npz")
        except ModelFileError as error:
            told.append(str(error))
    assert len(told) > 200
    assert all(sentence.startswith(str(tmp_path)) for sentence in told)
