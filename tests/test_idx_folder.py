"""Folders of IDX files by the names under which MNIST's relatives are published."""

import gzip

import numpy as np
import pytest

from fastmlp.datasets import load_files, load_mnist
from fastmlp.datasets.idx import to_idx
from fastmlp.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore:.*(scaled by 1/255|turned upright)")

X = np.zeros((12, 5, 5), np.uint8)
X[:, 1, 3] = 255  # row 1, column 3: column 1, row 3 in EMNIST
Y = np.arange(12, dtype=np.uint8) % 3


def write(folder, *names, y=Y):
    folder.mkdir(exist_ok=True)
    for name in names:
        content = to_idx(X) if "images" in name else y if isinstance(y, bytes) else to_idx(y)
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "train-{}-idx{}-ubyte",
        "train-{}-idx{}-ubyte.gz",
        "train-{}.idx{}-ubyte",
        "train-{}.idx{}-ubyte.gz",
        "kmnist-train-{}-idx{}-ubyte.gz",
        "Train-{}-idx{}-ubyte",
    ],
)
def test_published_names(tmp_path, name):
    names = [name.format("images", 3), name.format("labels", 1)]
    both = [*names, *(each.replace("train", "t10k").replace("Train", "t10k") for each in names)]
    data = load_files(write(tmp_path / "own", *both))
    assert data.x_train.shape == data.x_test.shape == (12, 25)
    assert data.x_train[0, 1 * 5 + 3] == 1
    assert data.y_test.tolist() == Y.tolist()
    assert data.name == "own"


def test_mnist_itself_may_have_dots(tmp_path):
    names = [f"{part}-{kind}" for part in ("train", "t10k") for kind in ("images.idx3-ubyte", "labels.idx1-ubyte")]
    with pytest.raises(
        DataError, match=r"t10k-labels\.idx1-ubyte is .*not MNIST"
    ):  # found, and not MNIST by its content
        load_mnist(write(tmp_path / "mnist", *names))


def test_qmnist(tmp_path):
    # (12, 8) big-endian int32, as QMNIST has them: the class first
    rows = np.zeros((12, 8), ">i4")
    rows[:, 0], rows[:, 2] = Y, 4000
    labels = bytes([0, 0, 0x0C, 2, 0, 0, 0, 12, 0, 0, 0, 8]) + rows.tobytes()
    names = [f"qmnist-{part}-{kind}" for part in ("train", "test") for kind in ("images-idx3-ubyte", "labels-idx2-int")]
    data = load_files(write(tmp_path / "qmnist", *names, y=labels))
    assert data.y_train.tolist() == data.y_test.tolist() == Y.tolist()


EMNIST = [
    f"emnist-{{0}}-{part}-{kind}" for part in ("train", "test") for kind in ("images-idx3-ubyte", "labels-idx1-ubyte")
]


def emnist(folder, *sets, y=Y + 1):
    return write(folder, *(name.format(each) for each in sets for name in EMNIST), y=y)


def test_emnist_is_turned_upright(tmp_path):
    with pytest.warns(UserWarning, match="emnist-letters: the images were turned upright"):
        data = load_files(emnist(tmp_path / "emnist", "letters"))
    assert data.x_train[0, 3 * 5 + 1] == 1
    assert data.class_names == ("1", "2", "3")


def test_emnist_classes_are_named_by_the_mapping_file(tmp_path):
    folder = emnist(tmp_path / "emnist", "letters")
    (folder / "emnist-letters-mapping.txt").write_text("1 65 97\n2 66 98\n3 67 99\n", encoding="ascii")
    data = load_files(folder)
    assert data.class_names == ("A", "B", "C")
    assert data.y_train.tolist() == Y.tolist()


@pytest.mark.parametrize("mapping", ["1 65 97\n", "no numbers\n", "1\n", "\xff"])
def test_a_mapping_that_does_not_fit_is_left_alone(tmp_path, mapping):
    folder = emnist(tmp_path / "emnist", "letters")
    (folder / "emnist-letters-mapping.txt").write_text(mapping, encoding="latin-1")
    assert load_files(folder).class_names == ("1", "2", "3")


def test_of_several_sets_one_is_named(tmp_path):
    folder = emnist(tmp_path / "emnist", "letters", "digits")
    with pytest.raises(DataError, match=r"several sets \(emnist-digits, emnist-letters\); name one .*emnist-letters$"):
        load_files(folder)
    data = load_files(folder / "emnist-digits")
    assert data.name == "emnist-digits"
    with pytest.raises(DataError, match="does not exist"):
        load_files(folder / "emnist-balanced")


def test_a_set_without_its_labels(tmp_path):
    folder = write(tmp_path / "emnist", "emnist-digits-train-images-idx3-ubyte")
    with pytest.raises(DataError, match="emnist-digits-train-images-idx3-ubyte but lacks its labels"):
        load_files(folder)
