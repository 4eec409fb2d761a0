"""Digits drawn from skeletons by an unsteady hand: compiled, and the same for the same seed.

Each image has random numbers of its own, counted from the seed and the image's index, so that no
image depends on which thread drew it or on how many there were.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fastmlp.datasets.dataset import Float32Array, Int64Array, UInt8Array
from fastmlp.datasets.jit import compiled
from fastmlp.datasets.strokes import Skeletons

CANVAS = 64
"""Side of the square that a digit is drawn on, in pixels."""
_INK = 50
"""The longer side of the drawn digit's path, in pixels."""
_STEPS = 8
"""Straight pieces between two points of a skeleton."""
_MAX_POINTS = 512
_FOLLOWS = 0.6
"""How much of a point's displacement the next one shares: round strokes stay round."""


class Hand(NamedTuple):
    """How much hands differ and shake; lengths in units of the digit's height.

    The defaults were chosen by looking at contact sheets, and by what a net trained on the
    drawings makes of MNIST's training images.
    """

    mixture: float = 0.25
    """How far a mixture of two skeletons may lie outside the two."""
    joints: float = 0.038
    """Standard deviation of a skeleton's point."""
    overshoot: float = 0.05
    """Standard deviation of a stroke's length at either end."""
    bend: float = 0.04
    """Amplitude of the elastic bends."""
    tremor: float = 0.004
    """Standard deviation of the shaking from one straight piece to the next."""
    slant: float = 0.24
    """Standard deviation of the shear."""
    rotation: float = 0.1
    """Standard deviation of the rotation, in radians."""
    aspect_mean: float = 0.92
    """Median of the width's factor."""
    aspect: float = 0.2
    """Standard deviation of the width's logarithm."""
    pen: float = 0.068
    """Median of the half width of a stroke."""
    pen_spread: float = 0.27
    """Standard deviation of its logarithm."""
    pressure: float = 0.18
    """Standard deviation of the change of width along a stroke, as a share of it."""
    grain: float = 0.06
    """Standard deviation of its change from one straight piece to the next, as a share of it."""
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
def _trace(
    pen: float,
    skeleton: int,
    skeletons: Skeletons,
    hand: Hand,
    state: npt.NDArray[np.uint64],
    points: Float32Array,
    path: Float32Array,
) -> int:  # pragma: no cover
    """Write the curve through ``points`` as pieces into ``path``; return how many points it has.

    ``path`` has rows (x, y, half width); a half width of 0 means that the pen is lifted up to the
    next row. Between two points runs a Catmull-Rom spline, which ends at a corner.
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
            smooth_before = p > begin and skeletons.corners[offset + p] == 0
            smooth_after = p + 2 < end and skeletons.corners[offset + p + 1] == 0
            last_piece = p == end - 2
            for step in range(_STEPS + 1 if last_piece else _STEPS):
                t = step / _STEPS
                for axis in range(2):
                    p1, p2 = points[p, axis], points[p + 1, axis]
                    p0 = points[p - 1, axis] if smooth_before else 2 * p1 - p2
                    p3 = points[p + 2, axis] if smooth_after else 2 * p2 - p1
                    through = 0.5 * (
                        2 * p1
                        + (p2 - p0) * t
                        + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t * t
                        + (3 * p1 - p0 - 3 * p2 + p3) * t * t * t
                    )
                    past = (1 / 6) * (
                        (p0 + 4 * p1 + p2)
                        + 3 * (p2 - p0) * t
                        + 3 * (p0 - 2 * p1 + p2) * t * t
                        + (3 * p1 - p0 - 3 * p2 + p3) * t * t * t
                    )
                    path[count, axis] = 0.4 * through + 0.6 * past
                along = (p - begin + t) / (end - 1 - begin)
                width = pen * (1 + swing * np.sin(phase + waves * along))
                skipped = abs(along - skip_at) < 0.06
                width *= 1 + hand.grain * _normal(state)
                path[count, 2] = 0.0 if skipped else max(width, 0.01)
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
    for k in range(4):
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
def _ink(path: Float32Array, count: int, canvas: Float32Array) -> None:  # pragma: no cover
    """Draw the path on the empty ``canvas`` (CANVAS, CANVAS) as large as fits, edges smoothed."""
    left = right = path[0, 0]
    top = bottom = path[0, 1]
    for i in range(count):
        left, right = min(left, path[i, 0]), max(right, path[i, 0])
        top, bottom = min(top, path[i, 1]), max(bottom, path[i, 1])
    scale = _INK / max(right - left, bottom - top)
    shift_x = CANVAS / 2 - scale * (left + right) / 2
    shift_y = CANVAS / 2 - scale * (top + bottom) / 2
    canvas[:] = 0
    for i in range(count - 1):
        if path[i, 2] == 0:
            continue
        x0, y0 = scale * path[i, 0] + shift_x, scale * path[i, 1] + shift_y
        x1, y1 = scale * path[i + 1, 0] + shift_x, scale * path[i + 1, 1] + shift_y
        radius = scale * path[i, 2]
        dx, dy = x1 - x0, y1 - y0
        length2 = dx * dx + dy * dy + 1e-9
        reach = radius + 1
        for row in range(max(0, int(min(y0, y1) - reach)), min(CANVAS, int(max(y0, y1) + reach) + 1)):
            for column in range(max(0, int(min(x0, x1) - reach)), min(CANVAS, int(max(x0, x1) + reach) + 1)):
                px, py = column + 0.5 - x0, row + 0.5 - y0
                t = min(1.0, max(0.0, (px * dx + py * dy) / length2))
                ex, ey = px - t * dx, py - t * dy
                covered = radius + 0.5 - np.sqrt(ex * ex + ey * ey)
                if covered > canvas[row, column]:
                    canvas[row, column] = min(1.0, covered)


@compiled
def draw_all(
    labels: Int64Array,
    first: int,
    seed: int,
    skeletons: Skeletons,
    hand: Hand,
    out: UInt8Array,
) -> None:  # pragma: no cover
    """Draw the digits ``labels`` (n,) into ``out`` (n, CANVAS, CANVAS), 255 is ink.

    Image i has the random numbers of the index ``first + i``.
    """
    state = np.empty(1, np.uint64)
    points = np.empty((64, 2), np.float32)
    path = np.empty((_MAX_POINTS, 3), np.float32)
    canvas = np.empty((CANVAS, CANVAS), np.float32)
    for n in range(len(labels)):
        state[0] = np.uint64(seed)
        state[0] = _bits(state) + np.uint64(first + n) * np.uint64(0xD1342543DE82EF95)
        skeleton = _choose_points(labels[n], skeletons, hand, state, points)
        manner = skeletons.manners[labels[n]]
        pen = manner[0] * hand.pen * np.exp(hand.pen_spread * _normal(state))
        count = _trace(pen, skeleton, skeletons, hand, state, points, path)
        _distort(manner, hand, state, path, count)
        _ink(path, count, canvas)
        for i in range(CANVAS):
            for j in range(CANVAS):
                out[n, i, j] = 255 if canvas[i, j] > 0.5 else 0
