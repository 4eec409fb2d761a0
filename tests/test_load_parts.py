"""Files as parts: what each kind holds, what must agree between them, and what is told."""

import numpy as np
import pytest

from fastmlp import DataError, NeuralNetwork, Parts, load_files, load_parts
from fastmlp.datasets.find_parts import names_parts
from fastmlp.datasets.idx import to_idx
from fastmlp.errors import FastmlpError, InvalidValueError

COLOURS = np.array(["red", "blue", "green"])


def samples(n=60, D=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.random((n, D), np.float32)
    X[0, 0], X[1, 1] = 0, 1
    return X, rng.integers(0, 3, n)


def write_npz(folder, X, y, n_parts=3, names=("X", "y")):
    folder.mkdir(exist_ok=True)
    for k, (rows, labels) in enumerate(zip(np.array_split(X, n_parts), np.array_split(y, n_parts), strict=True)):
        np.savez(folder / f"{k}.npz", **dict(zip(names, (rows, labels), strict=True)))
    return folder


def all_of(parts):
    read = [part.read() for part in parts.parts]
    return np.concatenate([X for X, _ in read]), np.concatenate([y for _, y in read])


@pytest.mark.parametrize("how", ["pattern", "folder"])
@pytest.mark.parametrize("labels", ["numbers", "text", "one-hot", "gaps"])
def test_npz_parts_are_the_rows_and_classes_of_the_whole(tmp_path, labels, how):
    X, y = samples()
    written = {"numbers": y, "text": COLOURS[y], "one-hot": np.eye(3)[y], "gaps": y * 5 - 2}[labels]
    folder = write_npz(tmp_path / "parts", X, written)
    np.savez(tmp_path / "whole.npz", X=X, y=written)
    parts = load_parts(folder if how == "folder" else f"{folder}/*.npz")
    whole = load_files(tmp_path / "whole.npz", test_fraction=0.1)
    assert names_parts(folder)
    assert names_parts(f"{folder}/*.npz")
    assert (len(parts), parts.input_size, parts.n_classes) == (3, 6, 3)
    assert parts.class_names == whole.class_names
    read, classes = all_of(parts)
    np.testing.assert_array_equal(read, X)
    names = whole.class_names or tuple("012")
    expected = COLOURS[y] if labels == "text" else (y * 5 - 2 if labels == "gaps" else y).astype(str)
    assert [names[k] for k in classes] == list(expected)
    np.testing.assert_array_equal(np.concatenate([part.labels() for part in parts.parts]), classes)


def test_a_class_may_be_missing_in_some_parts(tmp_path):
    X, y = samples()
    parts = load_parts(write_npz(tmp_path / "p", X, COLOURS[np.sort(y)]))
    assert parts.class_names == ("blue", "green", "red")
    net = NeuralNetwork(4, input_size=6, output_size=3, seed=0)
    net.class_names = parts.class_names
    assert len(net.fit(parts, batch_size=8, number_epochs=2, class_weight="balanced").loss) == 2


def test_arrays_without_names(tmp_path):
    X, y = samples()
    np.savez(tmp_path / "a.npz", X, y)
    np.savez(tmp_path / "b.npz", y, X)
    read, classes = all_of(load_parts(tmp_path))
    np.testing.assert_array_equal(read, np.r_[X, X])
    np.testing.assert_array_equal(classes, np.r_[y, y])


def test_pixels_are_scaled_in_all_parts(tmp_path):
    X, y = samples()
    pixels = (X.reshape(-1, 2, 3) * 255).astype(np.uint8)
    pixels[30:40] = 1  # a dark part
    parts = load_parts(write_npz(tmp_path / "p", pixels, y, 6))
    assert parts.input_scale == 1 / 255
    assert not parts.in_own_units
    np.testing.assert_array_equal(all_of(parts)[0], pixels.reshape(-1, 6) / np.float32(255))


def test_idx_folders(tmp_path):
    X, y = samples()
    pixels = (X.reshape(-1, 2, 3) * 255).astype(np.uint8)
    for k in range(2):
        (tmp_path / f"set{k}").mkdir()
        rows = slice(30 * k, 30 * k + 30)
        (tmp_path / f"set{k}" / "train-images-idx3-ubyte").write_bytes(to_idx(pixels[rows]))
        (tmp_path / f"set{k}" / "train-labels-idx1-ubyte").write_bytes(to_idx(y[rows].astype(np.uint8)))
    read, classes = all_of(load_parts(tmp_path / "set*"))
    np.testing.assert_array_equal(read, pixels.reshape(-1, 6) / np.float32(255))
    np.testing.assert_array_equal(classes, y)


@pytest.mark.parametrize(("rows", "n_parts"), [(7, 9), (60, 1), (None, 1)])
def test_mapped_arrays_are_cut_into_rows(tmp_path, rows, n_parts):
    X, y = samples()
    np.save(tmp_path / "X.npy", X)
    np.save(tmp_path / "y.npy", COLOURS[y])
    parts = load_parts(tmp_path, rows=rows)
    assert len(parts) == n_parts
    read, classes = all_of(parts)
    np.testing.assert_array_equal(read, X)
    assert [parts.class_names[k] for k in classes] == list(COLOURS[y])
    mapped = Parts.of_arrays(np.load(tmp_path / "X.npy", mmap_mode="r"), y, rows=7)
    assert not isinstance(mapped.parts[0].read()[0], np.memmap)


@pytest.mark.parametrize("label_column", [None, "colour", -1])
def test_row_groups_of_parquet(tmp_path, label_column):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    X, y = samples()
    table = pa.table({**{f"f{j}": X[:, j] for j in range(6)}, "colour": COLOURS[y]})
    parquet.write_table(table.slice(0, 40), tmp_path / "a.parquet", row_group_size=15)
    parquet.write_table(table.slice(40), tmp_path / "b.parquet")
    parts = load_parts(tmp_path / "*.parquet", label_column=label_column)
    assert len(parts) == 4
    assert parts.feature_names == tuple(f"f{j}" for j in range(6))
    read, classes = all_of(parts)
    np.testing.assert_array_equal(read, X)
    assert [parts.class_names[k] for k in classes] == list(COLOURS[y])
    parquet.write_table(table.rename_columns([*"uvwxyz", "colour"]), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"c\.parquet, row group 0 has the columns .* all parts must agree"):
        all_of(load_parts(tmp_path / "*.parquet"))


def sparse_samples(n=60, D=30):
    rng = np.random.default_rng(3)
    X = np.where(rng.random((n, D)) < 0.2, rng.integers(1, 9, (n, D)), 0).astype(np.float32)
    X[0, 0] = X[20, D - 1] = 1
    return X, rng.integers(0, 3, n)


def write_scipy(folder, X, y):
    scipy = pytest.importorskip("scipy.sparse")
    for k in range(3):
        rows = slice(20 * k, 20 * k + 20)
        scipy.save_npz(folder / f"{k}.npz", scipy.csr_array(X[rows]))
        np.save(folder / f"{k}.y.npy", COLOURS[y[rows]])
    return folder / "*.npz"


def write_svmlight(first):
    def write(folder, X, y):
        datasets = pytest.importorskip("sklearn.datasets")
        for k in range(3):
            rows = slice(20 * k, 20 * k + 20)
            datasets.dump_svmlight_file(X[rows], y[rows], str(folder / f"{k}.svm"), zero_based=first == 0)
        return folder / "*.svm"

    return write


SPARSE = {"scipy": write_scipy, "svmlight from 0": write_svmlight(0), "svmlight from 1": write_svmlight(1)}


@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_parts_are_the_rows_of_the_whole_and_train_to_the_same_bits(tmp_path, kind):
    X, y = sparse_samples()
    parts = load_parts(SPARSE[kind](tmp_path, X, y))
    assert (len(parts), parts.input_size, parts.n_classes) == (3, 30, 3)
    assert parts.is_sparse
    assert not parts.in_own_units
    read = [part.read() for part in parts.parts]
    np.testing.assert_array_equal(np.concatenate([rows.toarray() for rows, _ in read]), X)
    names = parts.class_names or tuple("012")
    assert [names[k] for _, labels in read for k in labels] == (
        COLOURS[y] if kind == "scipy" else y.astype(str)
    ).tolist()
    sparse, dense = (NeuralNetwork(4, input_size=30, output_size=3, seed=0) for _ in range(2))
    sparse.fit(parts, batch_size=8, number_epochs=3)
    labels = np.concatenate([labels for _, labels in read])
    dense.fit(Parts.of_arrays(X, labels, 20), batch_size=8, number_epochs=3)
    np.testing.assert_array_equal(sparse.W1, dense.W1)


def test_what_is_wrong_with_sparse_parts(tmp_path):
    X, y = sparse_samples()
    pattern = write_scipy(tmp_path, X, y)
    np.savez(tmp_path / "1.npz", X=X, y=COLOURS[y])
    net = NeuralNetwork(4, input_size=30, output_size=3, seed=0)
    with pytest.raises(DataError, match=r"1\.npz is an array and the first part a sparse matrix: the parts must be of"):
        net.fit(load_parts(pattern), batch_size=8)
    (tmp_path / "2.y.npy").unlink()
    with pytest.raises(DataError, match=r"2\.npz is a sparse matrix, which has no labels"):
        load_parts(pattern)


def test_one_file_is_the_same_to_the_bit_as_load_files(tmp_path):
    X, y = samples()
    whole, parted = (NeuralNetwork(4, input_size=6, output_size=3, seed=0) for _ in range(2))
    whole.fit(X, y, 8, 3)
    parted.fit(load_parts(write_npz(tmp_path / "p", X, y, 1)), batch_size=8, number_epochs=3)
    for name in ("W1", "b1", "W2", "b2"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(parted, name))


def broken(change):
    def work(folder):
        X, y = samples()
        change(write_npz(folder, X, y) / "1.npz", X[20:40].copy(), y[20:40].copy())
        return folder

    return work


AT_ONCE = {
    "labels of text": (
        lambda p, X, y: np.savez(p, X=X, y=COLOURS[y]),
        r"1\.npz has labels of text and .*0\.npz of",
    ),
    "no labels": (lambda p, X, _y: np.savez(p, X=X), r"1\.npz lacks the array y"),
    "a test set": (lambda p, X, y: np.savez(p, x_train=X, y_train=y, x_test=X, y_test=y), "has a test set of its own"),
    "damaged": (lambda p, _X, _y: p.write_bytes(p.read_bytes()[:50]), r"1\.npz is not an \.npz file, or is cut off"),
    "fractions": (lambda p, X, y: np.savez(p, X=X, y=y + 0.5), r"1\.npz: y has .* labels are whole numbers or text"),
    "empty": (lambda p, X, y: np.savez(p, X=X[:0], y=y[:0]), r"1\.npz has no samples"),
}
IN_TRAINING = {
    "wider": (lambda p, X, y: np.savez(p, X=np.c_[X, X], y=y), r"1\.npz: X has 12 columns; this net has input_size=6"),
    "NaN": (lambda p, X, y: np.savez(p, X=X * np.nan, y=y), r"1\.npz: X holds 120 values that are NaN or infinite"),
    "pixels": (
        lambda p, X, y: np.savez(p, X=(X * 255).astype("u1"), y=y),
        r"1\.npz holds pixels from 0 to 255",
    ),
    "shorter": (lambda p, X, y: np.savez(p, X=X[1:], y=y), r"1\.npz: Y has 20 labels for 19 samples"),
    "objects": (lambda p, X, y: np.savez(p, X=X.astype(object), y=y), r"1\.npz: the array X holds Python objects"),
}


@pytest.mark.parametrize("fault", AT_ONCE)
def test_what_labels_show_is_told_at_once(tmp_path, fault):
    change, message = AT_ONCE[fault]
    folder = broken(change)(tmp_path / "p")
    with pytest.raises(DataError, match=message):
        load_parts(folder)


@pytest.mark.parametrize("fault", IN_TRAINING)
def test_what_inputs_show_is_told_in_training_and_nothing_is_lost(tmp_path, fault):
    change, message = IN_TRAINING[fault]
    parts = load_parts(broken(change)(tmp_path / "p"))
    net = NeuralNetwork(4, input_size=6, output_size=3, seed=0)
    before = net.W1
    with pytest.raises(FastmlpError, match=message):
        net.fit(parts, batch_size=8)
    np.testing.assert_array_equal(net.W1, before)


def test_a_file_that_is_cut_or_goes_or_changes_in_training(tmp_path, monkeypatch):
    monkeypatch.setattr("fastmlp.files.spill._SHARE", 0)  # no room to keep what was read once
    X, y = samples()
    for change, message in (
        (lambda path: path.unlink(), r"1\.npz cannot be read: No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:300]), r"1\.npz is not an \.npz file"),
        (lambda path: np.savez(path, X=X[:20], y=y[:20] * 0), r"1\.npz has other labels than when the training began"),
        (lambda path: np.savez(path, X=X[:20], y=y[:20] + 7), r"1\.npz has other labels than when it was opened"),
    ):
        parts = load_parts(write_npz(tmp_path / "p", X, y))
        net, good = (NeuralNetwork(4, input_size=6, output_size=3, seed=0) for _ in range(2))
        good.fit(parts, batch_size=8, number_epochs=1)
        with pytest.raises(DataError, match=message):
            net.fit(
                parts,
                batch_size=8,
                number_epochs=9,
                callback=lambda *_, do=change: do(tmp_path / "p" / "1.npz") and None,
            )
        np.testing.assert_array_equal(net.W1, good.W1)


@pytest.mark.parametrize(
    ("path", "message"),
    [("*.npz", "matches no file or folder"), ("", "holds no .npz or .parquet files"), ("*.csv", "a.csv is no part")],
)
def test_what_is_no_part(tmp_path, path, message):
    if path == "*.csv":
        (tmp_path / "a.csv").write_text("1,2\n", encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load_parts(tmp_path / path)


def test_some_of_the_parts(tmp_path):
    X, y = samples()
    parts = load_parts(write_npz(tmp_path / "p", X, y))
    assert len(parts[1:]) == 2
    assert parts[1:].input_size == 6
    with pytest.raises(InvalidValueError, match="no part is left of 3"):
        _ = parts[3:]
