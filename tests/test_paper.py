"""The ink of a picture, whatever the light on the paper and whatever runs along its edge."""

import numpy as np
import pytest
from test_digit_form import drawing

from fastmlp.datasets.digit_form import cleaned_form
from fastmlp.datasets.paper import ink_on_paper
from fastmlp.errors import InvalidValueError

ROWS, COLUMNS = np.meshgrid(np.linspace(-1, 1, 200), np.linspace(-1, 1, 160), indexing="ij")
PLAIN = cleaned_form(drawing())[0]

LIGHTS = {
    "from the left": 0.6 - 0.35 * COLUMNS,
    "from above": 0.6 - 0.35 * ROWS,
    "from a corner": 0.6 + 0.25 * ROWS - 0.2 * COLUMNS,
    "in the middle": 1 - 0.35 * (ROWS**2 + COLUMNS**2),
    "a faint fall": 0.9 - 0.1 * COLUMNS,
}


@pytest.mark.parametrize("light", LIGHTS)
@pytest.mark.parametrize("grain", [0, 0.01])
def test_dark_ink_in_uneven_light(light, grain):
    noise = np.random.default_rng(0).normal(0, grain, drawing().shape)
    form, done = cleaned_form(255 * (LIGHTS[light] * (1 - 0.7 * drawing()) + noise))
    assert done[0] == "uneven light was evened out"
    assert len(done) == 1 or (grain and "speck" in done[1])
    assert np.abs(form - PLAIN).mean() < 0.02


@pytest.mark.parametrize("light", LIGHTS)
def test_light_ink_on_a_board_in_uneven_light(light):
    form, done = cleaned_form(100 * LIGHTS[light] + 120 * drawing())
    assert done == ["uneven light was evened out"]
    assert np.abs(form - PLAIN).mean() < 0.02


def test_grain_alone_is_no_uneven_light():
    noise = np.random.default_rng(0).normal(0, 0.03, drawing().shape)
    assert cleaned_form(0.9 - 0.8 * drawing() + noise)[1] == []


@pytest.mark.parametrize("width", [1, 3, 9])
@pytest.mark.parametrize("paper", [1, 0])
def test_a_border_along_the_edge(width, paper):
    page = np.abs(paper - np.pad(drawing()[width:-width, width:-width], width, constant_values=1))
    form, done = cleaned_form(page)
    assert done == ["a border along the edge was cut off"]
    np.testing.assert_allclose(form, PLAIN, atol=1e-5)


def test_a_thick_digit_that_fills_the_picture_has_no_border():
    page = np.zeros((100, 30))
    page[1:-1, 2:-2] = 1
    assert cleaned_form(page)[1] == []


NOTHING = [np.zeros((28, 28)), np.full((300, 200), 7.0), np.random.default_rng(0).random((99, 99))]


@pytest.mark.parametrize("grey", NOTHING)
def test_nothing_is_drawn(grey):
    with pytest.raises(InvalidValueError, match="there is no digit in the picture"):
        ink_on_paper(grey.astype(np.float32), 0.1)


SHADOWS = {
    "hard": np.where(COLUMNS + 0.3 * ROWS < -0.4, 0.6, 1),
    "soft": 0.6 + 0.4 / (1 + np.exp(-(COLUMNS + 0.3 * ROWS + 0.4) * 20)),
}


@pytest.mark.parametrize("shadow", SHADOWS)
def test_a_shadow_across_the_paper(shadow):
    form, done = cleaned_form(255 * SHADOWS[shadow] * (1 - 0.85 * drawing()))
    assert done[0] == "uneven light was evened out"
    assert np.abs(form - PLAIN).mean() < 0.02


def test_a_digit_that_fills_the_picture_is_no_shadow():
    rows, columns = np.nonzero(drawing())
    tight = drawing()[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    form, done = cleaned_form(255 * (1 - 0.85 * tight))
    assert done == []
    np.testing.assert_allclose(form, PLAIN, atol=1e-5)
