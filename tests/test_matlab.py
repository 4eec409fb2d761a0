"""MATLAB files, through SciPy."""

import io
import sys

import numpy as np
import pytest

from fastmlp import load_files
from fastmlp.datasets.matlab import read_mat
from fastmlp.errors import DataError, MissingLibraryError


def test_a_dataset(tmp_path):
    io_ = pytest.importorskip("scipy.io")
    X = np.arange(24.0).reshape(12, 2)
    for y in (np.arange(12) % 3, np.arange(12)[:, None] % 3):  # MATLAB has (1, n) and (n, 1) only
        io_.savemat(tmp_path / "own.mat", {"X": X, "y": y})
        data = load_files(tmp_path / "own.mat")
        assert (data.x_train.shape, data.n_classes) == ((10, 2), 3)


def test_version_7_3_is_told():
    for content in (
        b"\x89HDF\r\n\x1a\n" + bytes(99),
        b"MATLAB 7.3 MAT-file".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(99),
    ):
        with pytest.raises(
            DataError, match=r"own\.mat is a MATLAB file of version 7\.3; save it with -v7, or as \.npz"
        ):
            read_mat(io.BytesIO(content), "own.mat")


def test_damage():
    pytest.importorskip("scipy.io")
    for content in (b"MATLAB 5.0 MAT-file" + bytes(99), b"", b"1,2\n", bytes(200)):
        with pytest.raises(DataError, match=r"own\.mat is not a MATLAB file, or is damaged"):
            read_mat(io.BytesIO(content), "own.mat")


def test_what_unpacks_to_more_than_is_allowed(tmp_path, monkeypatch):
    io_ = pytest.importorskip("scipy.io")
    io_.savemat(tmp_path / "own.mat", {"X": np.zeros((1000, 1000)), "y": np.arange(1000) % 3}, do_compression=True)
    assert (tmp_path / "own.mat").stat().st_size < 100_000
    monkeypatch.setenv("FASTMLP_MAX_BYTES", "1000000")
    with pytest.raises(DataError, match=r"own\.mat unpacks to 4,004,000 bytes, more than the 1,000,000"):
        load_files(tmp_path / "own.mat")


def test_without_scipy_a_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(MissingLibraryError, match="needs SciPy: pip install scipy"):
        read_mat(io.BytesIO(b"MATLAB 5.0"), "own.mat")
