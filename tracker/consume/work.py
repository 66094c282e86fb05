"""The consumer's work: stores what it holds until told to stop, and closes.

SIGTERM, SIGINT and the end of standard input (the parent is gone) mean: finish the batch that is
being stored, give the rest back to the bus, then return. It starts while the bus or the store is
away, and says so.
"""

import asyncio
import os
import socket
from typing import Final

from tracker import child
from tracker.bus.address import Address
from tracker.consume import ConsumeSettings
from tracker.consume.consuming import Consumer
from tracker.consume.watch import application
from tracker.store.database import Store

ANSWER_WITHIN: Final = 2  # seconds for requests that are being answered


async def work(settings: ConsumeSettings) -> None:
    """Consume and answer until told to stop."""
    stopping = child.told_to_stop()
    store = Store(settings.store)
    address = Address.of(settings.address, settings.options, os.environ)
    consumer = Consumer(address, settings.durable, store, settings.batch)
    server = child.server(application(consumer.progress), ANSWER_WITHIN)
    listeners = [socket.socket(fileno=descriptor) for descriptor in settings.listen_fds]
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(listeners))
            await consumer.run(stopping)
            server.should_exit = True
    finally:
        await store.close()
