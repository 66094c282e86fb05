"""The edge as a Starlette application: the reference for what the front answers too."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tracker.edge import pages
from tracker.edge.answer import (
    HOME,
    NOT_FOUND,
    RESUBSCRIBE,
    ROBOTS_TXT,
    Answer,
    Asked,
    Edge,
    unfinished,
)
from tracker.edge.wellknown import TOKEN, WellKnown

FORM_WITHIN: Final = 10.0  # seconds for a body to arrive; nobody's form takes one
MAX_BODY: Final = 16 * 1024  # bytes of an unsubscription's form; RFC 8058 sends 26
# Seconds in which a new domain is known to every worker: one until the office publishes it, one
# until a worker looks, and some time for a slow disk.
TOLD_WITHIN: Final = 2.5
ONE_CLICK: Final = b"One-Click"

Lifespan = Callable[[Any], AbstractAsyncContextManager[dict[str, Any]]]


def application(lifespan: Lifespan) -> Starlette:
    """Return the application; the lifespan's state holds the `edge`."""
    return Starlette(
        routes=[
            Route("/o/{token:path}", open_pixel, methods=["GET"]),
            Route("/c/{token:path}", click, methods=["GET"]),
            # Where apps are meant to open a link, its path says so: Apple's and Android's rules
            # match paths. It is a click, by its token and in every other way.
            Route("/a/{token:path}", click, methods=["GET"]),
            Route("/u/{token:path}", unsubscribe, methods=["GET", "POST"]),
            Route("/.well-known/acme-challenge/{token:path}", challenge, methods=["GET"]),
            Route("/.well-known/apple-app-site-association", app_site_association),
            Route("/.well-known/assetlinks.json", asset_links),
            Route("/robots.txt", constant(ROBOTS_TXT), methods=["GET"]),
            Route("/", constant(HOME), methods=["GET"]),
        ],
        exception_handlers={404: not_found, 405: not_allowed},
        lifespan=lifespan,
    )


async def open_pixel(request: Request) -> Response:
    """Serve the pixel, with the hit on disk first; without it where the spool is down."""
    edge: Edge = request.state.edge
    answer, record = edge.open(asked(request))
    if record is not None:
        await edge.recorded(record)
    return response(answer)


async def click(request: Request) -> Response:
    """Redirect, with the hit on disk first; a bad token leads to a page and never anywhere else."""
    edge: Edge = request.state.edge
    answer, record = edge.click(asked(request))
    if record is not None:
        await edge.recorded(record)
    return response(answer)


async def unsubscribe(request: Request) -> Response:
    """Ask on GET; on POST answer 200 once it is on disk, or 503 so that the client tries again."""
    edge: Edge = request.state.edge
    if request.method != "POST":
        return response(edge.ask(asked(request)))
    try:
        async with asyncio.timeout(FORM_WITHIN):
            form = await _form(request)
    except (TimeoutError, ClientDisconnect):
        return response(unfinished(asked(request).language.code))
    return response(await edge.unsubscribe(asked(request, via(form))))


def via(form: bytes) -> str:
    """Tell how an unsubscription was posted, or that it is taken back."""
    if ONE_CLICK in form:
        return "one-click"
    return RESUBSCRIBE if form == pages.RESUBSCRIBE else "page"


async def challenge(request: Request) -> Response:
    """Prove to a CA that the name leads here; the disk, the spool and the keys aren't asked.

    Who asks about a name that was registered just now is answered once it is known here, too.
    """
    well_known: WellKnown = request.state.well_known
    name, token = host(request), request.path_params["token"]
    answer = well_known.challenge(name, token)
    if answer is NOT_FOUND and TOKEN.fullmatch(token):
        await asyncio.sleep(TOLD_WITHIN)
        answer = well_known.challenge(name, token)
    return response(answer)


async def app_site_association(request: Request) -> Response:
    """Tell Apple's systems which app opens which links; 404 where the domain has no app."""
    well_known: WellKnown = request.state.well_known
    return response(well_known.app_site_association(host(request)))


async def asset_links(request: Request) -> Response:
    """Tell Android which app may open links; 404 where the domain has no app."""
    well_known: WellKnown = request.state.well_known
    return response(well_known.asset_links(host(request)))


async def not_found(_request: Request, _error: Exception) -> Response:
    """Answer what leads nowhere."""
    return response(NOT_FOUND)


async def not_allowed(_request: Request, error: Exception) -> Response:
    """Name the methods that a resource has to who tried another (RFC 9110 §15.5.6)."""
    allowed = error.headers or {} if isinstance(error, HTTPException) else {}
    return Response(status_code=405, headers=allowed)


def constant(answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint that always gives the same answer."""

    async def endpoint(_request: Request) -> Response:
        return response(answer)

    return endpoint


def response(answer: Answer) -> Response:
    """Return the answer as Starlette sends it."""
    sent = Response(answer.body, answer.status)
    sent.raw_headers = list(answer.headers)
    return sent


def asked(request: Request, via: str = "") -> Asked:
    """Return what a request brought, as uvicorn and its proxy handling tell it."""
    return Asked(
        request.method,
        request.path_params["token"].encode("utf-8", "surrogateescape"),
        host(request),
        dict(request.scope["headers"]),
        request.client.host if request.client else "",
        via,
    )


def host(request: Request) -> bytes:
    """Return the Host header, nothing unless there is exactly one."""
    hosts: list[bytes] = [value for name, value in request.scope["headers"] if name == b"host"]
    return hosts[0] if len(hosts) == 1 else b""


async def _form(request: Request) -> bytes:
    """Return the beginning of the body, however it is encoded: the token decides, not the form."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            break
    return body[:MAX_BODY]
