"""The API's client, where the API can't answer for a moment."""

import asyncio
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.servers.authority import Authority
from tracker import child
from tracker.client import ApiUnavailable, Client


@pytest.mark.anyio
async def test_whoever_waits_for_the_system_learns_where_the_feed_stands_once_it_can_tell() -> None:
    told = iter([JSONResponse({"message": "the store is away"}, 503), JSONResponse({"next": 7})])

    async def ready(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def feed(_request: Request) -> JSONResponse:
        return next(told)

    app = Starlette(routes=[Route("/readyz", ready), Route("/v1/events/feed", feed)])
    server, listener = child.server(app, 1), socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    async with Client(f"http://127.0.0.1:{listener.getsockname()[1]}", "key") as client:
        assert await client.until_ready() == 7
    server.should_exit = True
    await serving


@pytest.mark.anyio
async def test_the_key_goes_to_nobody_whose_certificate_is_not_trusted(tmp_path: Path) -> None:
    heard = []

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readline())
        writer.close()

    tls = Authority().issue("127.0.0.1").server_context(tmp_path)
    server = await asyncio.start_server(taken, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    async with server, Client(f"https://127.0.0.1:{port}", "key") as client:
        with pytest.raises(ApiUnavailable):
            await client.position()
    assert heard == []
