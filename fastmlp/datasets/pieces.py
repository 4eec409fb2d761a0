"""The pieces of what is drawn in a picture: which are the digit, and which are specks, lines or other digits."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fastmlp.arrays import BoolArray, Int64Array
from fastmlp.errors import InvalidValueError

__all__ = ["Cleaned", "digit_only", "label"]

_CELLS = 256  # along the longer side: pieces are told apart on so coarse a grid, which joins what nearly touches
_BAND = 0.08  # of a frame's size: how far from its outline its ink lies, at most
_NEAR = 0.12  # of the digit's size: pieces so near to it belong to it, unless they are specks
_SPECK = 0.1  # of the digit's size: what is smaller and lies apart is a speck, however near
_SMALL = 0.35  # of the digit's size: what is smaller and not near is dirt; what is larger is something else

_CUT_OFF = 0.6  # of the digit's size: the same for what the edge of the picture cuts off


class Cleaned(NamedTuple):
    """Where the digit is (h, w), and what was left out, in words."""

    keep: BoolArray
    left_out: list[str]


class _Piece(NamedTuple):
    """A piece of ink: its number in the labels, the borders of its box (ends not included), and its count of cells."""

    number: int
    top: int
    bottom: int
    left: int
    right: int
    area: int

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def size(self) -> int:
        return max(self.height, self.width)

    def joined(self, other: _Piece) -> _Piece:
        """Return a piece with the box around both."""
        return _Piece(
            self.number,
            min(self.top, other.top),
            max(self.bottom, other.bottom),
            min(self.left, other.left),
            max(self.right, other.right),
            self.area + other.area,
        )

    def gaps(self, other: _Piece) -> tuple[int, int]:
        """Return how far the boxes lie apart down and across; below 0 where they overlap."""
        down = max(self.top, other.top) - min(self.bottom, other.bottom)
        return down, max(self.left, other.left) - min(self.right, other.right)

    def reaches_edge(self, shape: tuple[int, ...]) -> bool:
        """Whether the box reaches the edge of a picture of this shape."""
        return min(self.top, self.left) == 0 or self.bottom == shape[0] or self.right == shape[1]

    def contains(self, other: _Piece) -> bool:
        """Whether the other's box lies within this one's."""
        return self.joined(other)[1:5] == self[1:5]


def digit_only(ink: BoolArray) -> Cleaned:
    """Return where in `ink` (h, w) the digit is, without specks, and without lines and frames around it.

    Raises InvalidValueError where several things are drawn that could be digits.

    >>> page = np.zeros((40, 40), bool)
    >>> page[10:30, 18:22] = page[35:37, 3:5] = True
    >>> keep, left_out = digit_only(page)
    >>> int(keep.sum()), left_out
    (80, ['a speck was left out'])
    """
    step = -(-max(ink.shape) // _CELLS)
    cells = _coarse(ink, step)
    labels, count = label(cells)
    if count < 2:
        return Cleaned(ink, [])
    pieces = _pieces(labels, count)
    lines = _lines(pieces, labels)
    rest = [piece for piece in pieces if piece not in lines]
    specks = _specks(rest, labels.shape)
    if not lines and not specks:
        return Cleaned(ink, [])
    kept = np.ones(count + 1, bool)
    kept[[piece.number for piece in (*lines, *specks)]] = False
    keep = np.repeat(np.repeat(kept[labels], step, axis=0), step, axis=1)[: ink.shape[0], : ink.shape[1]]
    left_out = _told(len(lines), "a line or frame", "lines") + _told(len(specks), "a speck", "specks")
    return Cleaned(ink & keep, left_out)


def label(mask: BoolArray) -> tuple[Int64Array, int]:
    """Return the number of each element's piece, from 1, or 0 where `mask` (h, w) is False; and how many there are.

    Elements that touch, also at a corner, are of one piece.

    >>> label(np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0], [1, 1, 0]], bool))
    (array([[1, 0, 1],
           [0, 1, 0],
           [0, 0, 0],
           [2, 2, 0]]), 2)
    """
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]  # of runs of True, in the same order
    runs = list(zip(rows.tolist(), starts.tolist(), ends.tolist(), strict=True))
    parent = list(range(len(runs)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    above = 0
    for run, (row, start, end) in enumerate(runs):
        while above < run and (runs[above][0] < row - 1 or (runs[above][0] == row - 1 and runs[above][2] < start)):
            above += 1
        other = above
        while other < run and runs[other][0] == row - 1 and runs[other][1] <= end:
            first, second = sorted((root(run), root(other)))
            parent[second] = first
            other += 1
    roots = np.array([root(run) for run in range(len(runs))], np.int64)
    numbers = np.unique(roots, return_inverse=True)[1] + 1
    labels = np.zeros(mask.shape, np.int64)
    labels[mask] = np.repeat(numbers, ends - starts)
    return labels, int(numbers.max(initial=0))


def _coarse(ink: BoolArray, step: int) -> BoolArray:
    """Return whether there is ink in each square of `step` x `step`."""
    if step == 1:
        return ink
    height, width = (-(-size // step) for size in ink.shape)
    padded = np.zeros((height * step, width * step), bool)
    padded[: ink.shape[0], : ink.shape[1]] = ink
    return np.asarray(padded.reshape(height, step, width, step).any(axis=(1, 3)))


def _pieces(labels: Int64Array, count: int) -> list[_Piece]:
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    low, high = np.full((2, count + 1), max(labels.shape)), np.zeros((2, count + 1), np.int64)
    for axis, at in enumerate((rows, columns)):
        np.minimum.at(low[axis], numbers, at)
        np.maximum.at(high[axis], numbers, at + 1)
    areas = np.bincount(numbers, minlength=count + 1)
    return [
        _Piece(k, int(low[0, k]), int(high[0, k]), int(low[1, k]), int(high[1, k]), int(areas[k]))
        for k in range(1, count + 1)
    ]


def _lines(pieces: list[_Piece], labels: Int64Array) -> list[_Piece]:
    """Return the pieces that are a frame around another, or a line from side to side of the picture near its edge."""
    height, width = labels.shape
    large = [piece for piece in pieces if 8 * piece.size > min(height, width)]

    def is_frame(piece: _Piece) -> bool:
        if not any(piece.contains(other) and 4 * other.size > piece.size for other in large if other is not piece):
            return False
        band = math.ceil(_BAND * piece.size)
        inner = labels[piece.top + band : piece.bottom - band, piece.left + band : piece.right - band]
        return int((inner == piece.number).sum()) < 0.1 * piece.area

    def is_line(piece: _Piece) -> bool:
        if not any(3 * other.size > min(height, width) for other in large if other is not piece):
            return False
        aside = abs((piece.left + piece.right) / width - 1) > 0.5
        above_or_below = abs((piece.top + piece.bottom) / height - 1) > 0.5
        lying = piece.width > 0.85 * width and piece.height < 0.12 * piece.width and above_or_below
        standing = piece.height > 0.85 * height and piece.width < 0.12 * piece.height and aside
        return lying or standing

    found = [piece for piece in large if is_frame(piece) or is_line(piece)]
    return found if len(found) < len(pieces) else []


def _specks(pieces: list[_Piece], shape: tuple[int, ...]) -> list[_Piece]:
    """Return the pieces that are dirt; raises InvalidValueError where one is too large for dirt and lies apart."""
    ordered = sorted(pieces, key=lambda piece: -piece.area)
    digit, specks, others = ordered[0], [], 1
    for piece in ordered[1:]:
        down, across = digit.gaps(piece)
        gap, size = max(down, across), digit.size
        if gap <= 0 or (
            gap <= _NEAR * digit.joined(piece).size and piece.size >= _SPECK * size and not _beside(digit, piece)
        ):
            digit = digit.joined(piece)
        elif piece.size < (_CUT_OFF if piece.reaches_edge(shape) and not digit.reaches_edge(shape) else _SMALL) * size:
            specks.append(piece)
        else:
            others += 1
    if others > 1:
        raise InvalidValueError(f"there are {others} things in the picture that could be a digit; leave only one")
    return specks


def _beside(digit: _Piece, piece: _Piece) -> bool:
    """Whether a piece stands beside the digit as the next digit of a number does."""
    _, across = digit.gaps(piece)
    both = digit.joined(piece)
    return across > 0 and 2 * piece.height > digit.height and both.width > both.height


def _told(count: int, one: str, several: str) -> list[str]:
    if count == 0:
        return []
    return [f"{one} was left out" if count == 1 else f"{count:,} {several} were left out"]
