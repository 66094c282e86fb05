"""Measure the store as it grows: events stored a second, bytes each, and how long a page takes.

    python -m bench.store [--events 100000 1000000 10000000] [--folder build/bench | --keep FILE]

One store grows to each size in turn. Its events are those of forty sending domains, one of which
has more than half, over three months; of campaigns that a few of the recipients open often and most
seldom, a click for nine opens, each within hours of its sending. They are stored a thousand at a
time, each batch forced to disk with all its index entries and figures.

A page is 100 events of the largest domain through the calls that the API makes, asked for many
times from a warm store, each time from another place and for other values.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from tracker.event import ClientInfo, Domain, Event, Geolocation, Kind, Message, Verdict, encode
from tracker.store import database
from tracker.store.change import Change, Follower
from tracker.store.database import Store
from tracker.store.page import Unfinished
from tracker.store.query import EVERYTHING, AllOf, AnyOf, Key, Match, Not, Tree, Walk
from tracker.store.row import row
from tracker.store.stats import Stats
from tracker.store.tally import ALL_MAIL

DOMAINS: Final = tuple(f"news{number}.example" for number in range(40))
SHARES: Final = (60.0, *(40 / 3.28 / number for number in range(1, 40)))  # Zipf's behind the first
FIRST: Final = 1_750_000_000  # seconds
EVERY: Final = 90 * 86_400 / 10_000_000  # seconds between two events: ten million in three months
CAMPAIGN: Final = 25_000  # events until the next campaign begins
READERS: Final = 400_000  # recipients of a campaign
BATCH: Final = 1_000
ASKED: Final = 300
WARMING: Final = 20
MEDIAN, P99, RATE = 10.0, 50.0, 10_000  # the goals: milliseconds, and events a second
MONTH: Final = 30 * 24  # hours
AGENTS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{0}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Thunderbird/{0}.2",
)
KINDS: Final[tuple[Kind, ...]] = ("opened", "clicked", "unsubscribed")
PLACES: Final = (("US", "TX", "Austin"), ("US", "NY", "New York"), ("DE", "BE", "Berlin"))


def reader(chance: random.Random) -> str:
    """Return a recipient, one of the few thousand busiest more often than not."""
    number = int(READERS * chance.random() ** 4)
    return f"reader{number}@mail{number % 40}.example"


def campaign(number: int, chance: random.Random) -> int:
    """Return the campaign that the event of a number is of: the current one or one before."""
    return max(0, number // CAMPAIGN - int(chance.expovariate(0.7)))


def event(number: int, chance: random.Random) -> Event:
    """Return the event of a number; the numbers are in the order of time."""
    domain = chance.choices(DOMAINS, SHARES)[0]
    sent, recipient = campaign(number, chance), reader(chance)
    name = recipient.partition("@")
    agent = chance.choice(AGENTS).format(chance.randrange(60, 140))
    return Event(
        event=chance.choices(KINDS, (89, 10, 1))[0],
        id=f"{number:08}{chance.randbytes(7).hex()}",
        timestamp=FIRST + EVERY * number,
        domain=Domain(domain),
        recipient=recipient,
        recipient_domain=name[2],
        ip=".".join(str(chance.randrange(256)) for _ in range(4)),
        geolocation=Geolocation(*chance.choice(PLACES)),
        client_info=ClientInfo("browser", "OS X", "desktop", "Safari", agent),
        message=Message({"message-id": f"{sent}.{name[0]}@{domain}"}),
        verdict=Verdict(),
        tags=[f"campaign{sent}", "newsletter"][: chance.randrange(1, 3)],
        url=f"https://shop{chance.randrange(900)}.example/p/{chance.randbytes(6).hex()}",
    )


@dataclass(slots=True)
class Took:
    """What storing so many events took: seconds, the processor's, and those spent on figures."""

    events: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    figures: float = 0.0


async def fill(store: Store, first: int, size: int, took: Took) -> None:
    """Insert the events from one number up to another."""
    chance = random.Random(first)  # noqa: S311
    for start in range(first, size, BATCH):
        rows = [row(encode(event(number, chance))) for number in range(start, start + BATCH)]
        wall, cpu = time.perf_counter(), time.process_time()
        await store.insert(rows)
        took.wall += time.perf_counter() - wall
        took.cpu += time.process_time() - cpu
        took.events += len(rows)


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
    name = reader(chance).partition("@")[0]
    return Match("message-id", f"{campaign(number, chance)}.{name}@{DOMAINS[0]}")


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
    "by recipient": page_of(lambda chance, _number: Match("recipient", reader(chance))),
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
    chance = random.Random(2)  # noqa: S311
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


def told(path: Path, size: int, took: Took) -> str:
    """Say what storing took since the last size."""
    each = 1e6 / took.events
    rate = took.events / took.wall
    met = "met" if rate >= RATE else f"**not met**: {RATE:,}"
    taken = sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))
    return (
        f"\n### {size:,} events\n\n{rate:,.0f} stored a second ({met}), {took.wall * each:.0f} µs"
        f" each, {took.cpu * each:.0f} of them the processor's and {took.figures * each:.0f} for"
        f" figures; {taken / size:,.0f} bytes on disk each.\n"
    )


async def measure(path: Path, sizes: Sequence[int]) -> None:
    """Let a store grow to each size, and print what it then takes."""
    store = await Store.open(path)
    stored = await store.last()  # a number for each event
    followers = database.FOLLOWERS
    for size in sizes:
        if size < stored:
            continue
        took = Took()
        database.FOLLOWERS = tuple(timed(each, took) for each in followers)  # type: ignore[misc]
        await fill(store, stored, size, took)
        print(told(path, size, took) if size > stored else f"\n### {size:,} events\n")
        stored = size
        answers = {name: await latency(store, ask, size) for name, ask in QUESTIONS.items()}
        print("\n".join(rows_of(answers)), flush=True)
        (begun, found) = (time.perf_counter(), await nobody(store, random.Random(), size))  # noqa: S311
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
    arguments = parser.parse_args()
    sizes = sorted(arguments.events)
    if arguments.keep:
        asyncio.run(measure(arguments.keep, sizes))
        return
    with TemporaryDirectory(dir=arguments.folder) as folder:
        asyncio.run(measure(Path(folder) / "store.db", sizes))


if __name__ == "__main__":
    main()
