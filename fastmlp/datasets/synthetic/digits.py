"""The synthetic digits: 70,000 drawn stand-ins for handwriting, where MNIST is not available."""

from __future__ import annotations

import contextlib
import operator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fastmlp.arrays import Float32Array, Int64Array, UInt8Array
from fastmlp.datasets.cache import cache_dir
from fastmlp.datasets.dataset import Dataset
from fastmlp.datasets.npz import read_npz
from fastmlp.engine.settings import default_threads
from fastmlp.errors import DataError, InvalidValueError
from fastmlp.files.atomic import write_whole

__all__ = ["draw_digits", "draw_labels", "load_synthetic"]

__all__ = ["N_TEST", "N_TRAIN", "VERSION", "draw_digits", "draw_labels", "load_synthetic"]

VERSION = 1
"""To be increased when the drawings change, so that the cache does not serve the old ones."""
N_TRAIN, N_TEST = 60_000, 10_000
_CHUNK = 500


def load_synthetic(seed: int = 0) -> Dataset:
    """Return the synthetic digits: 60,000 training and 10,000 test images, drawn by fastmlp.

    The first call takes some seconds to draw them and keeps them in the cache, if it is writable.

    Parameters
    ----------
    seed
        Another gives other digits; the same seed and version give the same bytes.

    Returns
    -------
    Dataset
        Named "synthetic", with the shapes and dtypes of `load_mnist`.

    Raises
    ------
    InvalidValueError
        For a seed that is negative or 2**63 or more.
    TypeError
        For one that is not an integer.

    Examples
    --------
    >>> load_synthetic().x_test.shape
    (10000, 784)
    """
    if not 0 <= operator.index(seed) < 2**63:
        raise InvalidValueError(f"seed is {seed}; it must lie between 0 and 2**63 - 1")
    path = cache_dir() / f"synthetic-v{VERSION}-seed{seed}.npz"
    drawn = _read_cache(path)
    if drawn is None:
        labels = draw_labels(seed)
        drawn = draw_digits(labels, seed), labels
        _write_cache(path, *drawn)
    images, labels = drawn
    return Dataset(
        x_train=_normalise(images[:N_TRAIN]),
        y_train=labels[:N_TRAIN].astype(np.int64),
        x_test=_normalise(images[N_TRAIN:]),
        y_test=labels[N_TRAIN:].astype(np.int64),
        name="synthetic",
        input_scale=1 / 255,
    )


def draw_labels(seed: int) -> Int64Array:
    """Return 70,000 labels in random order; each digit is a tenth of the training set and of the test set."""
    random = np.random.default_rng([VERSION, seed])
    parts = [random.permutation(np.arange(n, dtype=np.int64) % 10) for n in (N_TRAIN, N_TEST)]
    return np.concatenate(parts)


def draw_digits(labels: Int64Array, seed: int) -> UInt8Array:
    """Draw one image for each of the `labels` (n,), 0 to 9; return (n, 784) uint8 in MNIST's form, where 255 is ink.

    Image i depends only on `seed`, on i and on its label.

    >>> draw_digits(np.array([3, 1, 4]), seed=0).max()
    np.uint8(255)
    """
    from fastmlp.datasets.digit_form import SIZE, form_all
    from fastmlp.datasets.synthetic.drawing import CANVAS, Hand, draw_all
    from fastmlp.datasets.synthetic.skeletons import parse
    from fastmlp.datasets.synthetic.strokes import DIGITS, MANNERS

    shapes, hand = tuple(parse(DIGITS, MANNERS)), tuple(Hand())
    images = np.empty((len(labels), SIZE * SIZE), np.uint8)

    def draw_chunk(start: int) -> None:
        part = slice(start, min(start + _CHUNK, len(labels)))
        drawn = np.empty((part.stop - start, CANVAS, CANVAS), np.uint8)
        draw_all(labels[part], start, seed, shapes, hand, drawn)
        form_all(drawn, images[part])

    with ThreadPoolExecutor(default_threads()) as threads:
        list(threads.map(draw_chunk, range(0, len(labels), _CHUNK)))
    return images


def _normalise(images: UInt8Array) -> Float32Array:
    return np.divide(images, np.float32(255), dtype=np.float32)


def _read_cache(path: Path) -> tuple[UInt8Array, Int64Array] | None:
    try:
        with path.open("rb") as file:
            arrays = read_npz(file, str(path), lambda _: ("images", "labels"))
    except (OSError, KeyError, DataError):
        return None  # missing or damaged: the digits are drawn again
    images, labels = arrays["images"], arrays["labels"]
    n = N_TRAIN + N_TEST
    return (images, labels) if images.shape == (n, 784) and labels.shape == (n,) else None


def _write_cache(path: Path, images: UInt8Array, labels: Int64Array) -> None:
    with contextlib.suppress(OSError):  # a full or read-only disk: the digits are drawn again next time
        write_whole(path, lambda file: np.savez(file, images=images, labels=labels))
