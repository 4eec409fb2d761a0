"""Whether inputs are pixels, from 0 to 255: those are scaled to 0 to 1, in all parts of a dataset or in none."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, NamedTuple

import numpy as np

from fastmlp.arrays import Float32Array
from fastmlp.errors import DataError

__all__ = ["PIXEL_SCALE", "Inputs", "counts_told", "scale_as_first", "scale_pixels", "spans_0_to_1"]

PIXEL_SCALE = 1 / 255
_DARKEST = 127  # bytes that reach no further are no pixels


class Inputs(NamedTuple):
    """Samples X (n, D) float32, the type that they were read as, and what messages call them."""

    X: Float32Array
    dtype: np.dtype[Any]
    name: str


class _Look(Enum):
    PIXELS = auto()
    PERHAPS = auto()  # whole numbers that could be pixels
    FRACTIONS = auto()  # 0 to 1, which pixels are once they are scaled
    OTHER = auto()


def scale_pixels(parts: list[Inputs], name: str) -> bool:
    """Scale pixels by 1/255 in place; return whether the parts, the first of which is the training set, hold pixels.

    Pixels are uint8 that reach beyond 127, or whole numbers from 0 to 255 that have both ends. A part that only could
    be pixels is scaled with the others. Raises DataError where one part holds pixels and another something else; `name`
    is what the message calls the data.

    >>> X = np.array([[0, 51, 255]], np.float32)
    >>> scale_pixels([Inputs(X, np.dtype(float), "X")], "mine"), X
    (True, array([[0. , 0.2, 1. ]], dtype=float32))
    """
    looks = [_look(part) for part in parts]
    sure = looks[0] is _Look.PIXELS
    if looks[0] is _Look.PERHAPS and _Look.PIXELS in looks:
        sure = bool(parts[0].X.max() > _DARKEST)
    other = next((k for k, look in enumerate(looks) if look in (_Look.FRACTIONS, _Look.OTHER)), None)
    if other is not None and (sure or (looks[0] is _Look.FRACTIONS and _Look.PIXELS in looks)):
        pixels = looks.index(_Look.PIXELS)
        X = parts[other].X
        raise DataError(
            f"{name}: {parts[pixels].name} holds pixels from 0 to 255 and {parts[other].name} values from "
            f"{X.min():g} to {X.max():g}; scale both alike"
        )
    if sure:
        for part in parts:
            np.divide(part.X, np.float32(255), out=part.X)
    return sure


def _look(part: Inputs) -> _Look:
    least, most = float(part.X.min()), float(part.X.max())
    if least < 0 or most > 255:
        return _Look.OTHER
    if most <= 1:
        return _Look.FRACTIONS
    if part.dtype.kind not in "ui" and not all(np.array_equal(row, np.rint(row)) for row in part.X):
        return _Look.OTHER
    sure = most > _DARKEST if part.dtype == np.uint8 else (least, most) == (0, 255)
    return _Look.PIXELS if sure else _Look.PERHAPS


def scale_as_first(part: Inputs, name: str, is_pixels: bool) -> None:
    """Scale a part by 1/255 in place where the first part `is_pixels`; raises DataError where the two differ.

    >>> X = np.array([[0, 51, 255]], np.float32)
    >>> scale_as_first(Inputs(X, np.dtype(np.uint8), "X"), "part 2", is_pixels=True)
    >>> X
    array([[0. , 0.2, 1. ]], dtype=float32)
    """
    first = part.X[:1]
    if not is_pixels and part.dtype.kind == "f" and not np.array_equal(first, np.rint(first)):
        return  # fractions: no need to look at all of it
    look = _look(part)
    if is_pixels:  # bytes of 0 and 1 may be dark pictures
        fits = look in (_Look.PIXELS, _Look.PERHAPS) or (look is _Look.FRACTIONS and part.dtype.kind in "ui")
    else:
        fits = look is not _Look.PIXELS
    if not fits:
        kinds = ("values from 0 to 1 or others", "pixels from 0 to 255")
        raise DataError(
            f"{name} holds {kinds[not is_pixels]} and the first part {kinds[is_pixels]}; scale all parts alike"
        )
    if is_pixels:
        np.divide(part.X, np.float32(255), out=part.X)


def spans_0_to_1(X: Float32Array) -> bool:
    """Whether inputs lie between 0 and 1 and reach both, as pixels do that were scaled already, and one-hot rows.

    >>> spans_0_to_1(np.array([[0, 0.5], [1, 0.2]], np.float32)), spans_0_to_1(np.array([[0.1, 0.5]], np.float32))
    (True, False)
    """
    return float(X.min()) == 0 and float(X.max()) == 1


def counts_told(part: Inputs) -> str | None:
    """Return what to say of bytes that are no pixels, None where there is nothing to say.

    >>> counts_told(Inputs(np.array([[0, 5]], np.float32), np.dtype(np.uint8), "X"))
    'X holds whole numbers from 0 to 5, which are no pixels (these reach beyond 127), and was not scaled'
    """
    if part.dtype != np.uint8 or _look(part) is not _Look.PERHAPS:
        return None
    return (
        f"{part.name} holds whole numbers from {part.X.min():g} to {part.X.max():g}, which are no pixels (these reach "
        f"beyond {_DARKEST}), and was not scaled"
    )
