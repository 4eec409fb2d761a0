"""Files, pipes and bytes, plain or gzipped, are read alike."""

import gzip
import io
import os
import threading

import pytest

from fastmlp.datasets.source import Source, decompress, expand_home
from fastmlp.errors import DataError

LARGE = bytes(range(256)) * 8192  # 2 MiB


@pytest.mark.parametrize("content", [b"", b"1,2", b"\x1f", LARGE], ids=["none", "text", "half a magic", "large"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_the_same_bytes_from_everywhere(tmp_path, content, pack):
    path, packed = tmp_path / "file", pack(content)  # once: gzip puts the time in
    path.write_bytes(packed)
    for source in (Source.at(path), Source.once("pipe", io.BytesIO(packed))):
        with source.decompressed() as file:
            assert file.read() == content
        with source.open() as file:
            assert file.read() == packed
    assert decompress(packed, "file") == content


@pytest.mark.parametrize("content", [b"once", LARGE], ids=["small", "large"])
def test_a_pipe_is_kept(tmp_path, content):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    source = Source.at(pipe)
    writer.join()
    for _ in range(2):
        with source.open() as file:
            assert file.read() == content


def test_what_a_pipe_leaves_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    source = Source.once("pipe", io.BytesIO(LARGE))
    descriptor = source.place._file.fileno()
    assert os.fstat(descriptor).st_size == len(LARGE)
    assert list(tmp_path.iterdir()) == []  # so nothing stays when the process is killed
    del source
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_no_room_for_a_pipe(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(DataError, match=r"pipe cannot be copied to a temporary file: No such file .* with TMPDIR"):
        Source.once("pipe", io.BytesIO(LARGE))


@pytest.mark.parametrize(
    ("name", "words"),
    [("none", "none cannot be read: No such file"), (".", "cannot be read: Is a direct"), ("a\0b", "name of a file")],
)
def test_what_cannot_be_opened(tmp_path, name, words):
    with pytest.raises(DataError, match=words):
        Source.at(tmp_path / name)


@pytest.mark.parametrize("content", [gzip.compress(b"1,2" * 99, mtime=0)[:-9], b"\x1f\x8b" + bytes(50)])
def test_damage(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(DataError, match=r"file is damaged, it cannot be decompressed .*; get the file again"):
        decompress(content, "file")
    with (
        pytest.raises(DataError, match=r"file is damaged, it cannot be decompressed .*; get the file again"),
        Source.at(tmp_path / "file").decompressed() as file,
    ):
        file.read()


def test_home(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert expand_home("~/data") == tmp_path / "data"
