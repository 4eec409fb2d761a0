"""Arrays from an .npz that somebody else wrote: nothing in it is ever run, and any damage becomes one sentence."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
from numpy.lib.format import MAGIC_PREFIX
from numpy.typing import NDArray

from fastmlp.datasets.limits import check_size
from fastmlp.errors import DataError

__all__ = ["read_npy", "read_npz"]


def read_npz(file: BinaryIO, name: str, choose: Callable[[Sequence[str]], Iterable[str]]) -> dict[str, NDArray[Any]]:
    """Return the arrays that `choose` picks from the names of those in the open `file`.

    Raises DataError for anything that is wrong with the content; `name` is what the message calls the file.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, X=np.eye(2), y=[0, 1])
    >>> read_npz(file, "own.npz", lambda names: names)["y"]
    array([0, 1])
    """
    with _damage_as_data_error(name):
        whole = zipfile.is_zipfile(file)
        file.seek(0)
        stored = np.load(file, allow_pickle=False) if whole else None
    if not isinstance(stored, np.lib.npyio.NpzFile):
        raise DataError(f"{name} is not an .npz file, or is cut off; save it again with numpy.savez")
    arrays = {}
    with stored:
        chosen = list(choose(stored.files))
        members = stored.zip.infolist() if stored.zip else []
        packed = [info for info in members if info.compress_type != zipfile.ZIP_STORED]
        check_size(name, sum(info.file_size for info in packed if info.filename.removesuffix(".npy") in chosen))
        for key in chosen:
            with _damage_as_data_error(f"{name}: the array {key}"):
                arrays[key] = stored[key]
            if not isinstance(arrays[key], np.ndarray):
                raise DataError(f"{name}: {key} is not an array; save it with numpy.savez")
    return arrays


def read_npy(file: BinaryIO, name: str) -> NDArray[Any]:
    """Return the array in an open .npy file. Raises DataError as `read_npz` does."""
    if file.read(len(MAGIC_PREFIX)) != MAGIC_PREFIX:
        raise DataError(f"{name} is not an .npy file; save it again with numpy.save")
    file.seek(0)
    with _damage_as_data_error(name):
        array: NDArray[Any] = np.load(file, allow_pickle=False)
    return array


@contextmanager
def _damage_as_data_error(place: str) -> Iterator[None]:
    """Turn whatever zipfile and NumPy raise over bytes that they cannot read into a DataError about `place`."""
    try:
        yield
    except MemoryError as error:
        raise DataError(f"{place} is larger than the memory, or damaged ({error})") from None
    except Exception as error:  # noqa: BLE001 - a dozen types, from LZMAError to TokenError: all are the bytes' fault
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise DataError(
                f"{place} holds Python objects, and reading those could run code; save it as plain numbers or text"
            ) from None
        raise DataError(f"{place} is damaged ({error}); save it again") from None
