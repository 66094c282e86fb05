"""PostgreSQL in the contract suite of all sinks: a database behind a proxy that cuts and hangs."""

import atexit
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.servers import postgresql
from tests.servers.postgresql import Postgres
from tests.servers.proxy import between
from tests.servers.stores import make_tables
from tests.tracker.sinks.contract import StoreCase, Told, told
from tracker.store.database import Store


class PostgresCase(StoreCase):
    """The store at a server: away while connections are cut, hanging while nothing gets through."""

    within = 2.0
    patience = PATIENCE  # what a killed process began ends when its server notices

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        server = _server()
        self._place = server.fresh(server.template("migrated", make_tables))
        self._server = server
        self._standing = between(server.address)
        self._proxy = self._standing.__enter__()
        self.store = self._place.replace(server.address, self._proxy.address)

    async def kept(self) -> Told:
        store = await Store.open(self._place)
        found = await store.feed(0, 100_000)
        await store.close()
        return told(one.document for one in found)

    async def leave(self) -> None:
        self._proxy.cut()

    async def come_back(self) -> None:
        self._proxy.heal()

    async def hang(self) -> None:
        self._proxy.hang()

    async def go_on(self) -> None:
        self._proxy.heal()

    def close(self) -> None:
        self._standing.__exit__(None, None, None)
        self._server.drop(self._place)


@cache
def _server() -> Postgres:
    """Run one for all cases of this process; none of them stops it."""
    running = ExitStack()
    try:
        server = running.enter_context(postgresql.running())
    except postgresql.Missing as error:
        pytest.skip(f"NO POSTGRESQL TO TEST WITH: {error}")
    atexit.register(running.close)
    return server
