"""Compiled functions on disk: what is loaded is, to the byte, what was written, by the same versions and for it.

Numba's own files, an index for each function and a file for each of its signatures, carry no checksum. Cut off by a
full disk they raise whatever unpickling raises, and an altered byte of machine code ends the process. Here each
signature has a file of its own, which begins with a digest of all that it depends on: there is no index that could
disagree.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import secrets
import sys
from collections.abc import Sequence
from glob import escape
from pathlib import Path
from typing import Any

import llvmlite
import numba
from numba.core.serialize import dumps

__all__ = ["CheckedFiles"]

_DIGEST_BYTES = 32


class CheckedFiles:
    """The files of one function: what Numba's caches use an `IndexDataCacheFile` for.

    They are saved to the first of `folders`, and loaded from the first that has them. `name` is what the function's
    files begin with, `stamp` all that must be as it was when they were written: of other versions of it, of Numba or of
    Python nothing is loaded, and their files are removed once one is saved. A key is Numba's: signature, processor with
    its features, and the function's bytecode.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     CheckedFiles([folder], "double", "version 1").save("int64", b"machine code")
    ...     [CheckedFiles([folder], "double", f"version {k}").load("int64") for k in (1, 2)]
    [b'machine code', None]
    """

    def __init__(self, folders: Sequence[str | os.PathLike[str]], name: str, stamp: object) -> None:
        self._folders, self._name = [Path(folder) for folder in folders], name
        self._written_by = repr((numba.__version__, llvmlite.__version__, sys.version, stamp)).encode()

    def load(self, key: object) -> Any:
        """Return what was saved under `key`; None where nothing was, or not all of it is as it was written."""
        loaded = (self._load_from(folder, key) for folder in self._folders)
        return next((data for data in loaded if data is not None), None)

    def _load_from(self, folder: Path, key: object) -> Any:
        try:
            content = (folder / self._file(key)).read_bytes()
        except OSError:
            return None
        digest, payload = content[:_DIGEST_BYTES], memoryview(content)[_DIGEST_BYTES:]
        if digest != self._digest(payload):
            return None
        its_key, data = pickle.loads(payload)
        return data if its_key == key else None

    def save(self, key: object, data: object) -> None:
        """Keep `data` under `key`. Raises OSError where that is impossible; a file appears whole or not at all."""
        payload, path = dumps((key, data)), self._folders[0] / self._file(key)
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            temporary.write_bytes(self._digest(payload) + payload)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
        self._remove(lambda name: not name.startswith(self._prefix))

    def flush(self) -> None:
        """Remove all files of the function from the folder that they are saved to."""
        self._remove(lambda _: True)

    @property
    def _prefix(self) -> str:
        return f"{self._name}.{_short(self._written_by)}."

    def _file(self, key: object) -> str:
        return f"{self._prefix}{_short(repr(key).encode())}.nbc"

    def _digest(self, payload: bytes | memoryview) -> bytes:
        digest = hashlib.blake2b(self._written_by, digest_size=_DIGEST_BYTES)
        digest.update(payload)
        return digest.digest()

    def _remove(self, which: Any) -> None:
        with contextlib.suppress(OSError):
            for path in self._folders[0].glob(f"{escape(self._name)}.*"):
                if which(path.name):
                    path.unlink()


def _short(content: bytes) -> str:
    """A name for `content` that no two of them share."""
    return hashlib.blake2b(content, digest_size=10).hexdigest()
