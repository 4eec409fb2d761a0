"""The shapes of digits as text, and as the flat arrays that compiled code draws from.

A skeleton is text: points "x,y" in a box of 100 x 100, x to the right and y down, joined by a
smooth curve; `!` marks a corner and `|` lifts the pen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fastmlp.datasets.synthetic.drawing import Skeletons

__all__ = ["Family", "Manner", "parse"]


class Family(NamedTuple):
    """Ways to write one digit between which a hand varies; `share` of its writers use them.

    All have the same strokes, points and corners, so that a mixture of two is a way as well.
    """

    share: float
    skeletons: tuple[str, ...]


class Manner(NamedTuple):
    """How a digit is usually written, beside its shape.

    A digit that is written smaller looks bolder once all are scaled to one size, so `pen` is
    a factor on the width of strokes; `width` is one on the digit's; `slant` is the mean shear.
    """

    pen: float
    width: float
    slant: float


def parse(digits: Sequence[Sequence[Family]], manners: Sequence[Manner]) -> Skeletons:
    """Return the shapes that the text describes as flat arrays.

    >>> cross = Family(share=1.0, skeletons=("0,0 50,50 100,100 | 0,100 100,0",))
    >>> parse([[cross]], [Manner(pen=1.0, width=1.0, slant=0.0)]).strokes
    array([0, 3, 5])
    """
    points: list[tuple[float, float]] = []
    corners: list[int] = []
    strokes, skeletons, families, digit_starts = [0], [0], [0], [0]
    shares: list[float] = []
    for digit in digits:
        total = sum(family.share for family in digit)
        running = 0.0
        for family in digit:
            for skeleton in family.skeletons:
                for stroke in skeleton.split("|"):
                    for point in stroke.split():
                        x, y = point.rstrip("!").split(",")
                        points.append((float(x) / 100, float(y) / 100))
                        corners.append(point.endswith("!"))
                    strokes.append(len(points))
                skeletons.append(len(strokes) - 1)
            families.append(len(skeletons) - 1)
            running += family.share / total
            shares.append(running)
        digit_starts.append(len(families) - 1)
    return Skeletons(
        np.array(points, np.float32),
        np.array(corners, np.int64),
        np.array(strokes, np.int64),
        np.array(skeletons, np.int64),
        np.array(families, np.int64),
        np.array(digit_starts, np.int64),
        np.array(shares, np.float32),
        np.array(manners, np.float32),
    )
