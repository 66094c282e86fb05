"""The store as a sink: the events that the API finds."""

from collections.abc import Sequence

from tracker.event import Event, encode
from tracker.sinks import EventRefused, SinkUnavailable
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store, StoreUnavailable
from tracker.store.row import NotAnEvent, row


def sink(url: SinkUrl, opened: Opened) -> "StoreSink":
    """Make the sink of a URL."""
    return StoreSink(opened.store, url.name)


class StoreSink:
    """Events go into a store, which whoever opened it closes: the API reads from it too."""

    def __init__(self, store: Store, name: str = "store") -> None:
        self.name = name
        self._store = store

    async def deliver(self, events: Sequence[Event]) -> None:
        """Insert a batch, all or none. Raises SinkUnavailable, or EventRefused if one can't be."""
        try:
            await self._store.insert([row(encode(event)) for event in events])
        except NotAnEvent as error:
            raise EventRefused(str(error)) from error
        except StoreUnavailable as error:
            raise SinkUnavailable(str(error)) from error

    async def close(self) -> None:
        """Do nothing: the store isn't this sink's own."""
