"""A stream of NATS JetStream as a sink: the bus between many edges and the store.

Promise: when `deliver` returns, the stream has every event on disk or in memory of as many servers
as hold a majority of its replicas. `docs/bus.md` says what that survives.
"""

import os
from collections.abc import Sequence

from tracker.bus.address import Address
from tracker.bus.connection import BusUnavailable, Connection
from tracker.bus.message import message
from tracker.bus.publishing import Publisher, TooLarge
from tracker.bus.stream import ensure
from tracker.event import Event
from tracker.sinks import EventRefused, SinkUnavailable
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl


def sink(url: SinkUrl, _: Opened) -> "NatsSink":
    """Make the sink of a URL."""
    return NatsSink(url.name, Address.of(url.address, url.options, os.environ))


class NatsSink:
    """Events go into one stream, over a connection that is opened when it is needed."""

    def __init__(self, name: str, address: Address) -> None:
        self.name = name
        self._address = address
        self._connection: Connection | None = None
        self._publisher: Publisher | None = None

    async def deliver(self, events: Sequence[Event]) -> None:
        """Publish a batch. Raises SinkUnavailable, or EventRefused for what is too large."""
        done = False
        try:
            publisher = self._publisher or await self._open()
            await publisher.publish([message(one, self._address.stream.prefix) for one in events])
            done = True
        except TooLarge as error:
            raise EventRefused(str(error)) from error
        except BusUnavailable as error:
            raise SinkUnavailable(str(error)) from error
        finally:
            # After an error, or when the call was cancelled, acknowledgements may still come.
            if not done:
                await self.close()

    async def close(self) -> None:
        """End the connection."""
        connection, self._connection, self._publisher = self._connection, None, None
        if connection is not None:
            await connection.close()

    async def _open(self) -> Publisher:
        self._connection = await Connection.open(self._address, f"tracker sink {self.name}")
        await ensure(self._connection, self._address.stream)
        self._publisher = await Publisher.open(self._connection, self._address.stream.name)
        return self._publisher
