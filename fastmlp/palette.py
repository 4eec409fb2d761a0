"""The colours of all pictures and pages, in one place: whatever stands for a net has the same colour everywhere.

A picture is a light card on any page; a page itself follows the reader's choice of light or dark, and has a set of
colours for each. The nets' colours are Okabe and Ito's, moved until each stands out from its ground (a contrast of 3
and more, as WCAG asks of graphics) and no two look alike, also to a reader who cannot tell red from green or blue from
yellow. Where colours do not help, markers do.
"""

from __future__ import annotations

__all__ = ["DARK", "LIGHT", "MARKERS", "MISTAKES", "SERIES", "colour_of", "css_variables", "marker_of"]

MARKERS = {"fastmlp": "o", "numpy": "s", "keras": "^", "keras-tuned": "v", "torch": "D", "jax": "P", "sklearn": "X"}
"""The marker of each net in a plot, as matplotlib calls it."""

LIGHT = {
    "page": "#f4f3ef",
    "card": "#ffffff",
    "ink": "#222222",
    "quiet": "#5c606b",
    "line": "#d9d8d2",
    "accent": "#0063a0",
    "on-accent": "#ffffff",
    "warn": "#fff0d0",
    "train": "#0572bd",
    "test": "#c24706",
    "plus": "#c2272d",
    "minus": "#1f66b0",
    "fastmlp": "#c24706",
    "numpy": "#0572bd",
    "keras": "#18a37e",
    "keras-tuned": "#8b8dcd",
    "torch": "#9d5181",
    "jax": "#bb8b04",
    "sklearn": "#222222",
    "other": "#777777",
}
"""The colours of pictures and of pages in the light, by what they are for; those of the nets by the net's name."""

DARK = {
    "page": "#15171c",
    "card": "#1f2229",
    "ink": "#eceef2",
    "quiet": "#a5abb8",
    "line": "#3a3f4b",
    "accent": "#6cb8f0",
    "on-accent": "#10141b",
    "warn": "#4a3710",
    "train": "#4a9fe0",
    "test": "#f5803d",
    "plus": "#ff7a73",
    "minus": "#76b5ff",
    "fastmlp": "#f5803d",
    "numpy": "#4a9fe0",
    "keras": "#2dcea2",
    "keras-tuned": "#b0c4ff",
    "torch": "#c2779e",
    "jax": "#f2c149",
    "sklearn": "#eceef2",
    "other": "#999999",
}
"""The same for pages in the dark."""

SERIES = tuple((LIGHT[net], marker) for net, marker in MARKERS.items())
"""Colours and markers for lines that stand for no net, in the order to take them in."""


MISTAKES = ("#fdeee0", "#ee9a5c", LIGHT["test"], "#7a2600")
"""From few mistakes to many."""


def colour_of(net: str) -> str:
    """Return the colour of a net in a picture.

    >>> colour_of("fastmlp"), colour_of("another")
    ('#c24706', '#777777')
    """
    return LIGHT[net] if net in MARKERS else LIGHT["other"]


def marker_of(net: str) -> str:
    """Return the marker of a net in a picture.

    >>> marker_of("fastmlp"), marker_of("another")
    ('o', '*')
    """
    return MARKERS.get(net, "*")


def css_variables() -> str:
    """Return a style sheet that gives a page the colours as variables, `--ink` and so on, light or dark as it is read.

    >>> css_variables().splitlines()[0][:38]
    ':root { color-scheme: light dark; --pa'
    """
    light, dark = ("; ".join(f"--{name}: {colour}" for name, colour in each.items()) for each in (LIGHT, DARK))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )
