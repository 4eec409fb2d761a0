"""The paper of a picture, and the ink on it: dark on light or light on dark, under light that need not be even."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import BoolArray, Float32Array, Float64Array
from fastmlp.errors import InvalidValueError

__all__ = ["Ink", "ink_on_paper"]

_NOISE = 6
"""Ink within this many median deviations of the paper is taken for the paper's grain."""
_UNEVEN = 0.1  # grain from which on it is asked whether it is light that is uneven
_SEGMENTS = 16  # of the edge: within one the light is even
_SHADOW = 0.05  # of the edge: where there is more ink on it, it is a shadow, or the digit itself
_TRACES = 0.01  # of the edge: so much ink on it is no shadow
_MARGIN = 0.04  # of the picture's size
_FULL = 0.25  # of the margin: a digit that fills the picture has more ink there
_DARKEST = 0.4  # of the light: a shadow is no darker
_LIT = 64  # pixels: the light on smaller pictures is not looked at
_SAMPLES = 10_000  # pixels, at most, that the light is measured at
_ROUNDS = 6
_WINDOW = 0.19  # of the longer side: strokes are narrower
_BORDER = 0.1  # of the picture's size: how wide a border along its edge may be


class Ink(NamedTuple):
    """Ink (h, w) between 0 and 1, without the paper's grain, and what was done to find it, in words."""

    ink: Float32Array
    done: list[str]


def ink_on_paper(grey: Float32Array, faint: float) -> Ink:
    """Return the ink in shades of grey (h, w); what lies along the edge of the picture is taken for the paper.

    A border of another shade along the edge is cut off, and light that falls off across the paper evened out. Raises
    InvalidValueError where nothing is darker than `faint`, a share of the darkest ink, and the grain of the paper.
    """
    done = []
    inner = _without_border(grey)
    if inner is not None:
        grey = inner
        done.append("a border along the edge was cut off")
    ink, noise = _ink_and_noise(grey, np.median(_edge(grey)))
    at_edge = _ink_at_edge(ink, noise, faint)
    uneven = noise > _UNEVEN and _is_uneven(_edge(grey))
    if min(grey.shape) >= _LIT and (uneven or at_edge > _SHADOW):
        even, even_noise = _in_even_light(grey, faint, smooth=uneven)
        # A digit that fills the picture would still be near the edge.
        if _ink_at_edge(even, even_noise, faint, _MARGIN) < (_FULL if uneven else at_edge / 3):
            ink, noise = even, even_noise
            done.append("uneven light was evened out")
    ink[ink <= noise] = 0
    if not (ink > faint).any():
        raise InvalidValueError("there is no digit in the picture: nothing stands out from its edge")
    return Ink(ink, done)


def _edge(grey: Float32Array) -> Float32Array:
    """Return the outermost pixels, once around the picture."""
    return np.concatenate([grey[0], grey[1:-1, -1], grey[-1, ::-1], grey[1:-1, 0][::-1]])


def _ink_and_noise(grey: Float32Array, paper: np.float32) -> tuple[Float32Array, float]:
    """Return the ink (h, w) between 0 and 1 and the strength of the paper's grain."""
    ink = grey - paper
    if -ink.min() > ink.max():  # dark on light
        ink = -ink
    darkest = max(float(ink.max()), 1e-30)
    noise = _NOISE * float(np.median(np.abs(_edge(grey) - paper))) / darkest
    return np.clip(ink / np.float32(darkest), 0, 1), noise


def _is_uneven(edge: Float32Array) -> bool:
    """Whether the edge differs from place to place, and not from pixel to pixel as grain does."""
    paper = np.median(edge)
    places = np.array([np.median(part) for part in np.array_split(edge, min(_SEGMENTS, len(edge)))])
    return bool(np.median(np.abs(places - paper)) > 0.6 * np.median(np.abs(edge - paper)))


def _ink_at_edge(ink: Float32Array, noise: float, faint: float, margin: float = 0) -> float:
    """Return the share of the edge that has ink; of a broad one, with a `margin`, a share of the picture's size."""
    inked = ink > max(noise, faint)
    depth = 1 + int(margin * max(ink.shape))
    sides = (inked[:depth], inked[-depth:], inked[:, :depth], inked[:, -depth:])
    return float(np.mean([side.mean() for side in sides]))


def _in_even_light(grey: Float32Array, faint: float, smooth: bool) -> tuple[Float32Array, float]:
    """Return the ink (h, w) between 0 and 1 and the strength of the paper's grain, as if the light were even.

    The light is `smooth`, or else, as where a shadow ends, taken from what is near.
    """
    paper = _smooth_paper(grey) if smooth else np.full_like(grey, np.median(_edge(grey)))
    ink = grey - paper
    dark = bool(-ink.min() > ink.max())
    first = _ink_and_noise(*_without_light(grey, paper, dark))
    traces = _ink_at_edge(*first, faint)
    if smooth and first[1] < _UNEVEN and traces < _TRACES:
        return first
    nearby = _nearby_paper(grey, dark)
    if dark and nearby.min() < _DARKEST * nearby.max():  # that is ink
        return first
    second = _ink_and_noise(*_without_light(grey, nearby, dark))
    better = first[1] < 1.5 * second[1] and traces <= _ink_at_edge(*second, faint)
    return first if smooth and better else second


def _without_light(grey: Float32Array, paper: Float32Array, dark: bool) -> tuple[Float32Array, np.float32]:
    """Return the picture as if the paper's brightness were the same everywhere, and that brightness.

    Dark ink takes the same share of the light everywhere, so that brightness is divided by the paper's; light ink on
    dark paper adds to it.
    """
    even = grey / paper if dark and paper.min() > 0.02 * paper.max() else grey - paper
    return even, np.median(_edge(even))


def _smooth_paper(grey: Float32Array) -> Float32Array:
    """Return the paper's brightness (h, w) as a cubic polynomial of the place.

    It is fitted to the edge at first, then to all that is near it.
    """
    height, width = grey.shape
    step = max(1, round((grey.size / _SAMPLES) ** 0.5))
    at = np.zeros((height, width), bool)
    at[::step, ::step] = True
    border = np.zeros_like(at)
    border[[0, -1], :: max(1, step // 4)] = border[:: max(1, step // 4), [0, -1]] = True
    terms, values = _terms(at | border), grey[at | border].astype(np.float64)
    near = border[at | border]
    for _ in range(_ROUNDS):
        used = terms[near]
        coefficients = np.linalg.solve(used.T @ used + 1e-9 * np.eye(len(_POWERS)), used.T @ values[near])
        distance = np.abs(values - terms @ coefficients)
        near = distance <= 4 * np.median(distance[near]) + 1e-6 * np.ptp(values)
    return _surface(coefficients, grey.shape)


def _nearby_paper(grey: Float32Array, dark: bool) -> Float32Array:
    """Return the paper's brightness (h, w) as the lightest of what is near, or the darkest where the ink is not `dark`.

    What is narrower than a window is filled in and all else stays in its place, which is a morphological closing.
    """
    width = round(_WINDOW * max(grey.shape)) // 2 * 2 + 1
    sign = np.float32(1 if dark else -1)
    return -sign * _largest_nearby(-_largest_nearby(sign * grey, width), width)


def _largest_nearby(grey: Float32Array, width: int) -> Float32Array:
    """Return the largest value in the square of this odd width around each pixel, as far as it is in the picture."""
    for _ in range(2):  # along the columns, then along the rows
        grey = np.pad(grey, ((width // 2, width // 2), (0, 0)), constant_values=-np.inf)
        done = 1
        while done < width:
            step = min(done, width - done)
            grey = np.maximum(grey[:-step], grey[step:])
            done += step
        grey = grey.T
    return grey


_POWERS = [(i, j) for i in range(4) for j in range(4 - i)]


def _terms(places: BoolArray) -> Float64Array:
    """Return the terms (n, 10) of a cubic polynomial at the places that are marked (h, w)."""
    rows, columns = np.nonzero(places)
    y, x = rows / places.shape[0] - 0.5, columns / places.shape[1] - 0.5
    return np.stack([y**i * x**j for i, j in _POWERS], axis=-1)


def _surface(coefficients: NDArray[np.floating], shape: tuple[int, ...]) -> Float32Array:
    """Return the polynomial's values (h, w)."""
    rows, columns = (np.arange(size) / size - 0.5 for size in shape)
    out = np.zeros(shape, np.float32)
    for coefficient, (i, j) in zip(coefficients, _POWERS, strict=True):
        out += (coefficient * rows[:, None] ** i * columns**j).astype(np.float32)
    return out


def _without_border(grey: Float32Array) -> Float32Array | None:
    """Return the picture without a border of another shade along its edge, None where it has none.

    A scanner's lid or a drawn frame makes one: the edge then has another shade than most of the picture, and a
    few lines further in all is of another one, as paper is around a digit.
    """
    shade, most = np.median(_edge(grey)), np.median(grey)
    far = 0.3 * np.ptp(grey)
    if abs(shade - most) <= far:
        return None
    top, bottom, left, right = (_border_width(side, shade, far) for side in (grey, grey[::-1], grey.T, grey.T[::-1]))
    inner = grey[top : len(grey) - bottom, left : grey.shape[1] - right]
    if min(inner.shape) < 8:
        return None
    paper = np.abs(_edge(inner) - np.median(inner)) < far
    return inner if paper.mean() > 0.95 and np.ptp(inner) > far else None


def _border_width(grey: Float32Array, shade: np.float32, far: np.float32) -> int:
    """Return how many of the first lines are of this shade, and those half of it beyond."""
    most = int(_BORDER * len(grey))
    lines = np.median(np.abs(grey[: most + 1] - shade), axis=1)
    width = int((lines > far).argmax()) if (lines > far).any() else 0
    return 0 if width == 0 else min(width + 1, most)
