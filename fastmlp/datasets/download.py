"""Files from whichever of several mirrors answers, trusted only where their content is right.

A machine without a network must learn that quickly, also where a connection is accepted and then
hangs, or where looking up a name hangs, which no timeout of a socket covers. So all mirrors are
asked at once for the smallest file, each on a daemon thread that may be left behind, and the
decision falls after `DECIDE_SECONDS` at the latest. Only then are the other files fetched.
"""

from __future__ import annotations

import hashlib
import io
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from fastmlp.datasets.source import decompress
from fastmlp.errors import DataError

__all__ = ["DECIDE_SECONDS", "FILE_SECONDS", "MAX_BYTES", "STALL_SECONDS", "download"]

DECIDE_SECONDS = 4.0
"""How long a mirror may take for its first file."""
STALL_SECONDS = 4.0
"""How long a mirror may then stay silent."""
FILE_SECONDS = 300.0
"""How long a mirror may take for one large file."""
MAX_BYTES = 64 * 2**20
"""A mirror that sends more than this for one file is not sending what was asked for."""


class _Sink(io.BytesIO):
    """A buffer that refuses to grow for ever, in bytes or in time."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._deadline = time.monotonic() + seconds

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        if self.tell() + len(chunk) > MAX_BYTES:
            raise OSError("it sends more than the file has")
        if time.monotonic() > self._deadline:
            raise OSError("it is too slow")
        return super().write(chunk)


def _fetch(mirror: str, name: str, sha256: str, seconds: float) -> bytes:
    """Return one compressed file from one mirror; DataError or OSError where it is not right."""
    import pooch  # here, because importing it takes longer than most commands need

    sink = _Sink(seconds)
    responses: list[Any] = []
    silence = min(seconds, STALL_SECONDS)
    downloader = pooch.HTTPDownloader(
        chunk_size=2**16,
        timeout=(silence, silence),
        hooks={"response": lambda response, **_: responses.append(response)},
    )
    try:
        downloader(url=mirror + name, output_file=sink, pooch=None)
    finally:
        for response in responses:  # pooch leaves one open that it did not read to the end
            response.close()
    content = sink.getvalue()
    if hashlib.sha256(decompress(content, name)).hexdigest() != sha256:
        raise DataError(f"its {name} is not the right file")
    return content


def _reason(error: Exception) -> str:
    """Say in a few words why a mirror failed; the chains that requests prints fill a screen."""
    if isinstance(error, DataError):
        return str(error)
    response = getattr(error, "response", None)
    if response is not None:
        return f"it answered {response.status_code}"
    return {
        "ConnectTimeout": "no answer",
        "ReadTimeout": "no answer",
        "ConnectionError": "no connection",
        "SSLError": "no trusted connection",
        "ProxyError": "no connection through the proxy",
    }.get(type(error).__name__, str(error))


def download(mirrors: Sequence[str], files: Mapping[str, str]) -> dict[str, bytes]:
    """Return the bytes of each file, still compressed, from the first mirror that has them all.

    `mirrors` are addresses that a file's name is appended to. `files` gives for each name the SHA-256 of the
    decompressed content; the first is the small one that decides which mirrors can be reached.

    Raises DataError where no mirror can be reached within `DECIDE_SECONDS` or none has the right content.
    """
    first, *others = files
    answers: queue.SimpleQueue[tuple[str, bytes | Exception]] = queue.SimpleQueue()

    def ask(mirror: str) -> None:
        try:
            answers.put((mirror, _fetch(mirror, first, files[first], DECIDE_SECONDS)))
        except Exception as error:  # noqa: BLE001 - whatever it is, this mirror is of no use
            answers.put((mirror, error))

    for mirror in mirrors:
        threading.Thread(target=ask, args=(mirror,), daemon=True).start()

    reasons = dict.fromkeys(mirrors, "no answer")
    deadline = time.monotonic() + DECIDE_SECONDS
    for _ in mirrors:
        try:
            mirror, answer = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        if isinstance(answer, Exception):
            reasons[mirror] = _reason(answer)
            continue
        contents = {first: answer}
        try:
            for name in others:
                contents[name] = _fetch(mirror, name, files[name], FILE_SECONDS)
        except Exception as error:  # noqa: BLE001 - the next mirror may do better
            reasons[mirror] = _reason(error)
            continue
        return contents
    raise DataError("; ".join(f"{mirror}: {reason}" for mirror, reason in reasons.items()))
