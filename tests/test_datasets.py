"""What all data sets share: names, laziness, the cache's writing, the IDX format."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import fastmlp.datasets
from fastmlp.datasets import Dataset, load_dataset, load_mnist
from fastmlp.datasets.cache import cache_dir
from fastmlp.datasets.idx import parse_idx, to_idx
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


def test_nothing_is_printed(tmp_path):
    done = run(
        "from fastmlp.datasets import load_synthetic; load_synthetic(); load_synthetic()",
        XDG_CACHE_HOME=str(tmp_path),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# load_dataset


def test_names_lead_to_their_loaders(monkeypatch):
    monkeypatch.setattr(fastmlp.datasets, "load_mnist", lambda data_dir: ("mnist", data_dir))
    monkeypatch.setattr(fastmlp.datasets, "load_synthetic", lambda: "synthetic")
    assert load_dataset() == ("mnist", None)
    assert load_dataset("mnist", "folder") == ("mnist", "folder")
    assert load_dataset("synthetic") == "synthetic"


def test_a_path_leads_to_load_files_with_its_options(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a,kind,b\n" + "1,x,2\n3,y,4\n" * 10)
    data = load_dataset(path, test_fraction=0.4, label_column="kind", seed=3)
    assert data.name == "own.csv"
    assert len(data.y_test) == 8
    assert data.class_names == ("x", "y")


@pytest.mark.parametrize("options", [{"test_fraction": 0.2}, {"label_column": "y"}])
@pytest.mark.parametrize("name", ["auto", "mnist", "synthetic"])
def test_options_for_files_do_not_apply_to_named_data(name, options):
    with pytest.raises(ValueError, match=f"the dataset {name} has its own test part"):
        load_dataset(name, **options)


def test_a_misspelt_name_is_told():
    with pytest.raises(DataError, match=r"minst does not exist; .* or one of auto, mnist and synth"):
        load_dataset("minst")


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


# IDX


@pytest.mark.parametrize("shape", [(0,), (5,), (2, 3), (2, 3, 4), (1, 2, 3, 4)])
def test_idx_there_and_back(shape):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    np.testing.assert_array_equal(parse_idx(to_idx(array), "array"), array)


def test_idx_header_as_in_the_format_description():
    content = bytes.fromhex("00000803 00000001 00000002 00000003 000102030405")
    np.testing.assert_array_equal(parse_idx(content, "x"), np.arange(6).reshape(1, 2, 3))


@pytest.mark.parametrize(
    "content", [b"", b"\0", b"\0\0\x08", b"\0\0\x08\0", b"\0\1\x08\1\0\0\0\0", b"\0\0\x0a\1\0\0\0\0"]
)
def test_what_is_not_idx(content):
    with pytest.raises(DataError, match="labels is no IDX file: it starts with"):
        parse_idx(content, "labels")


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
