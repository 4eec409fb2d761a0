"""Model files: what is kept, what is refused, and that a file is whole or not there at all."""

import io
import json
import os
import pickle
import tracemalloc
import zipfile

import numpy as np
import pytest

from fastmlp import NeuralNetwork
from fastmlp.errors import ModelFileError
from fastmlp.files.model import read_model, write_model


def make_net(**parameters):
    net = NeuralNetwork(hidden_size=7, input_size=5, output_size=3, seed=3, **parameters)
    rng = np.random.default_rng(1)
    net.fit(rng.normal(size=(40, 5)), rng.integers(0, 3, 40), 8, 2)
    return net


@pytest.fixture
def net():
    return make_net()


def rewritten(path, **changes):
    """Change entries of a model file, None for none; the digest stays the old one."""
    with np.load(path) as stored:
        arrays = {**stored, **changes}
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})


def test_a_net_comes_back_to_the_bit(net, tmp_path):
    net.class_names, net.input_scale = ("ä", "b", "c"), 1 / 255
    net.feature_names = ("ö", *map(str, range(net.input_size - 1)))
    net.save(tmp_path / "net.npz", training={"epochs": 2})
    loaded = NeuralNetwork.load(tmp_path / "net.npz", n_threads=1)
    for name in ("W1", "b1", "W2", "b2"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(net, name))
    sizes = ("hidden_size", "input_size", "output_size")
    for name in (*sizes, "lr", "init", "seed", "class_names", "feature_names", "input_scale"):
        assert getattr(loaded, name) == getattr(net, name)
    assert loaded.n_threads == 1
    metadata = read_model(tmp_path / "net.npz").metadata
    assert metadata["format"] == 1
    assert metadata["training"] == {"epochs": 2}
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("seed", [0, None])
def test_a_loaded_net_trains_on_to_the_same_bits(tmp_path, seed):
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(50, 5)), rng.integers(0, 3, 50)
    net = NeuralNetwork(hidden_size=6, input_size=5, output_size=3, seed=seed)
    net.fit(X, y, 8, 3)
    net.save(tmp_path / "half.npz")
    net.fit(X, y, 8, 4)
    loaded = NeuralNetwork.load(tmp_path / "half.npz")
    loaded.fit(X, y, 8, 4)
    np.testing.assert_array_equal(loaded.W1, net.W1)
    np.testing.assert_array_equal(loaded.b2, net.b2)


@pytest.mark.parametrize("keep", [0, 1, 30, 0.5, 0.99, -1])
def test_a_file_that_is_cut_off_is_refused(net, tmp_path, keep):
    path = tmp_path / "net.npz"
    net.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if 0 < keep < 1 else keep])
    with pytest.raises(ModelFileError, match=r"net\.npz is not a model of fastmlp, or is cut off or damaged"):
        NeuralNetwork.load(path)


def test_any_altered_byte_of_a_weight_is_noticed(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    W1 = net.W1.copy()
    W1[2, 3] = np.nextafter(W1[2, 3], np.float32(9))
    rewritten(path, W1=W1)
    with pytest.raises(ModelFileError, match="altered or damaged"):
        NeuralNetwork.load(path)


def test_bytes_flipped_anywhere_never_give_another_net(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(whole), 100):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            loaded = NeuralNetwork.load(path)
        except ModelFileError:
            continue
        np.testing.assert_array_equal(loaded.W1, net.W1)  # a byte that nobody reads, in the zip's own fields
        np.testing.assert_array_equal(loaded.W2, net.W2)


def test_a_newer_format_is_refused(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    metadata = read_model(path).metadata
    rewritten(path, metadata=np.frombuffer(json.dumps({**metadata, "format": 99}).encode(), np.uint8))
    with pytest.raises(ModelFileError, match=r"newer fastmlp \(format 99; this one reads up to 3\)"):
        NeuralNetwork.load(path)


@pytest.mark.parametrize(
    "text", [b"[" * 200_000, b"[1]", b'{"format": "1"}', b"\xff"], ids=["deep", "list", "text", "bytes"]
)
def test_metadata_that_cannot_be_read_are_refused(net, tmp_path, text):
    path = tmp_path / "net.npz"
    net.save(path)
    rewritten(path, metadata=np.frombuffer(text, np.uint8))
    with pytest.raises(ModelFileError, match="its metadata cannot be read"):
        NeuralNetwork.load(path)


def test_pickles_are_refused_and_not_run(net, tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "net.npz"
    net.save(path)
    entry = io.BytesIO()
    np.lib.format.write_array(entry, np.array([Bomb()], object), allow_pickle=True)
    with np.load(path) as stored:
        arrays = dict(stored)
    del arrays["W1"]
    np.savez(path, **arrays)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("W1.npy", entry.getvalue())
    with pytest.raises(ModelFileError, match="Python objects"):
        NeuralNetwork.load(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelFileError, match="not a model"):
        NeuralNetwork.load(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"W1": np.ones((5, 8), np.float32)}, "do not fit together"),
        ({"b1": np.ones((7, 1), np.float32)}, "not a net's"),
        ({"W2": np.ones((7, 3))}, None),  # cast to float32 when written
        ({"b2": np.array([1, np.nan, 0], np.float32)}, "NaN"),
    ],
    ids=["width", "dimensions", "float64", "nan"],
)
def test_arrays_that_make_no_net_are_refused(net, tmp_path, changes, says):
    arrays = {name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")}
    write_model(tmp_path / "net.npz", {**arrays, **changes}, {})
    if says is None:
        read_model(tmp_path / "net.npz")
        return
    with pytest.raises(ModelFileError, match=says):
        read_model(tmp_path / "net.npz")


def test_metadata_that_make_no_net_are_refused(net, tmp_path):
    arrays = {name: getattr(net, name) for name in ("W1", "b1", "W2", "b2")}
    write_model(tmp_path / "net.npz", arrays, {"hidden_size": 7})
    with pytest.raises(ModelFileError, match="metadata that describes no net"):
        NeuralNetwork.load(tmp_path / "net.npz")


def test_a_missing_entry_and_another_npz_are_refused(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    rewritten(path, b2=None)
    with pytest.raises(ModelFileError, match="arrays other than"):
        NeuralNetwork.load(path)
    with pytest.raises(ModelFileError, match="folder"):
        NeuralNetwork.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        NeuralNetwork.load(tmp_path / "nothing.npz")


def test_a_full_disk_leaves_the_old_file(net, tmp_path):
    path = tmp_path / "net.npz"
    net.save(path)
    before = path.read_bytes()
    resource = pytest.importorskip("resource")  # which Windows lacks
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    net.b2 = np.zeros(3)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
        with pytest.raises(OSError, match=r"File too large: .*net\.npz"):
            net.save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.parametrize(("optimizer", "n_copies"), [("sgd", 1), ("momentum", 2)])
def test_wide_nets_take_little_memory(tmp_path, optimizer, n_copies):
    """Making, saving and loading needs no more than about two copies of weights and moments."""
    sizes = {"hidden_size": 48, "input_size": 200_000, "output_size": 3, "optimizer": optimizer}
    whole, some = n_copies * 4 * 200_000 * 48, 2**24 + 2**21  # NumPy writes 16 MiB at once
    tracemalloc.start()
    try:
        net = NeuralNetwork(**sizes, seed=0)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * whole + some
        tracemalloc.reset_peak()
        net.save(tmp_path / "net.npz")
        assert tracemalloc.get_traced_memory()[1] < 2.1 * whole + some
        assert (tmp_path / "net.npz").stat().st_size < whole + 10_000
        del net
        tracemalloc.reset_peak()
        net = NeuralNetwork.load(tmp_path / "net.npz")
        assert tracemalloc.get_traced_memory()[1] < 2.1 * whole + some
    finally:
        tracemalloc.stop()
    assert (net.W1 == NeuralNetwork(**sizes, seed=0).W1).all()
