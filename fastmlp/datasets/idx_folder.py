"""Which IDX files in a folder belong together, by the names under which MNIST and its relatives are published.

    train-images-idx3-ubyte, t10k-labels-idx1-ubyte                        MNIST, Fashion-MNIST, KMNIST
    emnist-letters-train-images-idx3-ubyte, emnist-letters-test-...        EMNIST: a set for each choice of classes
    qmnist-train-images-idx3-ubyte, qmnist-train-labels-idx2-int           QMNIST

Each plain or with `.gz`, and also with a dot before `idx`, as some copies have it. EMNIST stores its images transposed,
and numbers the characters in a mapping file; QMNIST's labels are rows of which the class is the first number.

Sources: G. Cohen, S. Afshar, J. Tapson and A. van Schaik, "EMNIST: an extension of MNIST to handwritten letters",
arXiv 1702.05373 (2017); C. Yadav and L. Bottou, "Cold case: the lost MNIST digits", NeurIPS 2019.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.caller import warn_caller
from fastmlp.datasets.idx import read_idx
from fastmlp.errors import DataError

__all__ = ["IdxPart", "is_set", "read_idx_folder"]

_NAME = re.compile(
    r"((?P<set>.+)-)?(?P<part>train|t10k|test)-(?P<kind>images|labels)[-.]idx\d-(ubyte|int)(?P<gz>\.gz)?", re.IGNORECASE
)


class IdxPart(NamedTuple):
    """Images (n, h, w) and labels of a training or test set, and the names of their files."""

    x: NDArray[Any]
    y: NDArray[Any]
    x_name: str
    y_name: str


def is_set(path: Path) -> bool:
    """Return whether `path`, where there is no file, means one of the sets of its folder, as emnist/emnist-letters."""
    try:
        return path.name in _sets(path.parent)
    except OSError:
        return False


def read_idx_folder(folder: Path, wanted: str | None = None) -> list[IdxPart]:
    """Return the training set and, where there is one, the test set of the set called `wanted`, or of the only one.

    Raises DataError where files are missing or damaged, or where the folder holds several sets and none is named.
    """
    try:
        sets = _sets(folder)
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}") from None
    if wanted is None and len(sets) > 1:
        names = sorted(sets)
        shown = ", ".join(name or "one without a name" for name in names)
        raise DataError(f"{folder} holds several sets ({shown}); name one of them, as in {folder / names[-1]}")
    files = sets[wanted] if wanted is not None else next(iter(sets.values()), {})
    train, test = _part(folder, files, "train"), _part(folder, files, "t10k")
    if train is None:
        raise DataError(
            f"{folder} lacks train-images-idx3-ubyte and train-labels-idx1-ubyte, plain or .gz; "
            "a folder must hold IDX files with the names of MNIST, EMNIST or QMNIST"
        )
    parts = [train] if test is None else [train, test]
    name = wanted if wanted is not None else next(iter(sets))
    return _upright(folder, name, parts) if name.lower().startswith("emnist") else parts


def _sets(folder: Path) -> dict[str, dict[tuple[str, str], Path]]:
    """Return the IDX files of each set, by part ("train" or "t10k") and kind ("images" or "labels")."""
    sets: dict[str, dict[tuple[str, str], Path]] = {}
    for path in sorted(folder.iterdir()):  # a plain file comes before its .gz, and is taken
        match = _NAME.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        part, kind = match["part"].lower().replace("test", "t10k"), match["kind"].lower()
        sets.setdefault(match["set"] or "", {}).setdefault((part, kind), path)
    return sets


def _part(folder: Path, files: dict[tuple[str, str], Path], part: str) -> IdxPart | None:
    images, labels = files.get((part, "images")), files.get((part, "labels"))
    if images is None and labels is None:
        return None
    if images is None or labels is None:
        found = images or labels
        raise DataError(f"{folder} has {found and found.name} but lacks its {'images' if labels else 'labels'}")
    x, y = (read_idx(path) for path in (images, labels))
    if y.ndim == 2 and y.shape[1] == 8:  # QMNIST's: class, series, writer, ...
        y = y[:, 0]
    return IdxPart(x, y, images.name, labels.name)


def _upright(folder: Path, name: str, parts: list[IdxPart]) -> list[IdxPart]:
    """Turn EMNIST's images upright, and name its classes by the characters of its mapping file where there is one."""
    warn_caller(f"{name}: the images were turned upright, since EMNIST stores them transposed")
    characters = _characters(folder / f"{name}-mapping.txt")
    turned = [part._replace(x=part.x.swapaxes(1, 2)) if part.x.ndim == 3 else part for part in parts]
    if characters is None or not all(set(np.unique(part.y).tolist()) <= characters.keys() for part in parts):
        return turned
    return [part._replace(y=np.array([characters[label] for label in part.y.tolist()])) for part in turned]


def _characters(path: Path) -> dict[int, str] | None:
    """Return the character of each label; None without a mapping file: lines of a label and its character's number."""
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines() if line.strip()]
        return {int(numbers[0]): chr(int(numbers[1])) for numbers in lines}
    except (OSError, ValueError, IndexError, OverflowError):
        return None
