"""What the browser is answered: the page, and below /api what it asks of the workbench, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fastmlp.demo.guard import Guard
from fastmlp.demo.workbench import BusyError, Workbench
from fastmlp.errors import InvalidValueError
from fastmlp.palette import css_variables

__all__ = ["MOST_BYTES", "make_app"]

MOST_BYTES = 65_536
"""Of what a request may send: a drawing of 256 x 256 pixels."""

_PAGES = Path(__file__).parent / "pages"
_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def make_app(bench: Workbench, names: Iterable[str] = ()) -> Starlette:
    """Return the application that serves the page; `names` are those by which it may be reached, beside addresses."""
    routes = _pages()

    async def state(_request: Request) -> Response:
        return JSONResponse(bench.state())

    async def look(request: Request) -> Response:
        return JSONResponse(bench.look(await _body(request, "application/octet-stream")))

    async def train(request: Request) -> Response:
        bench.start_training(_integer(await _json(request), "hidden_size"))
        return JSONResponse(bench.state(), 202)

    async def race(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(bench.race_state())
        asked = await _json(request)
        nets = asked.get("nets")
        if not isinstance(nets, list) or not all(isinstance(net, str) for net in nets):
            raise InvalidValueError("nets must be a list of names")
        bench.start_race(nets, _integer(asked, "hidden_size"))
        return JSONResponse(bench.race_state(), 202)

    async def stop_race(request: Request) -> Response:
        await _json(request)
        bench.stop_race()
        return JSONResponse(bench.race_state(), 202)

    routes += [
        Route("/api/state", state),
        Route("/api/look", look, methods=["POST"]),
        Route("/api/train", train, methods=["POST"]),
        Route("/api/race", race, methods=["GET", "POST"]),
        Route("/api/race/stop", stop_race, methods=["POST"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refused, InvalidValueError: _invalid, BusyError: _busy}
    return Starlette(routes=routes, middleware=[Middleware(Guard, names=names)], exception_handlers=handlers)


def _pages() -> list[Route]:
    """Return a route for each file of the page, and for the colours, as a style sheet."""
    files = {path.name: (path.read_bytes(), _KINDS[path.suffix]) for path in _PAGES.iterdir() if path.suffix in _KINDS}
    files[""] = files.pop("index.html")
    files["palette.css"] = css_variables().encode(), "text/css"
    return [Route(f"/{name}", _page(*file)) for name, file in files.items()]


def _page(content: bytes, kind: str) -> Any:
    async def page(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return page


async def _body(request: Request, kind: str) -> bytes:
    """Return what a request sends; refused is what is not of this kind, which a foreign page cannot send unasked."""
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != kind:
        raise HTTPException(415, f"send this as {kind}")
    body = b""
    if int(request.headers.get("content-length", "0")) <= MOST_BYTES:
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                break
        else:
            return body
    raise HTTPException(413, f"this is larger than the {MOST_BYTES:,} bytes that a request may have")


async def _json(request: Request) -> dict[str, Any]:
    try:
        asked = json.loads(await _body(request, "application/json"))
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise InvalidValueError("send one object of JSON")
    return asked


def _integer(asked: dict[str, Any], name: str) -> int:
    value = asked.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidValueError(f"{name} must be a whole number")
    return value


async def _refused(_request: Request, error: HTTPException) -> Response:
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _invalid(_request: Request, error: InvalidValueError) -> Response:
    return JSONResponse({"error": str(error)}, 400)


async def _busy(_request: Request, error: BusyError) -> Response:
    return JSONResponse({"error": str(error)}, 409)
