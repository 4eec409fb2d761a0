"""The palette: its colours stand out, can be told apart by the colour-blind too, and are written down nowhere else."""

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest

from fastmlp.contenders import MODULES
from fastmlp.palette import DARK, LIGHT, MARKERS, MISTAKES, SERIES, colour_of, css_variables, marker_of

ROOT = Path(__file__).parents[1]
SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])

# What is seen by whom: linear light to linear light (Machado, Oliveira and Fernandes, 2009, for a severity of 1).
EYES = {
    "all": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
# Björn Ottosson's Oklab, in which equal distances look about equal.
TO_CONES = np.array(
    [
        [0.41222147, 0.53633254, 0.05144599],
        [0.2119035, 0.68069955, 0.10739696],
        [0.08830246, 0.28171884, 0.6299787],
    ]
)
TO_LAB = np.array(
    [
        [0.21045426, 0.79361779, -0.00407205],
        [1.97799850, -2.42859221, 0.45059371],
        [0.02590404, 0.78277177, -0.80867577],
    ]
)


def linear(colour):
    """Linear red, green and blue of a colour such as #c24706."""
    assert re.fullmatch(r"#[0-9a-f]{6}", colour)
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def contrast(one, other):
    """Contrast as WCAG 2 defines it."""
    low, high = sorted(float(linear(colour) @ [0.2126, 0.7152, 0.0722]) for colour in (one, other))
    return (high + 0.05) / (low + 0.05)


def distance(one, other, eyes):
    labs = [TO_LAB @ np.cbrt(TO_CONES @ np.clip(eyes @ linear(colour), 0, 1)) for colour in (one, other)]
    return math.dist(*labs)


def test_contrast_and_distance_are_those_of_the_definitions():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert distance("#000000", "#ffffff", EYES["all"]) == pytest.approx(1, abs=1e-3)
    red, green = "#b00000", "#5c6a00"
    assert distance(red, green, np.array(EYES["no green"])) < distance(red, green, EYES["all"]) / 2


@SCHEMES
def test_graphics_stand_out(scheme):
    for name in (*MARKERS, "other", "train", "test", "plus", "minus", "accent"):
        assert contrast(scheme[name], scheme["card"]) >= 3, name


def test_lines_stand_out_on_the_page_of_a_notebook_that_may_be_dark():
    for name, ground in itertools.product(("train", "test"), ("#ffffff", "#111111", "#0d1117")):
        assert contrast(LIGHT[name], ground) >= 3, (name, ground)


@SCHEMES
def test_text_stands_out(scheme):
    for name, ground in itertools.product(("ink", "quiet", "accent", "plus", "minus"), ("card", "page")):
        assert contrast(scheme[name], scheme[ground]) >= 4.5, (name, ground)
    assert contrast(scheme["ink"], scheme["warn"]) >= 4.5
    assert contrast(scheme["on-accent"], scheme["accent"]) >= 4.5


@SCHEMES
@pytest.mark.parametrize("eyes", EYES)
def test_no_two_nets_look_alike(scheme, eyes):
    """Okabe and Ito's own seven come as near as 0.076."""
    for one, other in itertools.combinations(MARKERS, 2):
        assert distance(scheme[one], scheme[other], np.array(EYES[eyes])) > 0.08, (one, other)


def test_every_net_has_its_own_colour_and_marker():
    assert set(MARKERS) == set(MODULES)
    assert len({colour_of(net) for net in MODULES}) == len({marker_of(net) for net in MODULES}) == len(MODULES)
    assert colour_of("fastmlp") == SERIES[0][0]
    assert set(DARK) == set(LIGHT)


def test_more_mistakes_are_darker():
    greys = [contrast(colour, "#ffffff") for colour in MISTAKES]
    assert greys == sorted(greys)


def test_pages_get_all_colours_of_both_schemes():
    light, dark = css_variables().split("@media (prefers-color-scheme: dark)")
    for name, colour in LIGHT.items():
        assert f"--{name}: {colour}" in light and f"--{name}: {DARK[name]}" in dark


def test_colours_are_written_down_nowhere_else():
    files = [path for path in (ROOT / "fastmlp").rglob("*") if path.suffix in (".py", ".css", ".js", ".html")]
    assert len(files) > 100
    found = {path.name: re.findall(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8")) for path in files}
    assert {name for name, colours in found.items() if colours} == {"palette.py"}
