"""A net to a file and back: arrays and JSON metadata in an .npz, read without ever running code.

The file is an uncompressed .npz of W1 (D, H), b1 (H,), W2 (H, C), b2 (C,), float32; `metadata`, JSON as bytes; and
`digest`, the SHA-256 of all of them, so that an altered file is noticed. In format 2 there are also the moments that an
optimiser remembers, such as velocity_W1, each of the shape of its array; and of a training with early stopping all of
these once more: best_W1, or last_W1 where the net is the best. In format 3 also input_centre and input_spread (D,),
by which the net scales its inputs, and table_columns in the metadata, of which inputs are made.
"""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastmlp.arrays import all_finite
from fastmlp.errors import ModelFileError
from fastmlp.files.atomic import remove_leftovers, write_whole
from fastmlp.files.json_safe import json_safe

__all__ = ["FORMAT", "ModelFile", "read_model", "write_model"]

FORMAT = 3
"""The version of the format; a file with a higher one is refused. Where 1 or 2 is enough, a file says so."""

_DIMENSIONS = {"W1": 2, "b1": 1, "W2": 2, "b2": 1}
_SCALING = ("input_centre", "input_spread")
_MOMENTS = ("velocity", "mean", "square")
_SPARE = ("best", "last")


class ModelFile(NamedTuple):
    """What a model file holds: arrays by name, and metadata."""

    arrays: dict[str, NDArray[np.float32]]
    metadata: dict[str, Any]


def write_model(
    path: str | os.PathLike[str], arrays: Mapping[str, NDArray[np.float32]], metadata: Mapping[str, Any]
) -> None:
    """Write arrays W1, b1, W2, b2, others if any, and metadata (what JSON can hold) to `path`.

    The file is written whole or not at all. NaN and infinity in the metadata become null: a loss that is beyond float32
    must not cost the net. An existing file is replaced; temporary files that killed processes left beside it are
    removed. Raises OSError where the file cannot be written: an older one is as it was then.
    """
    path = Path(path)
    stored: dict[str, Any] = {name: np.ascontiguousarray(array, np.float32) for name, array in arrays.items()}
    newest = arrays.keys() & set(_SCALING) or metadata.get("table_columns")
    version = FORMAT if newest else 2 if len(arrays) > len(_DIMENSIONS) else 1
    text = json.dumps(json_safe({"format": version, **metadata}), ensure_ascii=False, allow_nan=False).encode(
        errors="surrogatepass"
    )
    stored["metadata"] = np.frombuffer(text, np.uint8)
    stored["digest"] = np.frombuffer(_digest(stored), np.uint8)
    remove_leftovers(path)
    write_whole(path, lambda file: np.savez(file, **stored))


def read_model(path: str | os.PathLike[str]) -> ModelFile:
    """Read what `write_model` wrote.

    Raises ModelFileError for a file that is not a model, is cut off, altered, of a newer format or inconsistent;
    OSError where it cannot be opened.

    >>> import tempfile
    >>> arrays = {"W1": np.ones((2, 3)), "b1": np.ones(3), "W2": np.ones((3, 1)), "b2": np.ones(1)}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_model(Path(folder, "net.npz"), arrays, {"note": "all ones"})
    ...     read_model(Path(folder, "net.npz")).metadata
    {'format': 1, 'note': 'all ones'}
    """
    path = Path(path)
    stored = _read_arrays(path)
    try:
        metadata = json.loads(stored["metadata"].tobytes())
        version = metadata["format"]
        newer = version > FORMAT
    except (ValueError, KeyError, TypeError, RecursionError):
        raise ModelFileError(f"{path} is not a model of fastmlp: its metadata cannot be read") from None
    if newer:
        raise ModelFileError(
            f"{path} was written by a newer fastmlp (format {version}; this one reads up to {FORMAT}): "
            "update with pip install --upgrade fastmlp"
        )
    digest = stored.pop("digest")
    if digest.tobytes() != _digest(stored):
        raise ModelFileError(f"{path} was altered or damaged after it was saved: its digest does not match")
    del stored["metadata"]
    _check_shapes(path, stored)
    _check_sizes(path, stored, metadata)
    return ModelFile(stored, metadata)


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    expected = {*_DIMENSIONS, "metadata", "digest"}
    moments = {f"{moment}_{name}" for moment in _MOMENTS for name in _DIMENSIONS}
    spare = {f"{which}_{name}" for which in _SPARE for name in {*_DIMENSIONS, *moments}}
    if path.is_dir():
        raise ModelFileError(f"{path} is a folder; name a model file")
    with path.open("rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                entries = archive.infolist()
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
                raise ModelFileError(f"{path} is not a model of fastmlp: its arrays are compressed")
            names = {entry.filename.removesuffix(".npy") for entry in entries}
            if not expected <= names <= expected | moments | spare | set(_SCALING) or len(names & set(_SCALING)) == 1:
                raise ModelFileError(f"{path} is not a model of fastmlp: it holds arrays other than a model's")
            file.seek(0)
            with np.load(file, allow_pickle=False) as stored:
                arrays = {name: stored[name] for name in names}
        except ModelFileError:
            raise
        except Exception as error:  # noqa: BLE001  (a dozen types, from BadZipFile to TokenError)
            if "allow_pickle" in str(error):
                raise ModelFileError(
                    f"{path} holds Python objects, and reading those could run code: it is refused"
                ) from None
            raise ModelFileError(f"{path} is not a model of fastmlp, or is cut off or damaged ({error})") from None
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):  # bytes, without an array's header
        raise ModelFileError(f"{path} is damaged: not all that it holds are arrays")
    return arrays


def _check_shapes(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    for name, array in arrays.items():
        dimensions = 1 if name in _SCALING else _DIMENSIONS[name.split("_")[-1]]
        if array.dtype != np.float32 or array.ndim != dimensions or array.size == 0:
            raise ModelFileError(f"{path}: {name} is {array.dtype} of shape {array.shape}, not a net's")
        if not all_finite(array):
            raise ModelFileError(f"{path}: {name} holds NaN or infinity")
    W1, b1, W2, b2 = (arrays[name].shape for name in _DIMENSIONS)
    if not (W1[1:] == b1 == W2[:1] and W2[1:] == b2):
        raise ModelFileError(f"{path}: the shapes of W1 {W1}, b1 {b1}, W2 {W2} and b2 {b2} do not fit together")
    for name, array in arrays.items():
        if array.shape != (W1[:1] if name in _SCALING else arrays[name.split("_")[-1]].shape):
            raise ModelFileError(f"{path}: {name} has the shape {array.shape}, which is not that of its weights")


def _check_sizes(path: Path, arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> None:
    """Refuse metadata that speaks of another net than the arrays: to make that one might take all memory."""
    (input_size, hidden_size), (output_size,) = arrays["W1"].shape, arrays["b2"].shape
    for name, size in (("input_size", input_size), ("hidden_size", hidden_size), ("output_size", output_size)):
        if metadata.get(name, size) != size:
            raise ModelFileError(f"{path}: its {name} is {metadata[name]!r}, but its arrays are those of {size}")


def _digest(stored: Mapping[str, NDArray[Any]]) -> bytes:
    """SHA-256 over each array's name, type, shape and bytes."""
    digest = hashlib.sha256()
    others = sorted(stored.keys() - {*_DIMENSIONS, "metadata"})
    for name in (*_DIMENSIONS, "metadata", *others):
        array = np.ascontiguousarray(stored[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        if array.nbytes:
            digest.update(array.reshape(-1).view(np.uint8).data)  # not tobytes, which would copy it
    return digest.digest()
