"""A process with one sink, for tests that kill it.

    python -m tests.tracker.sinks.process URL STORE

Each line of standard input is a batch, as JSON; on standard error it says `offered` before each and
`kept` behind it.
"""

import asyncio
import sys

import msgspec

from tracker.event import Event
from tracker.sinks import opening
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store


async def main(url: str, path: str) -> None:
    """Deliver every batch."""
    store = await Store.open(path)
    (sink,) = opening.sinks([SinkUrl.parse(url)], Opened(store, ("127.0.0.0/8",)))
    for line in sys.stdin.buffer:
        batch = msgspec.json.decode(line, type=list[Event])
        sys.stderr.write("offered\n")
        sys.stderr.flush()
        await sink.deliver(batch)
        sys.stderr.write("kept\n")
        sys.stderr.flush()
    await sink.close()
    await store.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
