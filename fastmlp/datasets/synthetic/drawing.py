"""Digits drawn from skeletons by an unsteady hand: compiled, and the same for the same seed.

Each image has its own random numbers, which follow from the seed and the image's index, so no image depends on which
thread drew it or on how many threads there were. All compiled functions are in this file, because Numba's disk cache
checks no other (`fastmlp.kernels.compiled`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastmlp.arrays import Float32Array, Int64Array, UInt8Array
from fastmlp.kernels.compiled import compiled

__all__ = ["CANVAS", "Hand", "Skeletons", "draw_all"]

__all__ = ["CANVAS", "Hand", "Skeletons", "draw_all"]

CANVAS = 64
"""Side of the square that a digit is drawn on, in pixels."""
_INK = 50
"""The longer side of the drawn path, in pixels."""
_STEPS = 6
"""Straight pieces between two points of a skeleton."""
_MAX_POINTS = 32
"""No skeleton has more points."""
_ROUNDNESS = 0.6
"""0 draws the curve through a skeleton's points, 1 a rounder one that only comes near them."""
_SKIP_LENGTH = 0.06
"""Half the length that is missing where the pen skips, as a share of the stroke."""
_THINNEST = 0.15
"""The least width of a stroke, as a share of the pen's."""
_FOLLOWS = 0.6
"""How much of a point's displacement the next one shares: round strokes stay round."""


class Skeletons(NamedTuple):
    """The shapes of all digits as flat arrays."""

    points: Float32Array  # (n_points, 2): x and y, between 0 and 1
    corners: Int64Array  # (n_points,): 1 where the curve has a corner
    strokes: Int64Array  # (n_strokes + 1,): stroke s has the points strokes[s] to strokes[s + 1]
    skeletons: Int64Array  # (n_skeletons + 1,): skeleton k has the strokes skeletons[k] to skeletons[k + 1]
    families: Int64Array  # (n_families + 1,): family f has the skeletons families[f] to families[f + 1]
    digits: Int64Array  # (11,): digit d has the families digits[d] to digits[d + 1]
    shares: Float32Array  # (n_families,): the share of each family among its digit's, as running sums that end at 1
    manners: Float32Array  # (10, 3): for each digit the factors on pen and width, and the slant


class Hand(NamedTuple):
    """How much hands differ and shake; lengths in units of the digit's height.

    The defaults were chosen by looking at contact sheets, and by how well a net trained on the drawings recognises
    MNIST's training images.
    """

    mixture: float = 0.25
    """How far a mixture of two skeletons may go beyond either of them."""
    joints: float = 0.038
    """Standard deviation of a skeleton's point."""
    overshoot: float = 0.05
    """Standard deviation of the length added to a stroke at either end."""
    bend: float = 0.036
    """Amplitude of the elastic bends."""
    tremor: float = 0.004
    """Standard deviation of the tremor from one straight piece to the next."""
    slant: float = 0.24
    """Standard deviation of the shear."""
    rotation: float = 0.1
    """Standard deviation of the rotation, in radians."""
    aspect_mean: float = 0.92
    """Median of the factor on the width."""
    aspect: float = 0.2
    """Standard deviation of the logarithm of that factor."""
    pen: float = 0.068
    """Median of the half width of a stroke."""
    pen_spread: float = 0.27
    """Standard deviation of the logarithm of that half width."""
    pressure: float = 0.18
    """Standard deviation of the change of width along a stroke, as a share of it."""
    grain: float = 0.06
    """Standard deviation of the change of width from one straight piece to the next, as a share of it."""
    skip: float = 0.02
    """Probability that the pen skips somewhere in a stroke."""


@compiled
def _bits(state: npt.NDArray[np.uint64]) -> np.uint64:  # pragma: no cover
    """Return the next 64 random bits: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    state[0] += np.uint64(0x9E3779B97F4A7C15)
    z = state[0]
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@compiled
def _uniform(state: npt.NDArray[np.uint64]) -> float:  # pragma: no cover
    """Return a random number in [0, 1)."""
    return np.float64(_bits(state) >> np.uint64(11)) * 2.0**-53


@compiled
def _normal(state: npt.NDArray[np.uint64]) -> float:  # pragma: no cover
    """Return a random number of the standard normal distribution (Box and Muller)."""
    radius = np.sqrt(-2 * np.log(1 - _uniform(state)))
    return radius * np.cos(2 * np.pi * _uniform(state))


@compiled
def _choose_points(
    digit: int,
    skeletons: Skeletons,
    hand: Hand,
    state: npt.NDArray[np.uint64],
    points: Float32Array,
) -> int:  # pragma: no cover
    """Write the points of a mixture of two skeletons of one family; return the first skeleton."""
    draw = _uniform(state)
    family = skeletons.digits[digit]
    while draw >= skeletons.shares[family] and family + 1 < skeletons.digits[digit + 1]:
        family += 1
    first, last = skeletons.families[family], skeletons.families[family + 1]
    a = first + int(_uniform(state) * (last - first))
    b = first + int(_uniform(state) * (last - first))
    share = _uniform(state) * (1 + 2 * hand.mixture) - hand.mixture
    start_a = skeletons.strokes[skeletons.skeletons[a]]
    start_b = skeletons.strokes[skeletons.skeletons[b]]
    count = skeletons.strokes[skeletons.skeletons[a + 1]] - start_a
    drift_x = drift_y = 0.0
    for p in range(count):
        drift_x = _FOLLOWS * drift_x + hand.joints * _normal(state)
        drift_y = _FOLLOWS * drift_y + hand.joints * _normal(state)
        from_a, from_b = skeletons.points[start_a + p], skeletons.points[start_b + p]
        points[p, 0] = from_a[0] + share * (from_b[0] - from_a[0]) + drift_x
        points[p, 1] = from_a[1] + share * (from_b[1] - from_a[1]) + drift_y
    return a


@compiled
def _lengthen(points: Float32Array, end: int, inner: int, by: float) -> None:  # pragma: no cover
    """Move a stroke's end point away from its inner neighbour."""
    dx, dy = points[end, 0] - points[inner, 0], points[end, 1] - points[inner, 1]
    length = np.sqrt(dx * dx + dy * dy) + 1e-6
    points[end, 0] += by * dx / length
    points[end, 1] += by * dy / length


@compiled
def _spline(p0: float, p1: float, p2: float, p3: float, t: float) -> float:  # pragma: no cover
    """Return the point at `t` between `p1` and `p2` on a smooth curve along four points.

    A Catmull-Rom spline goes through its points, which looks angular; a uniform B-spline only passes near them, which
    looks too round. This is a mixture of both.
    """
    cubic = (3 * (p1 - p2) + p3 - p0) * t * t * t
    through = p1 + ((p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t + cubic) / 2
    near = ((p0 + 4 * p1 + p2) + 3 * (p2 - p0) * t + 3 * (p0 - 2 * p1 + p2) * t * t + cubic) / 6
    return (1 - _ROUNDNESS) * through + _ROUNDNESS * near


@compiled
def _trace(
    skeleton: int,
    skeletons: Skeletons,
    hand: Hand,
    state: npt.NDArray[np.uint64],
    points: Float32Array,
    path: Float32Array,
) -> int:  # pragma: no cover
    """Write the curve along `points` as straight pieces into `path`; return the number of its points.

    `path` holds (x, y, width) for each point: width is a factor on the pen's and holds up to the next point; 0 means
    that the pen is lifted.
    """
    offset = skeletons.strokes[skeletons.skeletons[skeleton]]
    count = 0
    for s in range(skeletons.skeletons[skeleton], skeletons.skeletons[skeleton + 1]):
        begin, end = skeletons.strokes[s] - offset, skeletons.strokes[s + 1] - offset
        _lengthen(points, begin, begin + 1, hand.overshoot * _normal(state))
        _lengthen(points, end - 1, end - 2, hand.overshoot * _normal(state))
        phase, waves = 2 * np.pi * _uniform(state), 1 + 4 * _uniform(state)
        swing = hand.pressure * _normal(state)
        skip_at = _uniform(state) if _uniform(state) < hand.skip else 2.0
        for p in range(begin, end - 1):
            # at a corner and at an end, the curve starts out straight
            smooth_before = p > begin and skeletons.corners[offset + p] == 0
            smooth_after = p + 2 < end and skeletons.corners[offset + p + 1] == 0
            for step in range(_STEPS + (p == end - 2)):
                t = step / _STEPS
                for axis in range(2):
                    p1, p2 = points[p, axis], points[p + 1, axis]
                    p0 = points[p - 1, axis] if smooth_before else 2 * p1 - p2
                    p3 = points[p + 2, axis] if smooth_after else 2 * p2 - p1
                    path[count, axis] = _spline(p0, p1, p2, p3, t)
                along = (p - begin + t) / (end - 1 - begin)
                width = 1 + swing * np.sin(phase + waves * along) + hand.grain * _normal(state)
                skipped = abs(along - skip_at) < _SKIP_LENGTH
                path[count, 2] = 0.0 if skipped else max(width, _THINNEST)
                count += 1
        path[count - 1, 2] = 0.0
    return count


@compiled
def _distort(
    manner: Float32Array, hand: Hand, state: npt.NDArray[np.uint64], path: Float32Array, count: int
) -> None:  # pragma: no cover
    """Bend, shake, stretch, slant and turn the path in place."""
    slant = manner[2] + hand.slant * _normal(state)
    aspect = manner[1] * hand.aspect_mean * np.exp(hand.aspect * _normal(state))
    angle = hand.rotation * _normal(state)
    cos, sin = np.cos(angle), np.sin(angle)
    bends = np.empty((4, 4))
    for k in range(4):  # amplitude, wave numbers along x and y, phase; two bends for each axis
        bends[k, 0] = hand.bend * _normal(state)
        bends[k, 1] = 2 * np.pi * (0.4 + 0.8 * _uniform(state)) * (1 if k % 2 else -1)
        bends[k, 2] = 2 * np.pi * (0.4 + 0.8 * _uniform(state))
        bends[k, 3] = 2 * np.pi * _uniform(state)
    shake_x = shake_y = 0.0
    for i in range(count):
        x, y = path[i, 0] - 0.5, path[i, 1] - 0.5
        dx = dy = 0.0
        for k in range(2):
            dx += bends[k, 0] * np.sin(bends[k, 1] * x + bends[k, 2] * y + bends[k, 3])
            dy += bends[k + 2, 0] * np.sin(bends[k + 2, 1] * x + bends[k + 2, 2] * y + bends[k + 2, 3])
        shake_x = 0.8 * shake_x + hand.tremor * _normal(state)
        shake_y = 0.8 * shake_y + hand.tremor * _normal(state)
        x, y = aspect * (x + dx) + shake_x, y + dy + shake_y
        x -= slant * y
        path[i, 0], path[i, 1] = cos * x - sin * y, sin * x + cos * y


@compiled
def _ink(path: Float32Array, count: int, pen: float, canvas: UInt8Array) -> None:  # pragma: no cover
    """Draw the path on `canvas` (CANVAS, CANVAS), as large as fits: 255 is ink, 0 is paper.

    `pen` is half the width of a stroke. There is only ink and paper, as in a scan: MNIST's grey edges come from the
    scaling that follows.
    """
    left = right = path[0, 0]
    top = bottom = path[0, 1]
    for i in range(count):
        left, right = min(left, path[i, 0]), max(right, path[i, 0])
        top, bottom = min(top, path[i, 1]), max(bottom, path[i, 1])
    scale = np.float32(_INK / max(right - left, bottom - top))
    shift_x = np.float32((CANVAS - scale * (left + right)) / 2)
    shift_y = np.float32((CANVAS - scale * (top + bottom)) / 2)
    half, zero, one = np.float32(0.5), np.float32(0), np.float32(1)
    canvas[:] = 0
    for i in range(count - 1):
        if path[i, 2] == 0:
            continue
        x0, y0 = scale * path[i, 0] + shift_x, scale * path[i, 1] + shift_y
        dx, dy = scale * (path[i + 1, 0] - path[i, 0]), scale * (path[i + 1, 1] - path[i, 1])
        radius = scale * np.float32(pen) * path[i, 2]
        radius2 = radius * radius
        inverse = one / (dx * dx + dy * dy + np.float32(1e-6))
        first_row = max(0, int(min(y0, y0 + dy) - radius))
        last_row = min(CANVAS - 1, int(max(y0, y0 + dy) + radius))
        first_column = max(0, int(min(x0, x0 + dx) - radius))
        last_column = min(CANVAS - 1, int(max(x0, x0 + dx) + radius))
        for row in range(first_row, last_row + 1):
            py = np.float32(row) + half - y0
            for column in range(first_column, last_column + 1):
                px = np.float32(column) + half - x0
                along = min(one, max(zero, (px * dx + py * dy) * inverse))
                ex, ey = px - along * dx, py - along * dy
                if ex * ex + ey * ey <= radius2:
                    canvas[row, column] = 255


@compiled
def draw_all(
    labels: Int64Array,
    first: int,
    seed: int,
    shapes: tuple[Any, ...],
    hand_values: tuple[float, ...],
    out: UInt8Array,
) -> None:  # pragma: no cover
    """Draw the digits `labels` (n,) on `out` (n, CANVAS, CANVAS): 255 is ink, 0 is paper.

    Image i has the random numbers of the index `first + i`. `shapes` and `hand_values` are a `Skeletons` and a `Hand`
    as plain tuples, because Numba's disk cache would refer to these classes by name.
    """
    skeletons, hand = Skeletons(*shapes), Hand(*hand_values)
    state = np.empty(1, np.uint64)
    points = np.empty((_MAX_POINTS, 2), np.float32)
    path = np.empty((_STEPS * _MAX_POINTS, 3), np.float32)
    for n in range(len(labels)):
        state[0] = np.uint64(seed)
        state[0] = _bits(state) + np.uint64(first + n) * np.uint64(0xD1342543DE82EF95)
        skeleton = _choose_points(labels[n], skeletons, hand, state, points)
        count = _trace(skeleton, skeletons, hand, state, points, path)
        manner = skeletons.manners[labels[n]]
        _distort(manner, hand, state, path, count)
        pen = manner[0] * hand.pen * np.exp(hand.pen_spread * _normal(state))
        _ink(path, count, pen, out[n])
