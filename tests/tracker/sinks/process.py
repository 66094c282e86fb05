"""A process with one sink, for tests that kill it.

    python -m tests.tracker.sinks.process URL STORE

Each line of standard input is a batch, as JSON; on standard error it says `offered` before each and
`kept` behind it. As a forwarder does, it offers a batch again to a sink that is too busy for it.
"""

import asyncio
import sys
from collections.abc import Sequence

import msgspec

from tests.patience import PATIENCE, until
from tracker.event import Event
from tracker.sinks import Sink, SinkUnavailable, opening
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store


async def main(url: str, path: str) -> None:
    """Deliver every batch."""
    store = Store(path, patience=PATIENCE)
    (sink,) = opening.sinks([SinkUrl.parse(url)], Opened(store, ("127.0.0.0/8",)))
    for line in sys.stdin.buffer:
        batch = msgspec.json.decode(line, type=list[Event])
        sys.stderr.write("offered\n")
        sys.stderr.flush()
        await until(lambda: kept(sink, batch), "the sink to take a batch")  # noqa: B023 - called at once
        sys.stderr.write("kept\n")
        sys.stderr.flush()
    await sink.close()
    await store.close()


async def kept(sink: Sink, batch: Sequence[Event]) -> bool:
    """Tell whether the sink takes a batch now."""
    try:
        await sink.deliver(batch)
    except SinkUnavailable:
        return False
    return True


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
