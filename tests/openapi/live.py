"""A live API on loopback, over a store of its own with events of every kind in it."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from rewriter.keyring import Keyring
from tests.tracker.store.documents import document
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.health import Health
from tracker.store.database import Store
from tracker.store.row import row

EVENTS = 200


@dataclass(frozen=True, slots=True)
class Live:
    """Where the API answers, and a key that opens everything."""

    url: str
    key: str


class Server(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


@contextlib.asynccontextmanager
async def live(folder: Path) -> AsyncIterator[Live]:
    """Run the API in this process until the block is left."""
    keyring = folder / "keyring.json"
    Keyring.new().save(keyring)
    store = await Store.open(folder / "store.db")
    await store.insert([row(document(number)) for number in range(EVENTS)])
    key = secrets.token_urlsafe(8)

    async def well() -> Health:
        return Health("ok", {})

    app = api(store, ApiKeys.of(key), well, bytes, keyring=keyring)
    server = Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False))
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield Live(f"http://127.0.0.1:{listener.getsockname()[1]}", key)
    finally:
        server.should_exit = True
        await serving
        await store.close()
