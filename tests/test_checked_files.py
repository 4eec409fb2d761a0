"""Compiled functions on disk: nothing is loaded but what was written, whole, for the same function and versions."""

import errno
import os
import random
from pathlib import Path

import llvmlite
import numba
import pytest

from fastmlp.kernels.checked_files import CheckedFiles

KEY = ("int64", ("x86_64-unknown-linux-gnu", "znver3", "+avx2"), ("bytecode", ""))
DATA = {"code": bytes(range(100))}


@pytest.fixture
def files(tmp_path):
    files = CheckedFiles([tmp_path], "double-12.py311", "stamp")
    files.save(KEY, DATA)
    return files


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_what_was_saved_is_loaded(files, tmp_path):
    assert files.load(KEY) == DATA
    assert CheckedFiles([tmp_path], "double-12.py311", "stamp").load(KEY) == DATA
    files.save(KEY, "anew")
    assert files.load(KEY) == "anew"
    assert only_file(tmp_path).suffix == ".nbc"


def test_cut_off_or_altered_at_any_place_nothing_is_loaded(files, tmp_path):
    path = only_file(tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert files.load(KEY) is None
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        assert files.load(KEY) is None
    rng = random.Random(0)
    for content in (whole + b"\0", b"\0" * len(whole), rng.randbytes(len(whole)), rng.randbytes(20)):
        path.write_bytes(content)
        assert files.load(KEY) is None
    path.write_bytes(whole)
    assert files.load(KEY) == DATA


def test_what_was_saved_for_another_processor_or_signature_is_not_loaded(files, tmp_path):
    signature, (triple, _, features), bytecode = KEY
    other = signature, (triple, "skylake", features), bytecode
    assert files.load(other) is None
    assert files.load(("float64", *KEY[1:])) is None
    only_file(tmp_path).rename(tmp_path / files._file(other))  # as if two had written at once
    assert files.load(other) is None


@pytest.mark.parametrize("module", [numba, llvmlite])
def test_what_another_version_saved_is_neither_loaded_nor_kept(files, tmp_path, monkeypatch, module):
    monkeypatch.setattr(module, "__version__", "0.1.2")
    later = CheckedFiles([tmp_path], "double-12.py311", "stamp")
    assert later.load(KEY) is None
    (tmp_path / "double-12.py311.nbi").write_bytes(b"an index of Numba's own")
    (tmp_path / "double-12.py3110.1.nbc").write_bytes(b"another's")
    later.save(KEY, DATA)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([later._file(KEY), "double-12.py3110.1.nbc"])


def test_what_was_saved_before_an_edit_is_not_loaded(files, tmp_path):
    assert CheckedFiles([tmp_path], "double-12.py311", "another stamp").load(KEY) is None


def test_a_full_disk_leaves_nothing_and_the_old_file(files, tmp_path, monkeypatch):
    def full(path, content):
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        files.save(KEY, "anew")
    assert files.load(KEY) == DATA
    assert only_file(tmp_path).suffix == ".nbc"


def test_a_folder_in_place_of_a_file_is_as_if_there_was_none(files, tmp_path):
    path = only_file(tmp_path)
    path.unlink()
    path.mkdir()
    assert files.load(KEY) is None
    with pytest.raises(IsADirectoryError):
        files.save(KEY, DATA)


def test_flush_removes_the_files_of_the_function_and_no_others(files, tmp_path):
    CheckedFiles([tmp_path], "double-12.py3110", "stamp").save(KEY, DATA)
    files.flush()
    assert files.load(KEY) is None
    assert only_file(tmp_path).name.startswith("double-12.py3110.")
