"""What is asked of a Dask cluster, and what can go wrong with it, in sentences."""

from __future__ import annotations

import pydoc
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from fastmlp import __version__
from fastmlp.engine.part_reader import Reading
from fastmlp.errors import FastmlpError, InvalidTypeError, MissingLibraryError

__all__ = ["Cluster"]

T = TypeVar("T")

_PATIENCE = 60.0  # seconds without any worker until that is an error: a nanny starts another one within a few
_LOOK = 5.0  # seconds between two looks at whether there is one
_WAIT = 0.1  # seconds to wait for a result until something else is looked at


def _check_versions(client: Any) -> None:
    """Raise FastmlpError where Dask has no worker, or one, or a scheduler, without this version of fastmlp."""
    asked = pydoc.locate, "fastmlp.__version__"  # None where there is no such thing
    answers = client.run(*asked, on_error="return")
    versions = {f"worker {each}": found for each, found in answers.items() if not isinstance(found, OSError)}  # it died
    if not versions:
        raise FastmlpError("the Dask scheduler has no worker: start some with `dask worker`")
    versions["scheduler"] = client.run_on_scheduler(*asked)  # which reads the tasks, too
    for who, found in versions.items():
        if found != __version__:
            has = f"has fastmlp {found}" if isinstance(found, str) else "lacks fastmlp"
            raise FastmlpError(f"the Dask {who} {has}: install fastmlp {__version__} there")


class Cluster:
    """The cluster behind a client of Dask.

    Raises MissingLibraryError where `distributed` is missing, InvalidTypeError for what is no client, FastmlpError for
    a cluster that cannot train.
    """

    def __init__(self, client: Any) -> None:
        try:
            import distributed
        except ImportError:
            raise MissingLibraryError("fastmlp.dask needs distributed: pip install 'fastmlp[dask]'") from None
        if not isinstance(client, distributed.Client) or client.asynchronous:
            raise InvalidTypeError(f"client is {client!r}; it must be a distributed.Client that is not asynchronous")
        self._client, self._distributed = client, distributed
        self._ask(lambda: _check_versions(client))

    def workers(self) -> dict[str, int]:
        """Return the threads of each worker by its address."""
        return self._ask(self._client.nthreads)

    def homes(self, before: Sequence[str | None]) -> list[str | None]:
        """Return a worker for each shard: the one it had before, where that is still there, or one that has the fewest.

        It is where the shard had best be trained; if that worker dies, another does it. None where there is no worker.
        """
        alive = sorted(self.workers())
        homes = [home if home in alive else None for home in before]
        for s, home in enumerate(homes):
            if home is None and alive:
                homes[s] = min(alive, key=homes.count)
        return homes

    def is_future(self, value: object) -> bool:
        """Whether this is a future of Dask."""
        return isinstance(value, self._distributed.Future)

    def submit(self, task: Callable[..., Any], *args: object, home: str | None = None) -> Any:
        """Have a task run, at `home` as long as that worker is there; return its future."""
        where = {} if home is None else {"workers": [home], "allow_other_workers": True}
        with self._told(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")
            return self._client.submit(task, *args, pure=False, **where)

    def results(self, futures: Sequence[Any], interrupted: Callable[[], bool] = lambda: False) -> Iterator[Any]:
        """Yield the results of futures in their order, each released then; as soon as one fails, raise why.

        Raises KeyboardInterrupt where Ctrl-C is pressed or `interrupted` says so. Who stops before the end stops the
        tasks that have not begun.
        """
        left = list(futures)
        look = self._looking_at(left, interrupted)
        try:
            while left:
                with self._told():
                    result = Reading(left[0].result).take(look)
                left.pop(0).release()
                yield result
        finally:
            self._stop(left)

    def as_they_come(self, futures: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Yield the number of each future, from 0, with its result, in the order in which they are done.

        In place of a result there may be the FastmlpError that says why there is none. Raises that of a lost scheduler,
        and what a task raises that is no FastmlpError. Who stops before the end stops the tasks that have not begun.
        """
        arrived, left = SimpleQueue[int](), dict(enumerate(futures))
        look = self._looking_at([], lambda: False)
        for k, future in left.items():
            future.add_done_callback(lambda _, k=k: arrived.put(k))
        try:
            while left:
                try:
                    k = arrived.get(timeout=_WAIT)
                except Empty:
                    look()
                    continue
                result: Any
                try:
                    with self._told():
                        result = left[k].result()
                except _LostError:
                    raise
                except FastmlpError as error:
                    result = error
                left.pop(k).release()
                yield k, result
        finally:
            self._stop(list(left.values()))

    def _looking_at(self, futures: Sequence[Any], interrupted: Callable[[], bool]) -> Callable[[], bool]:
        """What looks whether any of the futures has failed or all workers are gone, and passes `interrupted` on."""
        since = looked = time.monotonic()

        def look() -> bool:
            nonlocal since, looked
            for future in futures:  # which are fewer from look to look
                if future.status in ("error", "cancelled"):
                    future.result()
            if time.monotonic() - looked > _LOOK:
                looked = time.monotonic()
                if self.workers():
                    since = looked
                elif looked - since > _PATIENCE:
                    raise FastmlpError(f"the Dask cluster has had no worker for {_PATIENCE:.0f} seconds: start some")
            return interrupted()

        return look

    def _stop(self, futures: list[Any]) -> None:
        if futures and self._client.status == "running":
            with suppress(FastmlpError):
                self._ask(lambda: self._client.cancel(futures))

    def _ask(self, question: Callable[[], T]) -> T:
        """What the scheduler answers. One that does not is lost, which the client knows before it has waited for it."""

        def look() -> bool:
            if self._client.status != "running":
                raise self._lost()
            return False

        try:
            with self._told():
                (answer,) = Reading(lambda: (question(),)).take(look)
        except OSError:
            raise self._lost() from None
        return answer

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say in a sentence what the cluster does in the block."""
        if self._client.status != "running":
            raise self._lost()
        try:
            yield
        except FastmlpError:
            raise
        except self._distributed.KilledWorker as error:
            raise FastmlpError(
                f"{error.allowed_failures + 1} Dask workers died one after the other at the same task, as they do "
                "where memory runs out: give it less data, or the workers more memory"
            ) from None
        except CancelledError as error:
            if self._client.status != "running" or getattr(error, "reason", "") == "scheduler-connection-lost":
                raise self._lost() from None
            raise FastmlpError(
                f"data in the memory of a Dask worker is lost ({error}): give Parts, or futures of tasks that Dask can "
                "do again, not of scattered data"
            ) from None
        except ImportError as error:
            raise FastmlpError(
                f"a Dask worker lacks what it needs ({error}): install fastmlp {__version__} there"
            ) from None
        except MemoryError:
            raise FastmlpError("a Dask worker ran out of memory: give it more, or less data") from None

    def _lost(self) -> FastmlpError:
        return _LostError("the connection to the Dask scheduler is lost: what was finished before that is kept")


class _LostError(FastmlpError):
    """There is no scheduler any more."""
