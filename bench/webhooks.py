"""Webhooks to receivers on this machine: `python -m bench.webhooks`.

Events lie in a SQLite store, one back office posts them, a receiver in this process takes them on
the other core. Four times: one URL; the same with a second URL beside it that answers, too; with a
second one whose receiver takes connections and never answers; the first again, ten times the
events, a hundred in a request. What hangs must cost the others nothing: the third rate is set
against the second, since what a second URL takes of the processor, hanging or not, is no hindrance.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from msgspec.structs import replace

from bench.cluster import cpu
from bench.edge.report import machine
from bench.store_events import DOMAINS, Traffic
from rewriter.keyring import Keyring
from tracker.event import Domain, encode
from tracker.store.database import Store
from tracker.store.row import Row, row
from tracker.store.webhooks import Webhook, Webhooks

GOAL: Final = 0.9  # of the rate beside a receiver that answers
PATIENCE: Final = 600.0  # seconds
DRAINED_WITHIN: Final = 60.0
SMALLEST: Final = 256 << 10  # bytes of a request that are read at once
ANSWER: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
MAILGUN: Final = b'"event-data"'  # once in each event that is posted
Conduct = Literal["answer", "hang"]


@dataclass(slots=True)
class Receiver:
    """Takes requests of any number of connections, and counts the events in them."""

    conduct: Conduct
    wanted: int
    url: str = ""
    events: int = 0
    requests: int = 0
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests one after the other, or none at all."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                if self.conduct == "hang":
                    await reader.read()  # until the other side has had enough
                    return
                self.requests += 1
                self.events += body.count(MAILGUN)
                self.begun.set()
                if self.events >= self.wanted:
                    self.done.set()
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def receiving(conduct: Conduct, wanted: int) -> AsyncIterator[Receiver]:
    """Receive on a free port until the block ends."""
    receiver = Receiver(conduct, wanted)
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, limit=SMALLEST)
    receiver.url = "http://{}:{}/events".format(*server.sockets[0].getsockname())
    try:
        yield receiver
    finally:
        server.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=20_000)
    count = parser.parse_args().events
    print(machine(Path(tempfile.gettempdir())))
    print(f"{count:,} events{'':16}{'events/s':>10}{'requests':>10}{'CPU us an event':>17}")
    alone = asyncio.run(_measured("one URL", count))
    well = asyncio.run(_measured("beside one that answers", count, beside="answer"))
    ill = asyncio.run(_measured("beside one that hangs", count, beside="hang"))
    asyncio.run(_measured("a hundred in a request", 10 * count, batch=100))
    print(
        f"beside a URL that hangs {ill / well:.2f} of its rate beside one that answers; goal"
        f" {GOAL}: {'met' if ill >= GOAL * well else 'MISSED'}; {ill / alone:.2f} of that alone"
    )


async def _measured(
    what: str, count: int, *, beside: Conduct | None = None, batch: int = 1
) -> float:
    async with receiving("answer", count) as receiver, receiving(beside or "hang", count) as other:
        with tempfile.TemporaryDirectory() as folder:
            urls = [receiver.url, other.url] if beside else [receiver.url]
            await _prepare(Path(folder), urls, count, batch)
            office = await _office(Path(folder))
            try:
                rate, spent = await _received(receiver, office.pid)
            finally:
                office.terminate()
                async with asyncio.timeout(DRAINED_WITHIN):
                    await office.wait()
    print(f"{what:30}{rate:10,.0f}{receiver.requests:10,}{spent * 1e6:17.0f}")
    return rate


async def _prepare(data: Path, urls: Sequence[str], count: int, batch: int) -> None:
    """Write a keyring, and a store in which each event waits for each URL."""
    Keyring.new().save(data / "keyring.json")
    store = await Store.open(data / "store.db")
    webhook = Webhook(tuple(urls), batch=batch)
    await Webhooks(store).add(DOMAINS[0], "opened", webhook, who="bench")
    rows = _opened(count)
    for start in range(0, count, 1_000):
        await store.insert(rows[start : start + 1_000])
    await store.close()


def _opened(count: int) -> list[Row]:
    """Return so many opens of one domain."""
    chance, traffic = random.Random(1), Traffic()
    made = (traffic.event(number, chance) for number in range(count))
    domain = Domain(DOMAINS[0])
    return [row(encode(replace(one, event="opened", domain=domain))) for one in made]


async def _office(data: Path) -> asyncio.subprocess.Process:
    told = {
        "TRACKER_DATA": str(data),
        "TRACKER_API_LISTEN": "127.0.0.1:0",
        "TRACKER_WEBHOOKS_ALLOW": "127.0.0.0/8",
    }
    with (data / "office.log").open("wb") as said:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tracker", "office"),
            env={**os.environ, **told},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


async def _received(receiver: Receiver, office: int) -> tuple[float, float]:
    """Return events a second and CPU seconds an event, from the first that came to the last."""
    async with asyncio.timeout(PATIENCE):
        await receiver.begun.wait()
        already, began, before = receiver.events, time.perf_counter(), cpu(office)
        await receiver.done.wait()
    events = receiver.events - already
    return events / (time.perf_counter() - began), (cpu(office) - before) / events


if __name__ == "__main__":
    main()
