"""What is unpacked is bounded, and a sentence names the file, the size and the variable that allows more."""

import gzip
import io
import os
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from fastmlp import load_files
from fastmlp.datasets import source
from fastmlp.datasets.idx import read_idx, to_idx
from fastmlp.datasets.limits import bounded, check_size, limit_of
from fastmlp.datasets.source import Source, decompress
from fastmlp.errors import DataError, InvalidValueError
from fastmlp.machine import peak_memory

VARIABLE = "FASTMLP_MAX_BYTES"


@pytest.fixture
def a_megabyte(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(1 << 20))


def zeros(n_bytes):
    """So many zeros, gzipped, in little memory."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(bytes(1 << 20)) for _ in range(n_bytes >> 20)]
    return b"".join([*parts, packer.flush()])


@pytest.mark.parametrize("value", ["0", "-1", "2e9", "much", "1.5"])
def test_a_limit_is_a_whole_number(monkeypatch, value):
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(InvalidValueError, match=f"{VARIABLE} is '{value}'; set it to a whole number above 0"):
        limit_of(VARIABLE)


def test_the_limit_can_be_raised(monkeypatch):
    content = zeros(3 << 20)
    monkeypatch.setenv(VARIABLE, str((3 << 20) - 1))
    with pytest.raises(DataError, match=r"^big.gz unpacks to more than the 3,145,727 bytes .* FASTMLP_MAX_BYTES"):
        decompress(content, "big.gz")
    monkeypatch.setenv(VARIABLE, str(3 << 20))
    assert decompress(content, "big.gz") == bytes(3 << 20)
    check_size("big.gz", 3 << 20)


def test_a_bounded_reader_reads_seeks_and_tells(a_megabyte):
    content = bytes(range(256)) * 1000
    reader = bounded(gzip.GzipFile(fileobj=io.BytesIO(gzip.compress(content))), "name")
    assert reader.read(300) == content[:300]
    assert reader.seek(0) == 0
    assert reader.readline() == content[:11]
    assert reader.tell() == 11
    assert reader.read() == content[11:]


@pytest.mark.parametrize("name", ["bomb.csv.gz", "bomb.txt.gz"])
def test_a_table_that_grows(tmp_path, a_megabyte, name):
    (tmp_path / name).write_bytes(gzip.compress(b"1,2,0\n" * 200_000))
    with pytest.raises(DataError, match=rf"{name} unpacks to more than the 1,048,576 bytes"):
        load_files(tmp_path / name)


def test_an_idx_file_says_how_large_it_is(tmp_path, a_megabyte):
    header = to_idx(np.zeros((0, 28, 28), np.uint8))[:4] + np.array([5000, 28, 28], ">u4").tobytes()
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(header + bytes(100)))
    with pytest.raises(DataError, match=r"ubyte.gz unpacks to 3,920,016 bytes, more than the 1,048,576"):
        read_idx(path)


def test_of_an_idx_file_no_more_is_read_than_it_announces(tmp_path):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(to_idx(np.zeros(5, np.uint8))) + zeros(200 << 20))
    before = peak_memory()
    with pytest.raises(DataError, match=r"labels.gz is damaged: it has more bytes than the 13 that its header"):
        read_idx(path)
    assert peak_memory() - before < 50e6


def test_an_npz_says_how_large_its_arrays_are(tmp_path, a_megabyte):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, X=np.zeros((300, 1000)), y=np.zeros(300))
    with pytest.raises(DataError, match=r"bomb.npz unpacks to 2,40\d,\d+ bytes, more than the 1,048,576"):
        load_files(path)
    np.savez(path, X=np.eye(400), y=np.arange(400) % 2)  # what is not packed is as large as the file
    assert load_files(path).x_train.shape[1] == 400


def test_an_npz_cannot_hold_more_than_it_says(tmp_path, a_megabyte):
    path = tmp_path / "bomb.npz"
    np.savez_compressed(path, X=np.zeros((300, 1000)), y=np.zeros(300))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        size = file.getinfo("X.npy").file_size
    content = bytes(content).replace(size.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"bomb.npz: the array X is damaged"):
        load_files(path)


# Pipes and devices


def test_a_pipe_that_gives_too_much(a_megabyte):
    with pytest.raises(DataError, match=r"^stdin gives more than the 1,048,576 bytes.*FASTMLP_MAX_BYTES"):
        Source.once("stdin", io.BytesIO(bytes(5 << 20)))


@pytest.mark.skipif(not Path("/dev/zero").is_char_device(), reason="no such device")
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null", "/dev/urandom"])
@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_devices(tmp_path, device, suffix):
    link = tmp_path / f"samples.{suffix}"
    link.symlink_to(device)
    with pytest.raises(DataError, match=rf"samples.{suffix} is a device, not a file or a pipe"):
        load_files(link)


@pytest.mark.parametrize("name", ["pipe.csv", "pipe.npz", "pipe.png"])
def test_a_pipe_that_nobody_writes_to(tmp_path, monkeypatch, name):
    monkeypatch.setattr(source, "_WRITER_SECONDS", 0.1)
    os.mkfifo(tmp_path / name)
    begin = time.monotonic()
    with pytest.raises(DataError, match=rf"{name} is a pipe that nobody writes to; start what writes to it first"):
        Source.at(tmp_path / name)
    assert time.monotonic() - begin < 2


def test_a_folder(tmp_path):
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        Source.at(tmp_path)


def test_a_table_that_says_at_its_end_how_large_it_is_is_not_read_as_numbers(tmp_path, a_megabyte, monkeypatch):
    monkeypatch.setattr("numpy.loadtxt", None)
    monkeypatch.setattr("io.TextIOWrapper", None)
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"1,2,0\n" * 200_000))
    with pytest.raises(DataError, match=r"bomb.csv.gz unpacks to more than the 1,048,576 bytes"):
        load_files(tmp_path / "bomb.csv.gz")


def test_a_file_that_is_cut_off_may_seem_large(tmp_path, a_megabyte):
    content = gzip.compress(b"1,2,0\n3,4,1\n" * 20)
    with pytest.raises(DataError, match=r"small.gz is damaged, it cannot be decompressed"):
        decompress(content[:-4] + b"\xff\xff\xff\xff", "small.gz")
