"""Measure the store: rows inserted a second, and how long a page takes as the table grows.

    python -m bench.store [--sizes 100000 1000000] [--folder build/bench]

The events are spread over two domains and ninety days; one recipient in fifty thousand, one tag of
sixty. A page is 100 events, from a warm store, through the same calls that the API makes; each kind
of page is asked for many times, with other values each time.
"""

import argparse
import asyncio
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tracker.event import ClientInfo, Domain, Event, Geolocation, Message, Verdict, encode
from tracker.store.database import Store
from tracker.store.query import EVERYTHING, AllOf, AnyOf, Key, Match, Not, Tree, Walk
from tracker.store.row import Row, row

DOMAINS = ("news.example", "mail.example")
FIRST = 1_750_000_000  # seconds
SPAN = 90 * 86_400
BATCH = 1_000
ASKED = 200
WARMING = 10
AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/{0}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS {0}_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like"
    " Gecko) Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:{0}.0) Gecko/20100101 Thunderbird/{0}.2",
)


def event(number: int, size: int, chance: random.Random) -> Event:
    """Return the event of a number out of so many: opens, one click in ten, few unsubscribes."""
    kind = chance.choices(("opened", "clicked", "unsubscribed"), (89, 10, 1))[0]
    recipient = f"reader{chance.randrange(50_000)}@mail{chance.randrange(40)}.example"
    message = f"{FIRST + number // 5000}.{chance.randrange(5_000)}@{DOMAINS[number % 2]}"
    agent = chance.choice(AGENTS).format(chance.randrange(60, 140))
    return Event(
        event=kind,  # type: ignore[arg-type]
        id=f"{number:08}{chance.randbytes(7).hex()}",
        timestamp=FIRST + SPAN * number / size,
        domain=Domain(DOMAINS[number % 2]),
        recipient=recipient,
        recipient_domain=recipient.partition("@")[2],
        ip=".".join(str(chance.randrange(256)) for _ in range(4)),
        geolocation=Geolocation("US", "TX", "Austin"),
        client_info=ClientInfo("browser", "OS X", "desktop", "Safari", agent),
        message=Message({"message-id": message}),
        verdict=Verdict(),
        tags=[f"tag{chance.randrange(60)}", "newsletter"][: chance.randrange(3)],
        url=f"https://shop{chance.randrange(900)}.example/p/{chance.randbytes(6).hex()}",
    )


PAGES: dict[str, Callable[[random.Random], Tree]] = {
    "by time": lambda _: EVERYTHING,
    "by kind, rare": lambda _: Match("event", "unsubscribed"),
    "by two kinds": lambda _: AnyOf((Match("event", "clicked"), Match("event", "unsubscribed"))),
    "by recipient": lambda chance: Match(
        "recipient", f"reader{chance.randrange(50_000)}@mail{chance.randrange(40)}.example"
    ),
    "by tag": lambda chance: Match("tags", f"tag{chance.randrange(60)}"),
    "by message id": lambda chance: Match(
        "message-id", f"{FIRST + chance.randrange(20)}.{chance.randrange(5_000)}@news.example"
    ),
    "AND, OR, NOT": lambda chance: AllOf(
        (
            AnyOf((Match("event", "clicked"), Match("tags", f"tag{chance.randrange(60)}"))),
            Not(Match("tags", "newsletter")),
        )
    ),
}


async def fill(store: Store, size: int) -> tuple[float, float]:
    """Insert so many events; return the seconds it took, an fsync a batch included, and the CPU's.

    On a busy machine the CPU's time is the steadier figure.
    """
    took = worked = 0.0
    for batch in _batches(size):
        start, at_work = time.perf_counter(), time.process_time()
        await store.insert(batch)
        took += time.perf_counter() - start
        worked += time.process_time() - at_work
    return took, worked


def _batches(size: int) -> Iterator[list[Row]]:
    chance = random.Random(1)  # noqa: S311
    for first in range(0, size, BATCH):
        yield [row(encode(event(number, size, chance))) for number in range(first, first + BATCH)]


async def latency(store: Store, page: Callable[[random.Random], Tree]) -> tuple[list[float], float]:
    """Return how long each page took, the first few left out, and the CPU for one: milliseconds."""
    chance = random.Random(2)  # noqa: S311
    took, worked = [], []
    for _ in range(ASKED + WARMING):
        start = Key((FIRST + chance.randrange(SPAN)) * 1_000_000, "")
        walk = Walk(DOMAINS[0], ascending=False, limit=100, tree=page(chance), start=start)
        begun, at_work = time.perf_counter(), time.process_time()
        await store.page(walk)
        took.append((time.perf_counter() - begun) * 1_000)
        worked.append((time.process_time() - at_work) * 1_000)
    return took[WARMING:], statistics.median(worked[WARMING:])


async def measure(folder: Path, size: int) -> None:
    """Fill a store and print its table."""
    path = folder / f"{size}.db"
    store = await Store.open(path)
    took, worked = await fill(store, size)
    figures = {name: await latency(store, page) for name, page in PAGES.items()}
    await store.close()
    print(
        f"\n{size:,} events: {size / took:,.0f} inserted/s, {worked / size * 1e6:.0f} µs of CPU and"
        f" {path.stat().st_size / size:,.0f} bytes each"
    )
    print(f"\n{'page of 100':16} {'median ms':>10} {'p99 ms':>10} {'CPU ms':>10}")
    for name, (pages, cpu) in figures.items():
        p99 = statistics.quantiles(pages, n=100)[-1]
        print(f"{name:16} {statistics.median(pages):10.2f} {p99:10.2f} {cpu:10.2f}")


def main() -> None:
    """Read the arguments and measure each size in turn."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the databases are written meanwhile")
    arguments = parser.parse_args()
    with TemporaryDirectory(dir=arguments.folder) as folder:
        for size in arguments.sizes:
            asyncio.run(measure(Path(folder), size))


if __name__ == "__main__":
    main()
