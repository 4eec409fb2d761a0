"""How people write the ten digits: skeletons of strokes, several ways for each.

A skeleton is text: points "x,y" in a box of 100 x 100, x to the right and y down, joined by a
smooth curve; ``!`` marks a corner and ``|`` lifts the pen. The skeletons of one `Family` have
the same strokes and points, so that any mixture of two is a way of writing the digit too.
"""

from typing import NamedTuple

import numpy as np

from fastmlp.datasets.dataset import Float32Array, Int64Array


class Family(NamedTuple):
    """Ways to write one digit between which a hand varies; ``share`` of its writers use them."""

    share: float
    skeletons: tuple[str, ...]


DIGITS: tuple[tuple[Family, ...], ...] = (
    (  # 0
        Family(
            0.6,
            (
                "58,2 30,8 12,40 16,75 40,99 68,92 88,60 82,22 58,2",
                "66,8 36,2 14,32 14,70 36,97 64,97 86,68 84,28 52,4",
                "50,0 34,12 28,45 32,82 50,100 66,85 72,50 66,14 48,1",
                "50,2 14,14 0,48 14,86 52,98 88,84 100,50 86,14 46,3",
            ),
        ),
        Family(
            0.4,
            (
                "70,16 45,0 18,22 10,62 30,96 62,96 86,62 80,22 56,8",
                "80,10 50,6 20,30 14,70 34,98 66,92 86,55 76,18 46,14",
                "40,10 26,20 14,50 22,86 50,100 78,84 88,46 72,8 36,0",
            ),
        ),
    ),
    (  # 1
        Family(
            0.85,
            (
                "50,0 50,35 50,68 50,100",
                "53,0 49,35 48,68 51,100",
                "47,0 51,35 52,68 49,100",
            ),
        ),
        Family(
            0.09,
            (
                "34,24 44,12 54,0! 53,35 52,70 52,100",
                "40,14 48,8 54,0! 53,35 52,70 52,100",
                "20,34 38,20 56,0! 55,35 54,70 54,100",
            ),
        ),
        Family(
            0.06,
            (
                "30,24 42,14 54,0! 53,50 52,99 | 22,100 50,99 84,98",
                "36,18 46,10 54,0! 52,50 50,97 | 20,97 50,98 80,100",
            ),
        ),
    ),
    (  # 2
        Family(
            0.5,
            (
                "12,26 26,6 52,0 78,14 80,36 58,64 34,84 10,97! 34,94 62,95 92,97",
                "8,20 30,3 58,3 76,20 70,44 50,66 30,84 12,98! 36,98 64,98 88,92",
                "18,14 40,0 66,4 80,22 72,46 50,68 26,86 4,98! 34,90 64,92 100,98",
                "20,30 26,10 46,0 66,10 68,32 54,60 38,80 20,99! 40,96 58,96 80,96",
            ),
        ),
        Family(
            0.5,
            (
                "12,22 30,2 58,2 76,20 70,46 48,76 22,97 8,88 22,76 46,86 68,97 96,90",
                "10,28 28,4 58,0 78,18 72,46 46,72 20,96 4,82 22,68 48,82 72,98 98,86",
                "20,16 40,0 66,6 76,24 66,50 44,74 20,94 12,90 26,82 48,88 68,96 92,98",
                "6,14 34,6 60,12 70,32 58,58 34,82 14,98 4,92 20,84 44,92 70,98 100,84",
            ),
        ),
    ),
    (  # 3
        Family(
            0.75,
            (
                "16,12 44,0 74,10 74,32 36,46! 72,56 84,76 58,98 12,90",
                "22,4 50,0 76,14 68,36 40,46! 74,54 78,80 50,100 14,94",
                "14,20 38,2 66,6 70,28 34,44! 68,50 84,72 62,96 18,98",
                "24,10 44,2 64,8 64,26 38,42! 74,52 84,78 54,100 8,84",
            ),
        ),
        Family(
            0.25,
            (
                "14,8 44,2 76,8 66,30 42,46 54,48 80,64 66,94 14,94",
                "20,14 48,0 72,16 62,38 38,48 50,46 76,60 66,92 22,98",
                "12,4 46,4 82,4 62,26 44,42 62,44 84,66 60,96 10,90",
            ),
        ),
    ),
    (  # 4
        Family(
            0.6,
            (
                "20,4 14,34 14,56 44,58 84,52 | 78,2 74,34 68,68 64,100",
                "24,0 18,28 12,52 40,56 92,50 | 70,10 68,40 66,70 62,100",
                "14,10 10,36 18,56 50,54 80,46 | 84,0 78,34 74,66 72,100",
                "30,6 18,34 8,62 48,62 96,56 | 66,22 62,48 58,74 54,100",
            ),
        ),
        Family(
            0.2,
            (
                "20,4 16,34 22,56 52,54 74,32 82,4! 76,38 70,70 68,100",
                "26,8 18,36 26,56 56,48 72,28 80,6! 74,40 70,72 64,100",
                "16,12 14,36 22,52 50,52 72,36 84,10! 80,44 78,72 76,100",
            ),
        ),
        Family(
            0.2,
            (
                "62,0 38,32 10,64! 50,64 94,62 | 64,2 63,34 62,66 62,100",
                "70,2 40,30 14,56! 50,57 90,56 | 72,4 68,36 66,68 62,100",
                "56,4 36,34 14,60! 52,58 86,52 | 60,6 62,38 60,70 58,100",
            ),
        ),
    ),
    (  # 5
        Family(
            0.5,
            (
                "84,2 56,3 30,5! 24,24 20,44! 50,38 80,56 72,88 40,100 8,90",
                "90,4 60,2 34,4! 28,22 24,42! 50,36 74,52 72,84 44,100 14,92",
                "78,0 54,2 26,6! 22,26 16,48! 44,42 76,58 74,90 44,100 10,96",
                "94,8 66,6 38,10! 32,28 26,46! 54,46 72,64 62,90 34,100 6,88",
            ),
        ),
        Family(
            0.3,
            (
                "28,6 24,26 20,46! 50,40 80,58 70,90 40,100 10,90 | 28,6 56,4 86,2",
                "32,10 28,28 22,48! 52,44 74,62 64,90 36,100 8,92 | 34,8 62,6 92,4",
            ),
        ),
        Family(
            0.2,
            (
                "88,4 58,2 36,10 24,32 40,44 64,56 72,78 50,98 12,92",
                "94,10 64,4 40,12 30,34 46,46 62,60 64,82 40,98 8,90",
            ),
        ),
    ),
    (  # 6
        Family(
            1.0,
            (
                "66,0 38,18 18,50 18,82 44,100 74,88 74,62 48,52 22,72",
                "58,0 34,22 20,54 22,86 46,100 68,86 66,66 46,60 24,80",
                "74,4 40,16 14,48 14,82 42,100 76,90 82,62 56,46 22,64",
                "50,0 32,26 22,56 24,86 44,99 64,88 66,68 48,62 26,78",
                "84,2 46,14 18,46 14,78 38,98 70,92 74,68 46,58 16,76",
            ),
        ),
    ),
    (  # 7
        Family(
            0.75,
            (
                "10,10 46,8 86,4! 70,36 54,68 44,100",
                "8,6 44,6 80,6! 66,36 54,66 48,100",
                "10,16 44,6 84,6! 76,38 66,70 60,100",
                "14,4 50,4 88,6! 66,34 44,66 28,100",
            ),
        ),
        Family(
            0.12,
            (
                "12,24 14,8! 48,8 86,4! 70,36 54,68 44,100",
                "8,30 14,8! 46,8 82,6! 72,36 62,68 56,100",
            ),
        ),
        Family(
            0.13,
            (
                "10,10 46,8 86,4! 70,36 54,68 44,100 | 30,54 54,50 80,48",
                "8,8 44,6 82,6! 68,36 56,66 48,100 | 28,50 56,50 86,46",
            ),
        ),
    ),
    (  # 8
        Family(
            0.7,
            (
                "76,12 50,0 24,14 30,36 54,50 76,72 60,98 32,96 22,74 44,52 70,34 76,12",
                "82,10 54,2 26,18 34,38 52,50 68,72 52,98 28,96 20,78 42,54 68,34 82,8",
                "70,10 48,2 30,16 36,36 52,48 70,70 60,96 38,98 28,76 44,52 64,32 68,10",
                "78,20 56,0 28,10 28,34 56,50 80,72 62,98 26,96 14,76 42,54 70,38 80,18",
            ),
        ),
        Family(
            0.3,
            (
                "54,48 28,34 26,10 52,0 76,12 72,34 50,50 24,68 26,94 56,100 78,84 70,60 50,48",
                "52,46 32,34 32,10 52,0 70,10 70,34 50,48 20,66 22,94 54,100 84,86 76,60 52,46",
                "50,52 24,38 26,12 52,0 80,14 76,38 52,52 30,68 32,92 54,100 74,88 70,64 50,52",
            ),
        ),
    ),
    (  # 9
        Family(
            0.65,
            (
                "76,14 50,0 22,18 22,42 48,50 74,30 78,10! 76,40 72,70 66,100",
                "72,8 46,2 24,22 28,42 50,46 70,28 74,8! 70,40 64,70 56,100",
                "80,20 54,2 22,14 16,38 44,48 74,34 80,14! 78,44 76,72 74,100",
                "70,12 48,0 26,16 26,36 46,42 66,28 72,10! 66,40 56,70 42,100",
            ),
        ),
        Family(
            0.35,
            (
                "76,16 50,0 22,18 22,42 48,50 72,32 78,12 78,44 66,84 42,100 16,92",
                "72,12 46,0 24,20 30,44 52,46 70,28 74,14 72,48 60,82 38,98 18,90",
            ),
        ),
    ),
)


class Skeletons(NamedTuple):
    """The table above as flat arrays for compiled code.

    Attributes
    ----------
    points : ndarray of shape (n_points, 2), float32
        x and y, between 0 and 1.
    corners : ndarray of shape (n_points,), int64
        1 where the curve has a corner.
    strokes : ndarray of shape (n_strokes + 1,), int64
        Stroke s has the points strokes[s] to strokes[s + 1].
    skeletons : ndarray of shape (n_skeletons + 1,), int64
        Skeleton k has the strokes skeletons[k] to skeletons[k + 1].
    families : ndarray of shape (n_families + 1,), int64
        Family f has the skeletons families[f] to families[f + 1].
    digits : ndarray of shape (11,), int64
        Digit d has the families digits[d] to digits[d + 1].
    shares : ndarray of shape (n_families,), float32
        The share of each family among its digit's, as running sums that end at 1.
    """

    points: Float32Array
    corners: Int64Array
    strokes: Int64Array
    skeletons: Int64Array
    families: Int64Array
    digits: Int64Array
    shares: Float32Array


def parse(digits: tuple[tuple[Family, ...], ...] = DIGITS) -> Skeletons:
    """Return the table as flat arrays.

    >>> parse(((Family(1.0, ("0,0 50,50! 100,0 | 0,0 100,100",)),),)).strokes
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
        np.array(strokes),
        np.array(skeletons),
        np.array(families),
        np.array(digit_starts),
        np.array(shares, np.float32),
    )
