"""The line that says why the first training on a machine takes longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

__all__ = ["compile_notice"]

_SECONDS = {  # on two cores of 3 GHz; other kernels take less than one
    "train_epoch": 6,
    "train_epoch_of_many": 6,
    "network_forward": 2,
}


@contextmanager
def compile_notice() -> Iterator[None]:
    """Say on stderr when a kernel that takes seconds is first compiled; nothing where it is loaded from disk."""
    from numba.core import event

    left = dict(_SECONDS)  # a kernel may be compiled for several forms of input: one line is enough

    class Notice(event.Listener):  # type: ignore[misc]
        def on_start(self, event: event.Event) -> None:
            seconds = left.pop(event.data["dispatcher"].py_func.__name__, None)
            if seconds:
                click.echo(f"compiling once for this machine and hidden size, about {seconds} s", err=True)

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Notice()):
        yield
