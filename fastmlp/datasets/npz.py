"""Arrays from an .npz that somebody else wrote: nothing in it is ever run, and any damage is told in a sentence."""

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from fastmlp.errors import DataError

_DAMAGE = (OSError, EOFError, RuntimeError, SyntaxError, tokenize.TokenError, zipfile.BadZipFile, zlib.error)
"""What zipfile and NumPy raise where bytes are not as they were written; RuntimeError for a flag that says encrypted
or compressed in an unknown way."""


def read_npz(
    file: BinaryIO, source: str, choose: Callable[[Sequence[str]], Iterable[str]]
) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays that ``choose`` picks from the names of those that are there.

    ``source`` names the file in the DataError that anything wrong with it raises. An OSError of opening the file is
    the caller's.

    >>> import io
    >>> file = io.BytesIO()
    >>> np.savez(file, X=np.eye(2), y=[0, 1])
    >>> read_npz(file, "own.npz", lambda names: names)["y"]
    array([0, 1])
    """
    if not zipfile.is_zipfile(file):
        raise DataError(f"{source} is no .npz file, or is cut off; save it again with numpy.savez")
    file.seek(0)
    place = source
    try:
        with np.load(file, allow_pickle=False) as stored:
            arrays = {}
            for name in choose(stored.files):
                place = f"{source}: the array {name}"
                arrays[name] = stored[name]
                if not isinstance(arrays[name], np.ndarray):
                    raise DataError(f"{source}: {name} is not an array; save it with numpy.savez")
            return arrays
    except DataError:
        raise
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise DataError(f"{place} is damaged ({error}); save it again") from None
        raise DataError(
            f"{place} holds Python objects, and reading those could run code; save it as plain numbers or text"
        ) from None
    except MemoryError as error:
        raise DataError(f"{place} is larger than the memory, or damaged ({error})") from None
    except _DAMAGE as error:
        raise DataError(f"{place} is damaged ({error}); save it again") from None
