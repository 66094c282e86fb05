"""NATS in the contract suite of all sinks: a server of its own, which is stopped and paused."""

import base64
from pathlib import Path

import msgspec
import pytest

from tests.servers import nats
from tests.tracker.sinks.contract import Hanging, Leaving, Refusing, Told, told
from tracker.bus.address import Address
from tracker.bus.connection import Connection
from tracker.bus.stream import look
from tracker.event import Event
from tracker.sinks.url import SinkUrl


class NatsCase(Leaving, Hanging, Refusing):
    """A stream on one node: away while that is stopped, hanging while it is paused."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._running = nats.running(folder)
        try:
            self._server = self._running.__enter__()
        except nats.Missing as error:
            pytest.skip(f"NO NATS TO TEST WITH: {error}")
        self.url = f"nats://{self._server.hosts}/EVENTS"

    async def kept(self) -> Told:
        url = SinkUrl.parse(self.url)
        connection = await Connection.open(Address.of(url.address, url.options, {}), "test")
        try:
            there = await look(connection, "EVENTS")
            last = there.state.last_seq if there else 0
            return told([await _message(connection, number) for number in range(1, last + 1)])
        finally:
            await connection.close()

    def refused(self, one: Event) -> Event:
        return msgspec.structs.replace(one, url="https://example.com/" + "x" * (1 << 20))

    async def leave(self) -> None:
        self._server.nodes[0].stop()

    async def come_back(self) -> None:
        self._server.nodes[0].start()
        self._server.ready()

    async def hang(self) -> None:
        self._server.nodes[0].pause()

    async def go_on(self) -> None:
        self._server.nodes[0].resume()

    def close(self) -> None:
        self._running.__exit__(None, None, None)


async def _message(connection: Connection, number: int) -> bytes:
    got = await connection.ask("STREAM.MSG.GET.EVENTS", {"seq": number}, dict)
    return base64.b64decode(got["message"]["data"])
