"""The consumer's process: works until told to stop, stores what it holds, closes.

SIGTERM, SIGINT and the end of standard input (the parent is gone) mean: finish the batch that is
being stored, give the rest back to the bus, then exit with 0. It starts while the bus or the store
is away, and says so.
"""

import asyncio
import logging
import os
import socket
import sys
from typing import Final

import msgspec
import uvloop

from tracker import child, interpreter, logs
from tracker.bus.address import Address
from tracker.consume import ConsumeSettings
from tracker.consume.consuming import Consumer
from tracker.consume.watch import application
from tracker.mistake import Exit
from tracker.store.database import Store

ANSWER_WITHIN: Final = 2  # seconds for requests that are being answered


def main() -> None:
    """Read the settings and work until told to stop."""
    try:
        settings = msgspec.json.decode(sys.stdin.buffer.readline(), type=ConsumeSettings)
    except msgspec.MsgspecError as error:
        sys.stderr.write(f"tracker: the consumer's settings are not what it takes: {error}\n")
        sys.exit(Exit.CONFIG)
    logs.configure(settings.log_format)
    # It tells of each failure by itself, at length; ours say it once, in a sentence.
    logging.getLogger("nats").setLevel(logging.CRITICAL)
    interpreter.look_for_cycles_seldom()
    interpreter.take_turns_often()
    uvloop.run(work(settings))


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


if __name__ == "__main__":
    main()
