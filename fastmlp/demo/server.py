"""The server of the page: where it listens, and how it ends."""

from __future__ import annotations

import errno
import os
import socket
from typing import TYPE_CHECKING

import uvicorn

from fastmlp.demo.app import make_app
from fastmlp.demo.workbench import Workbench
from fastmlp.errors import InvalidValueError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

__all__ = ["configured", "listen", "serve", "url_of"]

_BACKLOG = 1024  # connections that wait to be taken
_GRACE = 2  # seconds for what is being answered at the end


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to `host` and `port`, 0 for any free one. Raises InvalidValueError if it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError):
        raise InvalidValueError(f"there is no host {host!r}; 127.0.0.1 is this machine") from None
    listener = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # elsewhere two programs could then listen on one port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} is in use; name another one with --port, or --port 0 for any that is free"
        elif error.errno == errno.EADDRNOTAVAIL:
            why = f"this machine has no address {host}; --host 0.0.0.0 stands for all that it has"
        elif error.errno == errno.EACCES:
            why = f"port {port} needs more rights than you have; name one from 1024 on with --port"
        else:
            why = f"cannot listen on {host}, port {port}: {error.strerror}"
        raise InvalidValueError(why) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Return where a browser on this machine finds what listens."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def configured(app: ASGIApp) -> uvicorn.Config:
    """Return how uvicorn serves the demo: the same wherever it runs, whatever else is installed."""
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_GRACE,
    )


def serve(listener: socket.socket, host: str, bench: Workbench) -> None:
    """Serve the page of `bench` until Ctrl-C or a request to end; without a net, train one.

    `host` is a name by which the page may be reached. Whatever the page has started ends with it. Raises
    KeyboardInterrupt after Ctrl-C, and what a training raises, as there is nothing to show without it.
    """
    server = uvicorn.Server(configured(make_app(bench, [host])))

    def give_up() -> None:
        server.should_exit = True

    bench.on_failure = give_up
    with listener, bench:
        if bench.can_train:
            bench.start_training()
        server.run([listener])
        if bench.failure is not None:
            raise bench.failure
