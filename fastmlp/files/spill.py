"""Arrays kept on disk for a while, that are too many for the memory."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Room", "Spill"]

_LINE = 64  # bytes: each array begins on a cache line, as in memory
_SHARE = 0.5  # of the free space: others want some too
_LARGE_FILES = "/var/tmp"  # where Unix keeps large temporary files; /tmp may be memory


class _Place(NamedTuple):
    """Where an array is, in bytes from the first of those that were kept with it."""

    start: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def end(self) -> int:
        return self.start + math.prod(self.shape) * self.dtype.itemsize


class Room:
    """Memory to read into again and again: new memory takes longer to get than to fill."""

    def __init__(self) -> None:
        self._raw: NDArray[np.uint8] = np.empty(0, np.uint8)

    def of(self, n_bytes: int) -> NDArray[np.uint8]:
        """Return so many bytes, from a cache line on; what was there before is lost."""
        if len(self._raw) < n_bytes:
            raw = np.empty(n_bytes + _LINE, np.uint8)
            self._raw = raw[-raw.ctypes.data % _LINE :][:n_bytes]
        return self._raw[:n_bytes]


class Spill:
    """A temporary file of arrays, without a name: it goes with the process, however that ends.

    It lies in the folder that TMPDIR names, else where the machine keeps large temporary files, and takes no more than
    half of what is free there. Threads may share it.

    >>> spill = Spill()
    >>> spill.keep("a", [np.arange(3), np.ones((2, 2))]), "a" in spill
    (True, True)
    >>> spill.read("a")[0]
    array([0, 1, 2])
    """

    def __init__(self) -> None:
        self._places: dict[Hashable, tuple[int, list[_Place]]] = {}
        self._lock, self._end, self._room = threading.Lock(), 0, 0
        with contextlib.suppress(OSError):  # no folder can be written to: nothing is kept
            folder = _folder()
            self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed below
            weakref.finalize(self, self._file.close)
            self._room = int(_SHARE * shutil.disk_usage(folder).free)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._places

    def keep(self, key: Hashable, arrays: Sequence[NDArray[Any]]) -> bool:
        """Keep these C-contiguous arrays as `key`; return whether there was room for them."""
        places: list[_Place] = []
        for array in arrays:
            start = -(-places[-1].end // _LINE) * _LINE if places else 0
            places.append(_Place(start, array.shape, array.dtype))
        with self._lock:
            start = self._end
            if start + places[-1].end > self._room:
                return False
            try:
                for array, place in zip(arrays, places, strict=True):
                    self._file.seek(start + place.start)
                    self._file.write(array.reshape(-1).view(np.uint8).data)
                self._file.flush()
            except OSError:  # the disk is full, for example
                self._room = 0
                return False
            self._end = start + -(-places[-1].end // _LINE) * _LINE
            self._places[key] = start, places
        return True

    def read(self, key: Hashable, room: Room | None = None) -> list[NDArray[Any]]:
        """Return the arrays that were kept as `key`, in that room or in new memory.

        Raises OSError where the disk fails.
        """
        start, places = self._places[key]
        raw = (room or Room()).of(places[-1].end)
        with self._lock:
            self._file.seek(start)
            if self._file.readinto(raw.data) != len(raw):
                raise OSError("a temporary file is shorter than what was written to it")
        return [raw[place.start : place.end].view(place.dtype).reshape(place.shape) for place in places]


def _folder() -> str:
    """The folder for large temporary files."""
    named = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    if not named and Path(_LARGE_FILES).is_dir() and os.access(_LARGE_FILES, os.W_OK):
        return _LARGE_FILES
    return tempfile.gettempdir()
