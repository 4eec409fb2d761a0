"""Any picture of a digit into MNIST's form.

MNIST's own recipe: the ink's bounding box is fitted into 20 x 20 pixels without changing its
proportions, which leaves grey edges, and is placed in 28 x 28 so that its centre of mass comes to
the middle. Source: http://yann.lecun.com/exdb/mnist/.
"""

import numpy as np

from fastmlp.datasets.dataset import Float32Array, UInt8Array
from fastmlp.datasets.jit import compiled

SIZE = 28
BOX = 20
_FAINT = 0.1
"""Ink below this share of the darkest does not count for the bounding box."""


@compiled
def _fit_and_centre(ink: Float32Array, out: Float32Array) -> None:  # pragma: no cover
    """Write ``ink`` (h, w), between 0 and 1, into ``out`` (28, 28) in MNIST's form.

    Each pixel of the box is the mean of the ink that it covers. Without ink ``out`` is zero.
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
    out[down : down + rows, across : across + columns] = box


@compiled
def form_all(ink: UInt8Array, out: UInt8Array) -> None:  # pragma: no cover
    """Write each of ``ink`` (n, h, w) into ``out`` (n, 784) in MNIST's form; uint8, 255 is ink."""
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
