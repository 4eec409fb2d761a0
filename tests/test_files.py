"""A person's own files become a data set, or one sentence says what is wrong with them and where."""

import errno
import gzip
import io
import os
import struct
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from test_npz import DAMAGED

from fastmlp.datasets import load_files
from fastmlp.datasets.files import load_for_testing
from fastmlp.datasets.idx import to_idx
from fastmlp.errors import DataError, FastmlpError, InvalidTypeError

random = np.random.default_rng(0)
X = random.normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3
IMAGES = random.integers(0, 256, (12, 4, 5), np.uint8)
TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"


def rows(data):
    """All rows of both parts, sorted, with their labels."""
    x = np.concatenate([data.x_train, data.x_test])
    y = np.concatenate([data.y_train, data.y_test])
    order = np.lexsort(x.T)
    return x[order], y[order]


def save(path, **arrays):
    np.savez(path, **arrays)
    return path


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def check_form(data):
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.flags.c_contiguous
        assert x.ndim == 2
        assert y.shape == (len(x),)


# .npz


def test_npz_with_both_parts(tmp_path):
    path = save(tmp_path / "own.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4])
    data = load_files(path)
    check_form(data)
    np.testing.assert_array_equal(data.x_train, X)
    np.testing.assert_array_equal(data.y_train, Y)
    np.testing.assert_array_equal(data.x_test, X[:4])
    np.testing.assert_array_equal(data.y_test, Y[:4])
    assert data.name == "own.npz"
    assert data.class_names is None
    assert data.n_classes == 3


@pytest.mark.parametrize("names", [("x_train", "y_train"), ("X", "y")])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f8", "i1", "i4", "i8", "?"])
def test_npz_without_a_test_part(tmp_path, names, dtype):
    x = (4 * X).astype(dtype)
    data = load_files(save(tmp_path / "own.npz", **dict(zip(names, (x, Y), strict=True))))
    check_form(data)
    assert len(data.x_test) == 2  # a seventh of 12
    expected = x.astype(np.float32)
    np.testing.assert_array_equal(rows(data)[0], expected[np.lexsort(expected.T)])


@pytest.mark.parametrize(
    ("y", "labels", "names"),
    [
        (Y, Y, None),
        (Y.astype(np.uint8), Y, None),
        (Y.astype(np.float64), Y, None),
        (Y[:, None], Y, None),
        (np.eye(3, dtype=np.float32)[Y], Y, None),
        (Y % 2 == 1, Y % 2, None),
        (Y.astype(str), Y, None),
        (Y + 1, Y, ("1", "2", "3")),
        (5 * Y - 5, Y, ("-5", "0", "5")),
        (np.array(["9", "10", "11"])[Y], Y, ("9", "10", "11")),
        (np.array(["dog", "cat", "été"])[Y], np.array([1, 0, 2])[Y], ("cat", "dog", "été")),
        (np.array([b"dog", b"cat", b"eel"])[Y], np.array([1, 0, 2])[Y], ("cat", "dog", "eel")),
    ],
    ids=str,
)
def test_labels_of_every_kind(tmp_path, y, labels, names):
    path = save(tmp_path / "own.npz", x_train=X, y_train=y, x_test=X, y_test=y)
    data = load_files(path)
    np.testing.assert_array_equal(data.y_train, labels)
    np.testing.assert_array_equal(data.y_test, labels)
    assert data.class_names == names


def test_a_class_that_only_the_test_part_has_counts_too(tmp_path):
    path = save(tmp_path / "own.npz", x_train=X[:2], y_train=Y[:2], x_test=X[:3], y_test=Y[:3])
    assert load_files(path).n_classes == 3


def test_images_of_bytes_are_flattened_and_scaled_with_a_word(tmp_path):
    path = save(tmp_path / "own.npz", x_train=IMAGES, y_train=Y, x_test=IMAGES[:2], y_test=Y[:2])
    with pytest.warns(UserWarning, match=r"own\.npz: the inputs are pixels .* scaled by 1/255"):
        data = load_files(path)
    expected = IMAGES.reshape(12, 20) / np.float32(255)
    np.testing.assert_array_equal(data.x_train, expected)
    np.testing.assert_array_equal(data.x_test, expected[:2])


def test_small_counts_are_no_pixels(tmp_path):
    with pytest.warns(
        UserWarning, match=r"own\.npz: X holds whole numbers from 0 to 5, which are no pixels .*, and was not"
    ):
        data = load_files(save(tmp_path / "own.npz", X=IMAGES % 6, y=Y))
    assert (rows(data)[0].max(), data.input_scale) == (5, 1)


def test_scaling_is_decided_by_both_parts(tmp_path):
    path = save(tmp_path / "own.npz", x_train=IMAGES, y_train=Y, x_test=IMAGES / 255, y_test=Y)
    with pytest.raises(DataError, match="x_train holds pixels from 0 to 255 and x_test values from 0 to 1; scale both"):
        load_files(path)


@pytest.mark.parametrize("names", ["X_train,Y_train", "data,target", "images,labels", "arr_0,arr_1", "arr_1,arr_0"])
def test_arrays_with_other_names(tmp_path, names):
    data = load_files(save(tmp_path / "own.npz", **dict(zip(names.split(","), (X, Y), strict=True))))
    assert (data.x_train.shape, data.n_classes) == ((10, 3), 3)


def test_pixels_of_another_type_are_recognised(tmp_path):
    pixels = IMAGES.astype(np.int64)
    pixels[0, 0, :2] = 0, 255
    with pytest.warns(UserWarning, match="scaled"):
        data = load_files(save(tmp_path / "own.npz", X=pixels, y=Y))
    assert rows(data)[0].max() == 1


@pytest.mark.parametrize("x", [IMAGES % 2, IMAGES.astype(float) / 255, IMAGES + 0.5, IMAGES.astype(int) - 128])
def test_what_is_not_pixels_stays_as_it_is(tmp_path, x):
    path = save(tmp_path / "own.npz", x_train=x, y_train=Y, x_test=x, y_test=Y)
    np.testing.assert_array_equal(load_files(path).x_train, x.reshape(12, 20).astype(np.float32))


# CSV


def table(separator=",", header="a,b,label", names=("x", "y")):
    lines = [f"{i},{i / 4},{names[i % 2]}" for i in range(8)]
    return "\n".join([header, *lines] if header else lines).replace(",", separator) + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.csv", table()),
        ("own.csv", table(header=None)),
        ("own.CSV", table()),
        ("own.txt", table()),
        ("own.csv", table(";")),
        ("own.tsv", table("\t")),
        ("own.csv", table().replace("\n", "\r\n")),
        ("own.csv", "\ufeff" + table()),
        ("own.csv", table().replace("\n", "\n\n")),
        ("own.csv", "\n\n" + table()),
        ("own.csv", table().rstrip("\n")),
        ("own.csv", table().replace(",x", ',"x"').replace(",y", ',"y"')),
        ("own.csv", table().replace(",", " , ")),
    ],
)
def test_csv(tmp_path, name, text):
    data = load_files(write(tmp_path / name, text), test_fraction=0.25)
    check_form(data)
    x, y = rows(data)
    np.testing.assert_array_equal(x, [[i, i / 4] for i in range(8)])
    np.testing.assert_array_equal(y, np.arange(8) % 2)
    assert data.class_names == ("x", "y")
    assert len(data.y_test) == 2
    assert data.name == name


def test_gzipped_csv(tmp_path):
    path = tmp_path / "own.csv.gz"
    path.write_bytes(gzip.compress(table().encode()))
    assert load_files(path).class_names == ("x", "y")
    (tmp_path / "own.csv").write_bytes(path.read_bytes())  # the content says so, not the name
    assert load_files(tmp_path / "own.csv").class_names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "column", "names"),
    [
        ("a,kind,b\n1,x,2\n3,y,4\n", "kind", ("x", "y")),
        ("a,kind,b\n1,x,2\n3,y,4\n", 2, ("x", "y")),
        ("a,kind,b\n1,x,2\n3,y,4\n", "2", ("x", "y")),
        ("a,kind,b\n1,x,2\n3,y,4\n", -2, ("x", "y")),
        ("1,x,2\n3,y,4\n", 2, ("x", "y")),
        ("x,1,2\ny,3,4\n", 1, ("x", "y")),
        ("a,Class,b\n1,x,2\n3,y,4\n", None, ("x", "y")),
        ("y,a,b\nx,1,2\ny,3,4\n", None, ("x", "y")),
        ("1,2,x\n3,4,y\n", None, ("x", "y")),
        ("label,0,1\n1,5,2\n0,3,4\n", None, None),  # pandas' numbers as a header
        ("0,1,2\n7,3,4\n9,5,4\n", "1", ("3", "5")),  # a header of numbers, named
        ("a,b,c\n7,3,0\n9,5,1.0\n", "c", None),
        ("a,b,c\n7,3,10\n9,5,9\n", "c", ("9", "10")),
    ],
)
def test_label_column(tmp_path, text, column, names):
    path = write(tmp_path / "own.csv", text)
    with pytest.warns(UserWarning, match="no class has a second row"):
        data = load_files(path, label_column=column)
    assert data.class_names == names
    assert data.x_train.shape == (2, 2)


def test_long_and_wide_tables(tmp_path):
    long = np.column_stack([random.random((100_000, 2)).round(4), np.arange(100_000) % 5])
    np.savetxt(tmp_path / "long.csv", long, "%g", ",", header="a,b,label", comments="")
    data = load_files(tmp_path / "long.csv")
    assert data.x_train.shape == (85_714, 2)
    assert data.x_test.shape == (14_286, 2)
    wide = np.column_stack([random.random((40, 4999)).round(3), np.arange(40) % 2])
    np.savetxt(tmp_path / "wide.csv", wide, "%g", ",")
    with pytest.warns(UserWarning, match="the last column, column 5000, was taken for the labels"):
        assert load_files(tmp_path / "wide.csv").x_train.shape == (34, 4999)


def test_two_rows(tmp_path):
    path = write(tmp_path / "own.csv", "1,2,x\n3,4,y\n")
    with pytest.warns(UserWarning, match="the test set is the training set"):
        data = load_files(path)
    np.testing.assert_array_equal(data.x_train, [[1, 2], [3, 4]])
    np.testing.assert_array_equal(data.x_test, data.x_train)


def test_more_rows_than_one_piece_of_the_reader(tmp_path):
    """NumPy reads in pieces; a fault far down is still named by its row."""
    lines = [f"{i},{i % 3}" for i in range(120_000)]
    lines[100_000] = "oops,1"
    path = write(tmp_path / "own.csv", "\n".join(lines))
    with pytest.raises(DataError, match=r"row 100001, column 1 is 'oops', not a number"):
        load_files(path)


def test_names_of_the_inputs_are_kept(tmp_path):
    assert load_files(write(tmp_path / "own.csv", table())).feature_names == ("a", "b")
    assert load_files(write(tmp_path / "own.csv", table(header=None))).feature_names is None
    with pytest.warns(
        UserWarning, match="some columns have no name, or the same, so columns are known by their places"
    ):
        assert load_files(write(tmp_path / "own.csv", table(header="a,a,label"))).feature_names is None


def test_how_it_was_read_is_noted(tmp_path):
    text = table(";", header="Id,b,label").replace(".", ",")
    with pytest.warns(UserWarning, match="only numbers or names the rows, was left out"):
        notes = dict(load_files(write(tmp_path / "own.csv", text), test_fraction=0.25).notes)
    assert notes == {
        "separated by": "semicolons, decimal commas",
        "header": "the first row",
        "labels": "column 3 (label)",
        "left out": "column 1 (Id)",
        "scaling": "none",
        "test part": "0.25 of each class, chosen by the seed 0",
    }


# A test set in a file of its own


def test_a_test_file(tmp_path):
    train = write(tmp_path / "train.csv", table())
    test = write(tmp_path / "test.csv", "label;b;a\nx;0,5;7\n")
    with pytest.warns(UserWarning, match=r"test\.csv come in another order than in training; they are taken by their"):
        data = load_files(train, test=test)
    check_form(data)
    assert (len(data.x_train), data.x_test.tolist(), data.y_test.tolist()) == (8, [[7, 0.5]], [0])
    assert data.class_names == ("x", "y")
    assert dict(data.notes)["test part"] == f"the file {test}"


def test_a_test_file_of_another_kind(tmp_path):
    test = save(tmp_path / "test.npz", X=X[:4], y=Y[:4])
    data = load_files(save(tmp_path / "train.npz", X=X, y=Y), test=test)
    np.testing.assert_array_equal(data.x_test, X[:4])
    assert len(data.x_train) == 12


@pytest.mark.parametrize(
    ("test", "options", "error", "words"),
    [
        ("a,c,label\n1,2,x\n", {}, DataError, "lacks the column b and has the column c, which the training set lacks"),
        ("a,b,kind\n1,2,x\n", {}, DataError, "has no column called label; its columns are a, b, kind"),
        ("1,2,x\n", {}, DataError, "has no column called label; it has no header"),
        ("a,b,label\n1,2,x\n", {"test_fraction": 0.5}, ValueError, "or test_fraction makes one; leave out the file"),
        ("", {}, DataError, "is empty"),
    ],
)
def test_a_test_file_that_does_not_fit(tmp_path, test, options, error, words):
    train = write(tmp_path / "train.csv", table())
    with pytest.raises(error, match=words) as caught:
        load_files(train, test=write(tmp_path / "test.csv", test), **options)
    assert "test.csv" in str(caught.value)


def test_a_test_file_beside_a_test_set(tmp_path):
    both = save(tmp_path / "both.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    one = save(tmp_path / "one.npz", X=X, y=Y)
    with pytest.raises(ValueError, match=r"both\.npz has a test set, .*; leave out the file .*one\.npz"):
        load_files(both, test=one)
    with pytest.raises(DataError, match=r"both\.npz has a training and a test set; name a file that has only the one"):
        load_files(one, test=both)


def test_all_rows_to_test_on(tmp_path):
    data = load_for_testing(write(tmp_path / "own.csv", table().replace(",y", ",x")))
    assert (data.x_train.shape, data.x_test.shape, data.class_names) == ((0, 2), (8, 2), ("x",))
    both = load_for_testing(save(tmp_path / "both.npz", x_train=X, y_train=Y, x_test=X[:4], y_test=Y[:4]))
    assert (len(both.x_train), len(both.x_test)) == (12, 4)


# Pipes


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_a_pipe(tmp_path, kind):
    content = table().encode() if kind == "csv" else save(tmp_path / "own.npz", X=X, y=Y).read_bytes()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(content,))
    writer.start()
    data = load_files(pipe)
    writer.join()
    assert (data.name, data.n_classes) == ("pipe", 2 if kind == "csv" else 3)


def test_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(table().encode())))
    data = load_files("-")
    assert (data.name, data.class_names) == ("stdin", ("x", "y"))


# A folder of IDX files


def write_idx(folder, files, zipped=False):
    folder.mkdir()
    for name, array in files.items():
        content = array if isinstance(array, bytes) else to_idx(array)
        path = folder / (f"{name}.gz" if zipped else name)
        path.write_bytes(gzip.compress(content, mtime=0) if zipped else content)
    return folder


@pytest.mark.parametrize("zipped", [True, False])
def test_folder_with_both_parts(tmp_path, zipped):
    labels = Y.astype(np.uint8)
    files = {
        TRAIN_IMAGES: IMAGES,
        TRAIN_LABELS: labels,
        TEST_IMAGES: IMAGES[:3],
        TEST_LABELS: labels[:3],
    }
    with pytest.warns(UserWarning, match="scaled"):
        data = load_files(write_idx(tmp_path / "fashion", files, zipped))
    check_form(data)
    assert data.name == "fashion"
    np.testing.assert_array_equal(data.x_train, IMAGES.reshape(12, 20) / np.float32(255))
    np.testing.assert_array_equal(data.y_test, Y[:3])


def test_folder_without_a_test_part(tmp_path):
    files = {TRAIN_IMAGES: IMAGES, TRAIN_LABELS: Y.astype(np.uint8)}
    with pytest.warns(UserWarning, match="scaled"):
        data = load_files(write_idx(tmp_path / "own", files), test_fraction=0.5)
    assert len(data.x_train) == len(data.x_test) == 6


@pytest.mark.parametrize(("code", "dtype"), [(0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_of_every_type(tmp_path, code, dtype):
    x = (10 * X).astype(dtype)
    content = struct.pack(">4B2I", 0, 0, code, 2, 12, 3) + x.tobytes()
    files = {TRAIN_IMAGES: content, TRAIN_LABELS: Y.astype(np.uint8)}
    data = load_files(write_idx(tmp_path / "own", files))
    expected = x.astype(np.float32)
    np.testing.assert_array_equal(rows(data)[0], expected[np.lexsort(expected.T)])


# The split


@pytest.mark.parametrize("fraction", [0.01, 0.1, 1 / 7, 0.3, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("counts", [(100, 100), (97, 31, 5), (1, 50), (2, 2, 2), (1, 1, 2), (1000, 3)])
def test_split_is_stratified(tmp_path, counts, fraction):
    y = random.permutation(np.repeat(np.arange(len(counts)), counts))
    x = np.arange(len(y), dtype=np.float32)[:, None]
    data = load_files(save(tmp_path / "own.npz", X=x, y=y), test_fraction=fraction)
    np.testing.assert_array_equal(np.diff(data.x_train[:, 0]) > 0, True)  # the file's order
    np.testing.assert_array_equal(rows(data)[0], x)  # each row in one part
    np.testing.assert_array_equal(y[data.x_test[:, 0].astype(int)], data.y_test)
    taken = np.bincount(data.y_test, minlength=len(counts))
    share = np.array(counts) * fraction
    assert (taken < counts).all()
    assert (np.abs(taken - share) < 1).all() or (taken >= np.array(counts) - 1).any()
    assert len(data.y_test) >= 1


def test_split_is_seeded(tmp_path):
    path = save(tmp_path / "own.npz", X=random.normal(size=(500, 2)), y=np.arange(500) % 2)
    a, b, c = (load_files(path, seed=seed).x_test for seed in (0, 0, 1))
    np.testing.assert_array_equal(a, b)
    assert not np.array_equal(a, c)


# Bad input: what is written, and words of the sentence that it must lead to


def text(content):
    return lambda folder: write(folder / "bad.csv", content)


def blob(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name

    return make


def npz(**arrays):
    return lambda folder: save(folder / "bad.npz", **arrays)


def idx(files, zipped=False):
    return lambda folder: write_idx(folder / "bad", files, zipped)


def cut_npz(folder):
    content = save(folder / "bad.npz", X=X, y=Y).read_bytes()
    (folder / "bad.npz").write_bytes(content[:-40])
    return folder / "bad.npz"


def flipped_npz(folder):
    content = bytearray(save(folder / "bad.npz", X=X, y=Y).read_bytes())
    content[200] ^= 255
    (folder / "bad.npz").write_bytes(content)
    return folder / "bad.npz"


def zip_of_text(folder):
    with zipfile.ZipFile(folder / "bad.npz", "w") as file:
        file.writestr("X.npy", "no array")
        file.writestr("y.npy", "no array")
    return folder / "bad.npz"


def zip_of(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, table())
    return file.getvalue()


def npy_bytes():
    file = io.BytesIO()
    np.save(file, X)
    return file.getvalue()


def with_value(value):
    x = X.astype(np.float64)
    x[7, 2] = value
    return x


GOOD = {TRAIN_IMAGES: IMAGES, TRAIN_LABELS: Y.astype(np.uint8)}
CSV_GZ = gzip.compress(table(header=None).encode() * 50)
BAD = {
    # any path
    "not there": (lambda folder: folder / "bad.csv", "does not exist; name an .npz, a .csv"),
    "unknown kind": (blob("bad.png", b"\x89PNG"), "is not of a known kind; name an .npz"),
    # .npz
    "npz empty file": (blob("bad.npz", b""), "is empty; save x_train and y_train"),
    "npz no zip": (blob("bad.npz", b"hello"), "is not an .npz file, or is cut off"),
    "npz is npy": (blob("bad.npz", npy_bytes()), "is not an .npz file"),
    "npz cut": (cut_npz, "is not an .npz file, or is cut off"),
    "npz flipped": (flipped_npz, "damaged"),
    "npz encrypted": (blob("bad.npz", DAMAGED["encrypted"]), "the array X is damaged"),
    "npz deflate": (blob("bad.npz", DAMAGED["deflate stream"]), "the array X is damaged"),
    "npz of text": (zip_of_text, "X is not an array"),
    "npz pickles": (npz(X=X, y=np.array(["a", None] * 6)), "array y holds Python objects"),
    "npz pickles X": (npz(X=np.array([[None]] * 12), y=Y), "array X holds Python objects"),
    "npz no arrays": (npz(), "lacks the array X; it has none"),
    "npz lacks y": (npz(X=X), "lacks the array y; it has X"),
    "npz lacks y_train": (npz(x_train=X), "lacks the array X; it has x_train and needs x_train, y"),
    "npz lacks y_test": (npz(x_train=X, y_train=Y, x_test=X), "lacks the array y_test"),
    "npz lengths": (npz(X=X, y=Y[:-1]), "X has 12 rows and y 11; they must agree"),
    "npz test lengths": (npz(x_train=X, y_train=Y, x_test=X, y_test=Y[:2]), "x_test has 12 rows"),
    "npz widths": (
        npz(x_train=X, y_train=Y, x_test=X[:, :2], y_test=Y),
        "x_train has 3 inputs per row and x_test 2",
    ),
    "npz no rows": (npz(X=X[:0], y=Y[:0]), r"X is empty, its shape is \(0, 3\)"),
    "npz no columns": (npz(X=X[:, :0], y=Y), "X is empty"),
    "npz one dimension": (npz(X=X[:, 0], y=Y), r"X has the shape \(12,\)"),
    "npz no dimension": (npz(X=np.float32(1), y=Y), r"X has the shape \(\)"),
    "npz y no dimension": (npz(X=X, y=3), "y a single value"),
    "npz text": (npz(X=X.astype(str), y=Y), "X holds <U32, not real numbers"),
    "npz complex": (npz(X=X.astype(complex), y=Y), "X holds complex128"),
    "npz nan": (npz(X=with_value(np.nan), y=Y), "X has nan in row 7, column 2"),
    "npz inf": (npz(X=with_value(-np.inf), y=Y), "X has -inf in row 7, column 2"),
    "npz too large": (npz(X=with_value(1e300), y=Y), r"X has 1e\+300 in row 7, column 2"),
    "npz fraction": (npz(X=X, y=Y + 0.5), "y has 0.5 in row 0"),
    "npz label nan": (npz(X=X, y=np.where(Y, Y, np.nan)), "y has nan in row 0"),
    "npz label complex": (npz(X=X, y=Y + 0j), "y holds complex128; labels are whole numbers"),
    "npz label grid": (npz(X=X, y=np.zeros((12, 2))), "is not one-hot in row 0"),
    "npz label cube": (npz(X=X, y=np.zeros((12, 2, 2))), r"y has the shape \(12, 2, 2\)"),
    "npz label text grid": (npz(X=X, y=np.full((12, 2), "a")), r"y has the shape \(12, 2\)"),
    "npz label large": (npz(X=X, y=np.where(Y, 1e300, Y)), r"y has 1e\+300 in row 1 \(from 0\), too large"),
    "npz label unsigned": (
        npz(X=X, y=Y.astype(np.uint64) + np.uint64(2**64 - 3)),
        "y has 18446744073709551613 in row 0",
    ),
    "npz one class": (npz(X=X, y=Y * 0 + 4), r"y has one class only \(4\)"),
    "npz kinds": (
        npz(x_train=X, y_train=Y, x_test=X, y_test=np.full(12, "a")),
        "labels are of different kinds",
    ),
    # CSV
    "csv empty": (text(""), "is empty; give it one row per sample"),
    "csv blank": (text("\n\n"), "is empty"),
    "csv header only": (text("a,b,label\n"), "has a header but no rows"),
    "csv one column": (text("1\n2\n"), "has one column only"),
    "csv text": (text("a,b,c\n1,2,x\n3,four,y\n"), r"row 3, column 2 \(b\) is 'four', not a number"),
    "csv text, no header": (text("1,2,x\n3,four,y\n"), "row 2, column 2 is 'four', not a number"),
    "csv text in row 1": (text("1,two,x\n3,4,y\n"), "a header, because column 2 has 'two' above numbers"),
    "csv after blanks": (text("a,b,c\n\n1,2,x\n\n3,,y\n"), r"row 5, column 2 \(b\) is empty"),
    "csv underscore": (text("1_0,2,x\n3,4,y\n"), "row 2, column 1|row 1, column 1"),
    "csv short row": (text("a,b,c\n1,2,x\n3,4\n"), "row 3 has 2 columns where the first row has 3"),
    "csv long row": (text("1,2,x\n3,4,y,5\n"), "row 2 has 4 columns where the first row has 3"),
    "csv open quote": (text('a,b,c\n1,2,x\n3,4,y\n"5,6,x\n'), "row 4 has 1 columns"),
    "csv only labels": (text("a,b\nx,1\n"), r"row 2, column 1 \(a\) is 'x', not a number"),
    "csv no label": (text("a,b\n1,x\n2,\n"), r"row 3, column 2 \(b\) is empty; every row needs"),
    "csv nan": (text("1,2,x\n3,nan,y\n"), "row 2, column 2 is 'nan', a missing value"),
    "csv inf": (text("1,2,x\n3,-inf,y\n"), "row 2, column 2 is -inf"),
    "csv too large": (text("1,2,x\n3,1e99,y\n"), "row 2, column 2 is 1e99"),
    "csv one class": (text("1,2,x\n3,4,x\n"), r"one class only \(x\)"),
    "csv fractions": (text("a,b,label\n1,2,0.5\n3,4,1.5\n"), "has 0.5 in row"),
    "csv latin-1": (blob("bad.csv", "1,été\n2,hiver\n".encode("latin-1")), "is not UTF-8 text"),
    "csv utf-16": (blob("bad.csv", table().encode("utf-16-le")), "is not UTF-8 text: it has zero"),
    "csv binary": (blob("bad.csv", bytes(range(1, 256))), "is not UTF-8 text|row|column"),
    "csv zeros": (blob("bad.csv", b"1,2\n\0\0\n"), "it has zero bytes"),
    "csv cut gz": (blob("bad.csv.gz", CSV_GZ[:-10]), "cannot be decompressed"),
    "csv zip of two": (blob("bad.csv.zip", zip_of("a.csv", "b.csv")), "holds 2 files; give it one table only"),
    "csv cut zip": (blob("bad.csv.zip", zip_of("a.csv")[:-10]), "is damaged, it cannot be unpacked"),
    "csv money": (text("a,b,label\n$1,2,x\n$3,4,y\n"), r"column 1 \(a\) is '\$1', an amount of money"),
    "csv dates": (text("a,b,label\n2024-01-05,2,x\n3,4,y\n"), r"column 1 \(a\) is '2024-01-05', a date"),
    "csv two labels": (text("label,b,class\n1,2,x\n3,4,y\n"), r"column 1 \(label\) and column 3 \(class\)"),
    "csv damaged gz": (blob("bad.csv.gz", CSV_GZ[:60] + b"x" + CSV_GZ[61:]), "decompressed"),
    # folders of IDX files
    "idx empty folder": (idx({}), "lacks train-images-idx3-ubyte and train-labels"),
    "idx no labels": (idx({TRAIN_IMAGES: IMAGES}), f"has {TRAIN_IMAGES} but lacks its labels"),
    "idx no images": (idx({TRAIN_LABELS: IMAGES}), f"has {TRAIN_LABELS} but lacks its images"),
    "idx no test labels": (idx(GOOD | {TEST_IMAGES: IMAGES}), f"{TEST_IMAGES} but lacks its labels"),
    "idx cut": (idx(GOOD | {TRAIN_IMAGES: to_idx(IMAGES)[:-1]}), "cut off or damaged: it has 255"),
    "idx too long": (idx(GOOD | {TRAIN_LABELS: to_idx(IMAGES) + b"x"}), "is damaged: it has more bytes than"),
    "idx cut header": (idx(GOOD | {TRAIN_IMAGES: to_idx(IMAGES)[:9]}), "cut off or damaged"),
    "idx empty file": (idx(GOOD | {TRAIN_IMAGES: b""}), "is not an IDX file"),
    "idx magic": (idx(GOOD | {TRAIN_LABELS: b"<html>"}), "starts with the bytes 3c 68 74 6d"),
    "idx type": (idx(GOOD | {TRAIN_LABELS: b"\0\0\x07\1\0\0\0\0"}), "is not an IDX file"),
    "idx gzip": (idx(GOOD | {TRAIN_LABELS: b"\x1f\x8bxx"}), "cannot be decompressed"),
    "idx huge": (idx(GOOD | {TRAIN_LABELS: b"\0\0\x08\3" + b"\xff" * 12}), "cut off or damaged"),
    "idx lengths": (idx(GOOD | {TRAIN_LABELS: to_idx(Y[:5].astype(np.uint8))}), "has 12 rows and"),
    "idx one class": (idx(GOOD | {TRAIN_LABELS: bytes([0, 0, 8, 1, 0, 0, 0, 12, *[7] * 12])}), "one"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_a_sentence(tmp_path, case):
    make, words = BAD[case]
    path = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(DataError, match=words) as caught:
        load_files(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("species", "has no column called species; its columns are a, b, c"),
        (0, "has no column 0 for the labels; it has columns 1 to 3"),
        (4, "has no column 4"),
        ("-4", "has no column -4"),
        ("a", "one class only|'x', not a number"),
    ],
)
def test_label_column_that_is_not_there(tmp_path, column, words):
    path = write(tmp_path / "bad.csv", "a,b,c\n1,2,x\n1,4,y\n")
    with pytest.raises(DataError, match=words):
        load_files(path, label_column=column)


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 2, float("nan"), float("inf")])
def test_test_fraction_out_of_range(tmp_path, fraction):
    with pytest.raises(ValueError, match=r"test_fraction is .*; it must lie between 0 and 1"):
        load_files(save(tmp_path / "own.npz", X=X, y=Y), test_fraction=fraction)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"test_fraction": "half"}, TypeError, "test_fraction is 'half'; it must be a number between 0 and 1"),
        ({"label_column": 1.5}, TypeError, "label_column is 1.5; it must be a column's name or number"),
        ({"label_column": [1]}, TypeError, r"label_column is \[1\]"),
        ({"seed": -1}, ValueError, "seed is -1; it must be at least 0"),
        ({"seed": "x"}, TypeError, "seed is 'x'; it must be a whole number"),
    ],
)
def test_options_of_the_wrong_kind(tmp_path, options, error, words):
    path = write(tmp_path / "own.csv", table())
    with pytest.raises(error, match=words) as caught:
        load_files(path, **options)
    assert isinstance(caught.value, FastmlpError)


def test_paths_that_are_none(tmp_path):
    with pytest.raises(InvalidTypeError, match=r"the dataset is 5; name an \.npz"):
        load_files(5)
    with pytest.raises(DataError, match="cannot be the name of a file or folder"):
        load_files(tmp_path / "a\0b.csv")


def test_options_that_do_not_apply(tmp_path):
    path = save(tmp_path / "own.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    with pytest.raises(ValueError, match="has a test set of its own; leave test_fraction out"):
        load_files(path, test_fraction=0.2)
    with pytest.raises(ValueError, match="label_column is for CSV files"):
        load_files(path, label_column="y")


@pytest.mark.parametrize(
    ("make", "method"),
    [
        (text(table()), "open"),
        (npz(X=X, y=Y), "open"),
        (idx(GOOD), "open"),
        (idx(GOOD), "stat"),
    ],
)
def test_without_permission(tmp_path, monkeypatch, make, method):
    path = make(tmp_path)

    def refuse(self, *arguments, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(DataError, match="Permission denied") as caught:
        load_files(path)
    assert str(path) in str(caught.value)
