"""Measure the store as it grows: events stored a second, bytes each, and how long a page takes.

    python -m bench.store [--events 100000 1000000 10000000] [--folder build/bench | --keep FILE]
                          [--rival] [--random-ids] [--store URL | --store postgresql]

One store grows to each size in turn, by the events of `bench.store_events`: in batches of 4,000, as
a forwarder that is behind has them, but two on their way at once, so that one is made ready while
the other is written, each forced to disk with all its index entries and figures. Making the events
isn't counted. A line for each million says how fast that went.

With `--rival`, another file is filled in turns with it (`bench.store_rival`). With `--store`, it is
a PostgreSQL database: an empty one, or the one that a run before filled; or that of a server which
is started for it, waits for the disk, and is gone afterwards.

A page is 100 events of the largest domain through the calls that the API makes, asked for many
times from a warm store, each time from another place and for other values.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from bench.store_events import DOMAINS, EVERY, FIRST, Traffic, a_reader, address, campaign
from bench.store_rival import Rival
from tests.servers import postgresql
from tracker import interpreter
from tracker.store import database
from tracker.store.change import Change, Follower
from tracker.store.database import Store
from tracker.store.page import Unfinished
from tracker.store.query import Key, Walk
from tracker.store.row import Row
from tracker.store.stats import Stats
from tracker.store.tally import ALL_MAIL
from tracker.store.tree import EVERYTHING, AllOf, AnyOf, Match, Not, Tree

BATCH: Final = 4_000
AT_ONCE: Final = 2  # batches on their way
MADE: Final = 50_000  # events that are made before the clock runs for them
ASKED: Final = 300
WARMING: Final = 20
MEDIAN, P99, RATE = 10.0, 50.0, 10_000  # the goals: milliseconds, and events a second
# A quarter of a machine with 4 GB, and checkpoints as far apart as PostgreSQL's manual advises.
SERVER: Final = {"shared_buffers": "1GB", "max_wal_size": "4GB"}
MONTH: Final = 30 * 24  # hours
MILLION: Final = 1_000_000


@dataclass(slots=True)
class Took:
    """What storing so many events took: seconds, the processor's, and those spent on figures.

    And bytes written, all told; and the seconds that the rival took.
    """

    events: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    figures: float = 0.0
    written: int = 0
    rival: float = 0.0

    def __str__(self) -> str:
        each, rate = 1e6 / self.events, self.events / self.wall
        beside = f" ({self.rival / self.wall:.2f} x its rival)" if self.rival else ""
        return (
            f"{rate:,.0f} stored a second{beside}, {self.wall * each:.0f} us each:"
            f" {self.cpu * each:.0f} of the processor, {self.figures * each:.0f} in figures;"
            f" {self.written / self.events:,.0f} bytes written"
        )


@dataclass(frozen=True, slots=True)
class Filling:
    """What is filled, and with what."""

    store: Store
    traffic: Traffic
    rival: Rival | None

    async def grow(self, first: int, size: int, took: Took) -> None:
        """Insert the events from one number up to another."""
        chance = random.Random(first)
        for start in range(first, size, MADE):
            rows = list(self.traffic.rows(start, min(size, start + MADE), chance))
            await self._insert(rows, took)
            if self.rival is not None:
                begun = time.perf_counter()
                for some in batches(rows):
                    await asyncio.to_thread(self.rival.insert, some)
                took.rival += time.perf_counter() - begun

    async def _insert(self, rows: Sequence[Row], took: Took) -> None:
        wall, cpu, before = time.perf_counter(), time.process_time(), written()
        waiting = batches(rows)

        async def work() -> None:
            for some in waiting:
                await self.store.insert(some)

        await asyncio.gather(*(work() for _ in range(AT_ONCE)))
        took.wall += time.perf_counter() - wall
        took.cpu += time.process_time() - cpu
        took.written += written() - before
        took.events += len(rows)


def batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Give rows in batches."""
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


def written() -> int:
    """Return how many bytes this process has written so far (proc(5))."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def timed(follower: Follower, took: Took) -> Follower:
    """Return a follower that notes how long it takes."""

    async def follow(connection: AsyncConnection, changes: Sequence[Change]) -> None:
        begun = time.perf_counter()
        await follower(connection, changes)
        took.figures += time.perf_counter() - begun

    return follow


Asked = Callable[[Store, random.Random, int], Awaitable[object]]


def page_of(tree: Callable[[random.Random, int], Tree]) -> Asked:
    """Return what asks for a page; the tree is made of chance and the number of an event."""

    async def ask(store: Store, chance: random.Random, size: int) -> object:
        number = chance.randrange(size)
        start = Key(int((FIRST + EVERY * number) * 1_000_000), "")
        walk = Walk(DOMAINS[0], ascending=False, limit=100, tree=tree(chance, number), start=start)
        return await store.page(walk)

    return ask


def tagged(chance: random.Random, number: int) -> Tree:
    """Return a condition that events of about then meet."""
    return Match("tags", f"campaign{campaign(number, chance)}")


def message(chance: random.Random, number: int) -> Tree:
    """Return a condition that one message's events meet."""
    sent = campaign(number, chance)
    return Match("message-id", Traffic().message_id(sent, a_reader(chance), DOMAINS[0]))


async def month(store: Store, chance: random.Random, size: int) -> object:
    """Ask for a month's figures by the hour."""
    last = int(FIRST + EVERY * chance.randrange(size)) // 3600
    names = ("opened", "clicked", "unique.opened", "unique.clicked")
    return await Stats(store).by_hour(DOMAINS[0], ALL_MAIL, last - MONTH, last, names)


async def nobody(store: Store, _chance: random.Random, _size: int) -> object:
    """Ask for what isn't there, and no index knows."""
    try:
        return await store.page(Walk(DOMAINS[0], False, 100, tree=Match("subject", "nobody")))
    except Unfinished as told:
        return told


QUESTIONS: Final[dict[str, Asked]] = {
    "by domain and time": page_of(lambda _chance, _number: EVERYTHING),
    "by kind, rare": page_of(lambda _chance, _number: Match("event", "unsubscribed")),
    "by recipient": page_of(lambda chance, _number: Match("recipient", address(a_reader(chance)))),
    "by tag": page_of(tagged),
    "by message id": page_of(message),
    "AND, OR, NOT": page_of(
        lambda chance, number: AllOf(
            (
                AnyOf((Match("event", "clicked"), tagged(chance, number))),
                Not(Match("tags", "newsletter")),
            )
        )
    ),
    "a month by the hour": month,
}


async def latency(store: Store, ask: Asked, size: int, times: int = ASKED) -> list[float]:
    """Return how long each answer took, in milliseconds; the first few are left out."""
    chance = random.Random(2)
    took = []
    for _ in range(times + WARMING):
        begun = time.perf_counter()
        await ask(store, chance, size)
        took.append((time.perf_counter() - begun) * 1_000)
    return took[WARMING:]


def rows_of(figures: dict[str, list[float]]) -> Iterator[str]:
    """Give the lines of a table: each question, its median and p99, and whether they will do."""
    yield "| asked for | median ms | p99 ms | goal |"
    yield "|---|--:|--:|---|"
    for name, times in figures.items():
        median, p99 = statistics.median(times), statistics.quantiles(times, n=100)[-1]
        met = "met" if median <= MEDIAN and p99 <= P99 else "**not met**"
        yield f"| {name} | {median:.2f} | {p99:.2f} | {met} |"


async def on_disk(store: Store, where: str, size: int) -> str:
    """Say how much room the store takes."""
    if "://" in where:
        async with store.reading() as connection:
            taken = await connection.scalar(text("SELECT pg_database_size(current_database())"))
    else:
        path = Path(where)
        taken = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return f"{taken / size:,.0f} bytes on disk each"


async def measure(where: str, sizes: Sequence[int], traffic: Traffic, rival: Rival | None) -> None:
    """Let a store grow to each size, and print what it then takes."""
    store = await Store.open(where)
    filling = Filling(store, traffic, rival)
    stored = await store.last()  # a number for each event
    followers = database.FOLLOWERS
    for size in sizes:
        if size < stored:
            continue
        print(f"\n### {size:,} events\n", flush=True)
        while stored < size:
            took, upto = Took(), min(size, stored - stored % MILLION + MILLION)
            database.FOLLOWERS = tuple(timed(each, took) for each in followers)  # type: ignore[misc]  # of as many
            await filling.grow(stored, upto, took)
            stored = upto
            met = "met" if took.events / took.wall >= RATE else f"**not met**: {RATE:,}"
            taken = await on_disk(store, where, stored)
            print(f"- up to {stored:,}: {took}, {taken} ({met})", flush=True)
        answers = {name: await latency(store, ask, size) for name, ask in QUESTIONS.items()}
        print("\n" + "\n".join(rows_of(answers)), flush=True)
        (begun, found) = (time.perf_counter(), await nobody(store, random.Random(), size))
        print(
            f"\n`subject:nobody`, which nothing meets: {time.perf_counter() - begun:.2f} s, {found}"
        )
    await store.close()


def main() -> None:
    """Read the arguments and measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--folder", type=Path, help="where the store is written meanwhile")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="a store to go on with")
    parser.add_argument("--rival", action="store_true", help="fill a plain table beside it")
    parser.add_argument("--random-ids", action="store_true", help="message ids of no order")
    parser.add_argument("--store", metavar="URL", help="a PostgreSQL database instead of a file")
    arguments = parser.parse_args()
    interpreter.look_for_cycles_seldom()  # as the office does
    interpreter.take_turns_often()
    with TemporaryDirectory(dir=arguments.folder) as folder, ExitStack() as running:
        path = arguments.keep or Path(folder) / "store.db"
        rival = Rival(path.with_suffix(".rival.db")) if arguments.rival else None
        traffic = Traffic(arguments.random_ids)
        where = arguments.store or str(path)
        if where == "postgresql":
            where = running.enter_context(postgresql.running(durable=True, **SERVER)).fresh()
        asyncio.run(measure(where, sorted(arguments.events), traffic, rival))


if __name__ == "__main__":
    main()
