"""What all datasets share: laziness, silence, the cache."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import fastmlp.datasets
from fastmlp.datasets import Dataset, load_mnist
from fastmlp.datasets.cache import cache_dir
from fastmlp.errors import DataError


def run(program, **environment):
    root = Path(fastmlp.datasets.__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        env=os.environ | {"PYTHONPATH": str(root)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_importing_and_reading_a_file_load_neither_numba_nor_pooch(tmp_path):
    np.savez(tmp_path / "own.npz", X=np.eye(4), y=[0, 1, 0, 1])
    done = run(f"""
        import sys
        from fastmlp.datasets import load_dataset
        load_dataset({str(tmp_path / "own.npz")!r})
        heavy = {{"numba", "llvmlite", "pooch", "requests"}} & set(sys.modules)
        assert not heavy, heavy
    """)
    assert done.returncode == 0, done.stderr


def test_naming_data_loads_not_even_numpy():
    done = run("""
        import sys
        import fastmlp.datasets
        from fastmlp.datasets.choice import DatasetChoice
        DatasetChoice("own.csv").record("own.csv")
        assert "numpy" not in sys.modules
    """)
    assert done.returncode == 0, done.stderr


def test_public_names_are_there():
    for name in fastmlp.datasets.__all__:
        assert getattr(fastmlp.datasets, name).__name__ == name
        assert name in dir(fastmlp.datasets)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = fastmlp.datasets.nothing


def test_nothing_is_printed(tmp_path):
    done = run(
        "from fastmlp.datasets import load_synthetic; load_synthetic(); load_synthetic()",
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_number_of_classes():
    x, y = np.zeros((2, 1), np.float32), np.array([0, 4])
    assert Dataset(x, y, x, np.array([6, 0]), "own").n_classes == 7
    assert Dataset(x, y, x, y, "own", tuple("abcdefgh")).n_classes == 8


# The cache


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_a_full_disk_does_not_keep_the_digits_from_being_drawn(tmp_path):
    done = run(
        """
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        from fastmlp.datasets import load_synthetic
        print(load_synthetic().x_train.shape)
        """,
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "(60000, 784)\n", "")
    assert list((tmp_path / "fastmlp").iterdir()) == []


def test_cache_dir_follows_the_system(monkeypatch, tmp_path):
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert cache_dir() == tmp_path / "fastmlp"
    assert cache_dir().name == "fastmlp"


# The real MNIST, where it is on this machine


def test_real_mnist(monkeypatch):
    monkeypatch.setattr("fastmlp.datasets.mnist.MIRRORS", ())  # found, not fetched
    try:
        data = load_mnist()
    except DataError:
        pytest.skip("MNIST is not on this machine")
    assert data.x_train.shape == (60_000, 784)
    assert data.x_test.shape == (10_000, 784)
    assert data.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert data.y_test[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(data.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.x_train.mean(dtype=np.float64) == pytest.approx(0.1306604762738429, rel=1e-7)
    assert np.count_nonzero(data.x_train) / data.x_train.size == pytest.approx(0.1912, abs=1e-4)
