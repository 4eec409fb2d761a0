"""What a notebook shows: a table of facts and small curves, in HTML that needs nothing from elsewhere.

There is no script, no style sheet and no file beside it. Text and axes have the colour of the page's text, so that they
are read on a light page and on a dark one. What somebody else has named, such as a class, comes out as text.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from html import escape
from typing import NamedTuple

from fastmlp.palette import LIGHT
from fastmlp.printable import printable, shown

__all__ = ["Curve", "count", "curves", "names", "number", "percent", "table", "text"]

_COLOURS = LIGHT["train"], LIGHT["test"]  # which stand out on a dark page too
_DASHES = "", ' stroke-dasharray="5 3"'  # which tell them apart without colours too
_WIDTH, _HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 292, 26, 124  # of the field that the lines are in
_MOST_POINTS = 200  # of a line: it has no more pixels to show them in
_MOST_NAMES, _LONGEST_NAME = 10, 60
_CELL = "text-align: left; padding: 0.1em 0.8em 0.1em 0; vertical-align: top; border: 0"
_TEXT = 'fill="currentColor" font-family="sans-serif" font-size="11"'


class Curve(NamedTuple):
    """A line of a picture: what it is called, and its value after each epoch."""

    name: str
    values: Sequence[float]


def number(value: float) -> str:
    """Return a loss, a rate or a time as people read it.

    >>> number(0.25), number(1234567.0), number(float("nan"))
    ('0.2500', '1.235e+06', 'nan')
    """
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.4g}"


def percent(value: float) -> str:
    """Return a fraction as a percentage: 0.9753 as 97.53 %."""
    return f"{100 * value:.2f} %"


def count(n: int, what: str) -> str:
    """Return a number of things in words.

    >>> count(1, "epoch"), count(23_860, "parameter")
    ('1 epoch', '23,860 parameters')
    """
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def names(given: Iterable[object]) -> str:
    """Return some names in a row, only so many and so much of each as a table has room for."""
    texts = (printable(name) for name in given)
    cut = (text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…" for text in texts)
    return shown(cut, _MOST_NAMES)


def text(given: str) -> str:
    """Return some text in a line of its own digits' width, so that it does not tremble when it changes."""
    return f'<span style="font-variant-numeric: tabular-nums">{escape(given)}</span>'


def table(title: str, rows: Iterable[tuple[str, str]]) -> str:
    """Return a table of two columns: what something is called, and what it is.

    >>> "&lt;script&gt;" in table("A net", [("Classes", "<script>")])
    True
    """
    lines = "".join(
        f'<tr><th scope="row" style="{_CELL}; font-weight: normal; opacity: 0.75">{escape(name)}</th>'
        f'<td style="{_CELL}">{escape(text)}</td></tr>'
        for name, text in rows
    )
    caption = f'<caption style="text-align: left; font-weight: bold; color: inherit">{escape(title)}</caption>'
    return f'<table style="border: 0; border-collapse: collapse; margin: 0.4em 0">{caption}{lines}</table>'


def curves(title: str, lines: Sequence[Curve], *, as_percent: bool = False) -> str:
    """Return a picture (SVG) of a value by epoch, a line for each curve that has values; nothing where none has any.

    A value that is NaN or infinite leaves a gap. What the picture shows is said in words too, for those who hear it.
    With `as_percent` the values are fractions; otherwise they are losses, whose scale begins at 0.

    >>> curves("Loss", [Curve("train", []), Curve("validation", [])])
    ''
    >>> curves("Loss", [Curve("train", [0.5, 0.25])]).split('"')[3]
    'Loss by epoch: train 0.5000 to 0.2500 in 2 epochs'
    """
    lines = [line for line in lines if len(line.values)]
    if not lines:
        return ""
    style = percent if as_percent else number
    seen = [value for line in lines for value in line.values if math.isfinite(value)]
    low, high = _limits(seen, as_percent)
    epochs = max(len(line.values) for line in lines)
    drawn, keys = [], []
    for k, line in enumerate(lines):
        drawn.append(_line(line, k, epochs, low, high))
        x = _RIGHT - 70 * (len(lines) - k) - 12
        keys.append(f'<path d="M{x} 11h16" {_look(k)}/><text x="{x + 21}" y="15" {_TEXT}>{escape(line.name)}</text>')
    said = "; ".join(_said(line, style) for line in lines)
    label = escape(f"{title} by epoch: {said}", quote=True)
    ends = [(_TOP, high), (_BOTTOM, low)] if seen else []
    return (
        f'<svg role="img" aria-label="{label}" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" '
        'style="max-width: 100%; height: auto" xmlns="http://www.w3.org/2000/svg">'
        f'<text x="0" y="15" {_TEXT} font-weight="bold">{escape(title)}</text>{"".join(keys)}'
        f'<path d="M{_LEFT} {_TOP}H{_RIGHT}M{_LEFT} {_BOTTOM}H{_RIGHT}" stroke="currentColor" stroke-opacity="0.3"/>'
        + "".join(
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end" {_TEXT}>{_tick(value, as_percent)}</text>'
            for y, value in ends
        )
        + f'<text x="{_LEFT}" y="{_HEIGHT - 8}" {_TEXT}>epoch 1</text>'
        + (f'<text x="{_RIGHT}" y="{_HEIGHT - 8}" text-anchor="end" {_TEXT}>{epochs:,}</text>' if epochs > 1 else "")
        + "".join(drawn)
        + "</svg>"
    )


def _limits(seen: Sequence[float], as_percent: bool) -> tuple[float, float]:
    """The values at the lower and the upper end of the scale: losses begin at 0, fractions end at 1 at most."""
    low, high = (min(seen), max(seen)) if seen else (0.0, 1.0)
    if not as_percent:
        low = min(low, 0.0)
        return low, high if high > low else low + 1
    margin = 0.05 * (high - low) or 0.01
    return max(low - margin, min(low, 0.0)), min(high + margin, max(high, 1.0))


def _line(curve: Curve, k: int, epochs: int, low: float, high: float) -> str:
    """The line through the values of the k-th curve: a path for each stretch without a gap, a dot for one alone."""
    n = len(curve.values)
    stretches: list[list[str]] = [[]]
    for epoch in range(n) if n <= _MOST_POINTS else (j * (n - 1) // (_MOST_POINTS - 1) for j in range(_MOST_POINTS)):
        value = curve.values[epoch]
        if math.isfinite(value):
            x = _LEFT + (_RIGHT - _LEFT) * (epoch / (epochs - 1) if epochs > 1 else 0.5)
            stretches[-1].append(f"{x:.1f} {_BOTTOM - (_BOTTOM - _TOP) * (value - low) / (high - low):.1f}")
        elif stretches[-1]:
            stretches.append([])
    path = "".join(f"M{'L'.join(stretch)}" for stretch in stretches if len(stretch) > 1)
    alone = (stretch[0].split() for stretch in stretches if len(stretch) == 1)
    dots = "".join(f'<circle cx="{x}" cy="{y}" r="2.5" fill="{_COLOURS[k]}"/>' for x, y in alone)
    return (f'<path d="{path}" {_look(k)}/>' if path else "") + dots


def _look(k: int) -> str:
    return f'stroke="{_COLOURS[k]}"{_DASHES[k]} stroke-width="2" fill="none"'


def _tick(value: float, as_percent: bool) -> str:
    return f"{100 * value:.3g} %" if as_percent else f"{value:.3g}"


def _said(line: Curve, style: Callable[[float], str]) -> str:
    first, last = style(line.values[0]), style(line.values[-1])
    if len(line.values) == 1:
        return f"{line.name} {first} in 1 epoch"
    return f"{line.name} {first} to {last} in {count(len(line.values), 'epoch')}"
