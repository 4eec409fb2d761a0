"""Pictures of any size, colour and polarity come out in MNIST's form."""

import numpy as np
import pytest

from fastmlp.datasets.digit_form import BOX, SIZE, digit_form, reduction


def drawing(height=200, width=160):
    """A crude seven: light (1.0) on dark (0.0)."""
    page = np.zeros((height, width), np.float32)
    page[40:56, 30:130] = 1
    for row in range(56, 160):
        left = int(115 - 0.5 * (row - 56))
        page[row, left : left + 16] = 1
    return page


def box_of(form):
    rows, columns = np.nonzero(form.reshape(SIZE, SIZE))
    return rows.min(), rows.max(), columns.min(), columns.max()


def test_fits_the_box_and_centres_the_mass():
    form = digit_form(drawing())
    assert form.shape == (784,)
    assert form.dtype == np.float32
    assert form.min() == 0
    assert form.max() == 1
    top, bottom, left, right = box_of(form)
    assert bottom - top + 1 == BOX  # 120 x 100 pixels of ink: as high as the box, and 5/6 as wide
    assert right - left + 1 == 17
    image = form.reshape(SIZE, SIZE)
    centre = image.sum(1) @ np.arange(SIZE) / image.sum(), image.sum(0) @ np.arange(SIZE) / image.sum()
    np.testing.assert_allclose(centre, (14, 14), atol=0.5)


@pytest.mark.parametrize(
    "picture",
    [
        1 - drawing(),
        (255 * drawing()).astype(np.uint8),
        255 - (255 * drawing()).astype(np.uint8),
        drawing() > 0.5,
        (40 + 100 * drawing()).astype(np.int32),
        np.repeat(1 - drawing()[..., None], 3, axis=2),
        np.asfortranarray(drawing()),
    ],
    ids=["dark", "uint8", "dark uint8", "bool", "low contrast", "rgb", "fortran order"],
)
def test_the_same_digit_in_other_shades_gives_the_same_form(picture):
    np.testing.assert_allclose(digit_form(picture), digit_form(drawing()), atol=1e-5)


def test_opacity_is_laid_on_white():
    page = np.zeros((200, 160, 4), np.uint8)  # black everywhere, visible only where drawn
    page[..., 3] = 255 * drawing()
    np.testing.assert_allclose(digit_form(page), digit_form(drawing()), atol=1e-5)


def test_size_and_place_do_not_matter():
    large = np.kron(drawing(), np.ones((5, 5), np.float32))
    np.testing.assert_allclose(digit_form(large), digit_form(drawing()), atol=1e-5)
    moved = np.roll(drawing(), (35, -25), axis=(0, 1))
    np.testing.assert_array_equal(digit_form(moved), digit_form(drawing()))
    assert box_of(digit_form(drawing()[::10, ::10]))[1] < SIZE  # and a tiny one is enlarged


def test_grain_of_the_paper_is_not_ink():
    noise = np.random.default_rng(0).normal(0, 0.015, drawing().shape)
    noisy = digit_form(0.8 - 0.6 * drawing() + noise)
    assert np.abs(noisy - digit_form(drawing())).mean() < 0.01
    assert (noisy > 0).mean() < 0.25


def test_a_thin_line_is_ink():
    page = np.zeros((300, 300))
    page[50:250, 150] = 1
    assert digit_form(page).max() == 1


def test_a_form_is_its_own_form():
    form = digit_form(drawing())
    np.testing.assert_allclose(digit_form(form.reshape(SIZE, SIZE)), form, atol=1e-6)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        (np.zeros((28, 28)), "no digit"),
        (np.full((28, 28), 7, np.uint8), "no digit"),
        (np.zeros((0, 28)), "shape"),
        (np.zeros(784), "shape"),
        (np.zeros((28, 28, 2)), "shape"),
        (np.full((28, 28), np.nan), "NaN"),
        (np.array([["a", "b"]]), "numbers"),
    ],
)
def test_what_is_no_picture_of_a_digit(picture, words):
    with pytest.raises(ValueError, match=words):
        digit_form(picture)


@pytest.mark.parametrize("factor", [20, 33])
@pytest.mark.parametrize("channels", [0, 3, 4])
def test_a_picture_far_larger_than_needed_is_made_smaller_first(factor, channels):
    page = np.kron((255 * (1 - drawing())).astype(np.uint8), np.ones((factor, factor), np.uint8))
    if channels:
        page = np.repeat(page[..., None], channels, axis=2)
    if channels == 4:
        page[..., 3] = 255
    assert reduction(*page.shape[:2]) > 1
    np.testing.assert_allclose(digit_form(page), digit_form(drawing()), atol=0.03)


@pytest.mark.parametrize("shape", [(7071, 7071), (50_000_000, 1), (28, 1_700_000), (10_000, 3000), (2100, 900)])
def test_what_is_looked_at_is_bounded(shape):
    step = reduction(*shape)
    assert shape[0] / step * shape[1] / step <= 4e6
    assert max(shape) / step >= 1000


def test_what_was_cleaned_up_is_warned_of():
    page = drawing()
    page[5:8, 5:8] = 1
    with pytest.warns(UserWarning, match="^the picture was cleaned up: a speck was left out$") as told:
        form = digit_form(page)
    assert told[0].filename == __file__
    np.testing.assert_allclose(form, digit_form(drawing()), atol=1e-5)


def test_a_speck_darker_than_the_digit():
    page = 0.3 * drawing()
    page[5:8, 5:8] = 1
    with pytest.warns(UserWarning, match="a speck was left out"):
        np.testing.assert_allclose(digit_form(page), digit_form(drawing()), atol=1e-5)
