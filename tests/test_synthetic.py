"""The synthetic digits: balanced, reproducible, in MNIST's form, and like handwriting."""

import errno
import hashlib
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import numpy as np
import pytest
from test_npz import DAMAGED

from fastmlp.datasets import load_mnist, load_synthetic
from fastmlp.datasets.synthetic import digits
from fastmlp.datasets.synthetic.skeletons import parse
from fastmlp.datasets.synthetic.strokes import DIGITS, MANNERS
from fastmlp.errors import DataError


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """All 70,000 digits, drawn once, and the cache folder that they were written to."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(digits, "cache_dir", lambda: folder)
        return load_synthetic(), folder


def test_shapes_types_and_balance(drawn):
    data, _ = drawn
    assert data.name == "synthetic"
    assert data.class_names is None
    for x, y, n in (
        (data.x_train, data.y_train, 60_000),
        (data.x_test, data.y_test, 10_000),
    ):
        assert x.shape == (n, 784)
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert x.min() == 0
        assert x.max() == 1
        np.testing.assert_array_equal(np.bincount(y), n // 10)
    assert len(np.unique(data.y_train[:100])) == 10  # in random order


def test_density_is_near_that_of_mnist(drawn):
    data, _ = drawn
    for x in (data.x_train, data.x_test):
        assert 0.15 <= np.count_nonzero(x) / x.size <= 0.23


def test_no_two_images_are_equal(drawn):
    data, _ = drawn
    assert len({row.tobytes() for row in data.x_test}) == len(data.x_test)


def test_form_is_that_of_mnist(drawn):
    images = drawn[0].x_test.reshape(-1, 28, 28)
    inked = images > 0
    rows, columns = inked.any(2), inked.any(1)
    height = 28 - rows.argmax(1) - rows[:, ::-1].argmax(1)
    width = 28 - columns.argmax(1) - columns[:, ::-1].argmax(1)
    longer = np.maximum(height, width)
    assert longer.max() == 20
    assert (longer == 20).mean() > 0.99
    mass = images.sum((1, 2))
    for axis in (1, 2):
        centre = images.sum(axis) @ np.arange(28, dtype=np.float32) / mass
        # the box is not pushed over the edge, so a few stay off the middle
        assert np.quantile(np.abs(centre - 14), 0.99) <= 0.51
    grey = ((images > 0) & (images < 1)).sum() / inked.sum()
    assert 0.3 < grey < 0.8  # smooth edges, dark inside


def test_seeds():
    labels = np.arange(200) % 10
    first = digits.draw_digits(labels, seed=0)
    np.testing.assert_array_equal(first, digits.draw_digits(labels, seed=0))
    assert (first != digits.draw_digits(labels, seed=1)).any(1).all()
    assert (digits.draw_labels(0) != digits.draw_labels(1)).any()
    for seed in (-1, 2**63):
        with pytest.raises(ValueError, match=f"seed is {seed}; it must lie between"):
            load_synthetic(seed)
    with pytest.raises(TypeError):
        load_synthetic(0.5)


def test_an_image_depends_only_on_its_index(monkeypatch):
    """Not on the number of threads, nor on how the work is cut."""
    labels = np.arange(300) % 10
    expected = digits.draw_digits(labels, seed=3)
    monkeypatch.setattr(digits, "_CHUNK", 7)
    monkeypatch.setattr(digits, "default_threads", lambda: 5)
    np.testing.assert_array_equal(digits.draw_digits(labels, seed=3), expected)
    np.testing.assert_array_equal(digits.draw_digits(labels[:9], seed=3), expected[:9])


def test_drawn_by_two_threads_at_once():
    labels = np.arange(500) % 10
    results = []
    threads = [threading.Thread(target=lambda: results.append(digits.draw_digits(labels, seed=0))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(*results)


def test_all_skeletons_of_a_family_have_the_same_strokes_and_corners():
    def form(skeleton):
        return [[point.endswith("!") for point in stroke.split()] for stroke in skeleton.split("|")]

    assert len(DIGITS) == len(MANNERS) == 10
    for digit in DIGITS:
        for family in digit:
            assert len({str(form(skeleton)) for skeleton in family.skeletons}) == 1
            assert all(len(stroke) >= 2 for stroke in form(family.skeletons[0]))
    shapes = parse(DIGITS, MANNERS)
    assert shapes.digits[-1] == len(shapes.families) - 1 == len(shapes.shares)
    longest = max(
        shapes.strokes[b] - shapes.strokes[a] for a, b in zip(shapes.skeletons, shapes.skeletons[1:], strict=False)
    )
    from fastmlp.datasets.synthetic.drawing import _MAX_POINTS

    assert longest <= _MAX_POINTS


# The cache


def test_the_cache_serves_the_same_bytes(drawn, monkeypatch):
    data, folder = drawn
    assert [path.name for path in folder.iterdir()] == [f"synthetic-v{digits.VERSION}-seed0.npz"]
    monkeypatch.setattr(digits, "cache_dir", lambda: folder)
    monkeypatch.setattr(digits, "draw_digits", None)  # it must not be drawn again
    again = load_synthetic()
    for a, b in zip(data[:4], again[:4], strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


@pytest.fixture
def few(tmp_path, monkeypatch):
    """A load_synthetic of few digits, with its own cache folder."""
    monkeypatch.setattr(digits, "N_TRAIN", 50)
    monkeypatch.setattr(digits, "N_TEST", 20)
    monkeypatch.setattr(digits, "cache_dir", lambda: tmp_path / "cache")
    return tmp_path / "cache" / f"synthetic-v{digits.VERSION}-seed0.npz"


@pytest.mark.parametrize("damage", ["cut", "garbage", "other arrays", "too few", "pickles", "encrypted"])
def test_a_damaged_cache_is_drawn_again(few, damage):
    expected = load_synthetic().x_train
    content = few.read_bytes()
    if damage == "cut":
        few.write_bytes(content[: len(content) // 2])
    elif damage == "garbage":
        middle = len(content) // 2
        few.write_bytes(content[:middle] + b"garbage" + content[middle + 7 :])
    elif damage == "other arrays":
        np.savez(few, a=1)
    elif damage == "too few":
        np.savez(few, images=np.zeros((3, 784), np.uint8), labels=np.zeros(3, np.int64))
    elif damage == "encrypted":
        few.write_bytes(DAMAGED["encrypted"])
    else:
        np.savez(few, images=np.array([None]), labels=np.array([None]))
    np.testing.assert_array_equal(load_synthetic().x_train, expected)
    assert few.read_bytes() == content  # and the cache is whole again


def test_without_a_writable_cache_it_still_works(few, monkeypatch):
    def refuse(path, write):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(digits, "write_whole", refuse)
    assert load_synthetic().x_train.shape == (50, 784)
    assert not few.exists()


def test_a_file_where_the_cache_should_be(few):
    few.parent.write_text("in the way", encoding="utf-8")
    assert load_synthetic().x_train.shape == (50, 784)


@pytest.mark.long
def test_a_fresh_process_without_a_place_for_compiled_code_draws_the_same_bytes():
    program = textwrap.dedent("""
        import hashlib, numpy as np
        from numba.core.dispatcher import Dispatcher

        def enable_caching(self):
            raise RuntimeError("cannot cache function: no locator available")

        Dispatcher.enable_caching = enable_caching
        from fastmlp.datasets.synthetic.digits import draw_digits
        print(hashlib.sha256(draw_digits(np.arange(40) % 10, 5)).hexdigest())
    """)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(Path(digits.__file__).parents[3])},
        capture_output=True,
        text=True,
        timeout=120,
    )
    expected = hashlib.sha256(digits.draw_digits(np.arange(40) % 10, 5)).hexdigest()
    assert done.stdout.strip() == expected, done.stderr


def nearest_accuracy(x, y, means):
    """How often an image is nearest to its own digit's mean."""
    distance = -2 * x @ means.T + (means**2).sum(1)
    return (distance.argmin(1) == y).mean()


def test_real_handwriting_is_recognised_by_the_mean_drawing(drawn, monkeypatch):
    """A net does far better (bench/synthetic_transfer.py measures that); this needs no training."""
    monkeypatch.setattr("fastmlp.datasets.mnist.MIRRORS", ())  # found, not fetched
    try:
        real = load_mnist()
    except DataError:
        pytest.skip("MNIST is not on this machine")
    data, _ = drawn
    means = np.stack([data.x_train[data.y_train == digit].mean(0) for digit in range(10)])
    assert nearest_accuracy(real.x_train, real.y_train, means) > 0.7
    real_means = np.stack([real.x_train[real.y_train == digit].mean(0) for digit in range(10)])
    assert nearest_accuracy(data.x_test, data.y_test, real_means) > 0.7
