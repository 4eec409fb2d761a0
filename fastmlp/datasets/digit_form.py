"""Bring any picture of a digit into MNIST's form.

MNIST's own recipe: the ink's bounding box is fitted into 20 x 20 pixels without changing its
proportions, which leaves grey edges, and is placed in 28 x 28 so that its centre of mass comes to
the middle, which in MNIST is the pixel with the index 14. Source: http://yann.lecun.com/exdb/mnist/.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastmlp.arrays import Float32Array, UInt8Array
from fastmlp.caller import warn_caller
from fastmlp.datasets.paper import ink_on_paper
from fastmlp.datasets.pieces import digit_only
from fastmlp.errors import InvalidValueError
from fastmlp.kernels.compiled import compiled

__all__ = ["BOX", "SIZE", "cleaned_form", "digit_form", "form_all", "reduction"]

SIZE = 28
BOX = 20
_LONG = 1000  # pixels: a longer side is made smaller first, as long as it keeps so many
_MANY = 4_000_000  # pixels: never more than these are looked at
_FAINT = 0.1
"""Ink below this share of the darkest does not count."""


def digit_form(image: ArrayLike) -> Float32Array:
    """Return a picture of one digit in MNIST's form: a row (784,) float32 for a net, where 0 is paper and 1 is ink.

    `image` holds numbers of any size and range: grey (h, w), red-green-blue (h, w, 3), or that with opacity (h, w, 4).
    The digit is dark on light or light on dark: what lies along the edge of the picture is taken for the paper. A
    border of another shade, specks, and lines and frames around the digit are left out, and uneven light is evened out;
    a UserWarning says so.

    Raises ValueError where the shape is another, a value is not finite, and nothing or more than one thing is drawn.

    >>> page = np.full((120, 100), 255, np.uint8)
    >>> page[20:100, 44:56] = 0  # a one
    >>> digit_form(page).reshape(28, 28)[14, 12:17]
    array([0., 1., 1., 1., 0.], dtype=float32)
    """
    form, cleaned = cleaned_form(image)
    if cleaned:
        warn_caller(f"the picture was cleaned up: {', '.join(cleaned)}")
    return form


def cleaned_form(image: ArrayLike) -> tuple[Float32Array, list[str]]:
    """Return what `digit_form` does, and in words what was cleaned up for it."""
    ink, done = ink_on_paper(_grey(_checked(image)), _FAINT)
    keep, left_out = digit_only(ink > _FAINT)
    if left_out:
        ink = np.where(keep, ink, np.float32(0))
        ink /= ink.max()  # what was left out may have been the darkest
    out = np.empty((SIZE, SIZE), np.float32)
    _fit_and_centre(ink, out)
    return (out / out.max()).reshape(SIZE * SIZE), done + left_out  # a thin line is ink too


def reduction(height: int, width: int) -> int:
    """Return how many pixels of a picture, down and across, are taken as one: 1 unless there are far more than needed.

    >>> reduction(1500, 1900), reduction(4000, 3000), reduction(40, 5000)
    (1, 4, 1)
    """
    long, short = max(height, width), min(height, width)
    return max(1, min(long // _LONG, short // SIZE), math.ceil((height * width / _MANY) ** 0.5))


def _checked(image: ArrayLike) -> NDArray[Any]:
    """Return a picture as an array (h, w), (h, w, 3) or (h, w, 4) of finite numbers."""
    pixels = np.asarray(image)
    if pixels.dtype.kind not in "buif":
        raise InvalidValueError(f"a picture consists of numbers, not of {pixels.dtype}")
    if pixels.size == 0 or pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)):
        raise InvalidValueError(f"a picture has the shape (h, w), (h, w, 3) or (h, w, 4), not {pixels.shape}")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise InvalidValueError("the picture has values that are NaN or infinite")
    return pixels


def _grey(pixels: NDArray[Any]) -> Float32Array:
    """Return the picture as shades of grey (h, w), made smaller where it is far larger than needed."""
    if pixels.ndim == 2:
        return _by_strips(pixels, lambda strip: strip.astype(np.float32))
    if pixels.shape[2] == 3:
        return _by_strips(pixels, _mixed)
    opaque = np.float32(255.0 if pixels.dtype.kind in "ui" else 1.0)

    def opacity(strip: NDArray[Any]) -> Float32Array:
        return strip[..., 3].astype(np.float32) / opaque

    on_white = _by_strips(pixels, lambda strip: _mixed(strip) * opacity(strip) + opaque * (1 - opacity(strip)))
    if np.ptp(on_white) > _FAINT * opaque:
        return on_white
    return _by_strips(pixels, lambda strip: _mixed(strip) * opacity(strip))  # white ink shows on black paper only


def _mixed(pixels: NDArray[Any]) -> Float32Array:
    """Return the grey of colours (h, w, 3 or 4), with the shares of ITU-R BT.601, as every picture library has them."""
    return pixels[..., :3].astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _by_strips(pixels: NDArray[Any], grey: Callable[[NDArray[Any]], Float32Array]) -> Float32Array:
    """Return the grey of pixels, and of squares of them where they are far too many; strip by strip to save memory."""
    step = reduction(*pixels.shape[:2])
    if step == 1:
        return grey(pixels)
    height, width = (size // step for size in pixels.shape[:2])
    out = np.empty((height, width), np.float32)
    for row in range(height):
        strip = grey(pixels[row * step : (row + 1) * step, : width * step])
        out[row] = strip.reshape(step, width, step).mean(axis=(0, 2))
    return out


@compiled
def _fit_and_centre(ink: Float32Array, out: Float32Array) -> None:  # pragma: no cover
    """Write `ink` (h, w), between 0 and 1, into `out` (28, 28) in MNIST's form.

    Each pixel of the box is the mean of the ink that it covers. Without ink `out` is zero.
    """
    height, width = ink.shape
    top, bottom, left, right = height, -1, width, -1
    for i in range(height):
        for j in range(width):
            if ink[i, j] > _FAINT:
                top, bottom = min(top, i), max(bottom, i)
                left, right = min(left, j), max(right, j)
    out[:] = 0
    if bottom < 0:
        return
    longest = max(bottom - top, right - left) + 1
    scale = longest / BOX  # pixels of ink per pixel of the box
    rows = max(1, min(BOX, round((bottom - top + 1) / scale)))
    columns = max(1, min(BOX, round((right - left + 1) / scale)))
    row_scale, column_scale = (bottom - top + 1) / rows, (right - left + 1) / columns

    box = np.zeros((rows, columns), np.float32)
    mass = row_moment = column_moment = 0.0
    for r in range(rows):
        y0, y1 = top + r * row_scale, top + (r + 1) * row_scale
        for c in range(columns):
            x0, x1 = left + c * column_scale, left + (c + 1) * column_scale
            total = 0.0
            for i in range(int(y0), min(int(np.ceil(y1)), height)):
                share_y = min(y1, i + 1.0) - max(y0, float(i))
                for j in range(int(x0), min(int(np.ceil(x1)), width)):
                    total += share_y * (min(x1, j + 1.0) - max(x0, float(j))) * ink[i, j]
            value = total / (row_scale * column_scale)
            box[r, c] = value
            mass += value
            row_moment += value * r
            column_moment += value * c
    down = round(SIZE / 2 - row_moment / mass)
    across = round(SIZE / 2 - column_moment / mass)
    down = max(0, min(SIZE - rows, down))
    across = max(0, min(SIZE - columns, across))
    for r in range(rows):  # to assign a slice would take four seconds more to compile
        for c in range(columns):
            out[down + r, across + c] = box[r, c]


@compiled
def form_all(ink: UInt8Array, out: UInt8Array) -> None:  # pragma: no cover
    """Write each of `ink` (n, h, w) into `out` (n, 784) in MNIST's form; uint8, 255 is ink."""
    scaled = np.empty(ink.shape[1:], np.float32)
    formed = np.empty((SIZE, SIZE), np.float32)
    for n in range(len(ink)):
        for i in range(ink.shape[1]):
            for j in range(ink.shape[2]):
                scaled[i, j] = ink[n, i, j] * np.float32(1 / 255)
        _fit_and_centre(scaled, formed)
        for i in range(SIZE):
            for j in range(SIZE):
                out[n, i * SIZE + j] = np.uint8(min(255.0, formed[i, j] * 255 + 0.5))
