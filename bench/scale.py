"""The sums of docs/scale.md: `python -m bench.scale [--into docs/scale.md]`.

In: what was measured, each figure with the command that made it, and list prices with their date.
Out: a table of what 1 million, 100 million and 10 billion events a day take. Nothing is measured
here: whoever measures anew, or pays another price, changes a figure below and runs it again.
"""

import argparse
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DAY: Final = 86_400
MONTH: Final = 30
HOURS: Final = 730  # of a month, as providers count them
MARK: Final = "bench.scale"


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, and where it comes from."""

    value: float
    source: str


FORWARD: Final = "`python -m bench.forward`"
# What one event takes of each part: microseconds of the processor, or bytes.
MEASURED: Final[Mapping[str, Figure]] = {
    "edge, full TLS handshake": Figure(1_552, "`python -m bench.tls`"),
    "edge, plain HTTP": Figure(71, "`python -m bench.edge`, 64 at a time"),
    "office": Figure(115, FORWARD),
    "NATS": Figure(35, f"{FORWARD}, one copy; each further one is reckoned alike"),
    "consumer": Figure(91, FORWARD),
    "PostgreSQL": Figure(44, FORWARD),
    "bytes in the stream": Figure(913, FORWARD),
    "bytes in PostgreSQL": Figure(965, f"{FORWARD}, indices and figures included"),
}
# Bytes that answering takes with a full handshake: TLS 1.3 with two ECDSA certificates 2.6 kB, the
# answer 0.6 kB, and the headers of nine packets. Reckoned.
OUT: Final = 4_000
COPIES: Final = 3  # of the stream
PEAK: Final = 5  # times the mean: edges must answer it
BEHIND: Final = 2  # times the mean: what stores at that rate has a day's events stored in a day
PEAK_HOURS: Final = 4  # that a peak lasts, which what is behind the edge lags for
ROOM: Final = 1.3  # of the store's disk
SYSTEM: Final = 20  # GB of each kind of machine
FULL: Final = 0.6  # of a processor: what is left is for one part that failed, and for luck
KEPT: Final = 90  # days of events in the store
# One process at a time writes to a store, in transactions of a batch.
STORE_RATE: Final = Figure(9_000, f"{FORWARD}, from the stream, two consumers, on two cores in all")
ALONE: Final = 5_000_000  # events a day up to which one machine does it all, with SQLite


# Processors of the smallest cluster that survives the loss of any machine. Offices are on edges.
LEAST: Final = {"edges": 4, "offices": 0, "NATS": 6, "consumers": 4, "PostgreSQL": 4}
ALONE_TAKES: Final = 1  # for the edge, and for the office: one small machine


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars for a unit, and where that is written."""

    dollars: float
    source: str


PRICES: Final[Mapping[str, Price]] = {
    "processor, an hour": Price(
        0.0408, "half of an m7g.large in us-east-1, on demand, as listed on 17 June 2026"
    ),
    "disk, a GB and month": Price(0.08, "gp3 in us-east-1, as AWS lists it"),
    "traffic out, a GB": Price(0.09, "the first 10 TB; 0.085, 0.07 and 0.05 behind"),
    "between zones, a GB": Price(0.02, "0.01 in each direction"),
}
# Up to how many GB a month each costs what (AWS' list for traffic out to the internet).
TRAFFIC: Final = ((10_240, 0.09), (51_200, 0.085), (153_600, 0.07), (math.inf, 0.05))


@dataclass(frozen=True, slots=True)
class Need:
    """What so many events a day take."""

    events: int

    @property
    def mean(self) -> float:
        """Events a second over the day."""
        return self.events / DAY

    @property
    def peak(self) -> float:
        """Events a second that edges must answer."""
        return self.mean * PEAK

    @property
    def behind(self) -> float:
        """Events a second that everything behind the edges must take."""
        return self.mean * BEHIND

    @property
    def cells(self) -> int:
        """Installations of their own, each with a stream and a store."""
        return math.ceil(self.behind / (STORE_RATE.value * FULL))

    @property
    def alone(self) -> bool:
        """Tell whether one machine does it all, without a stream."""
        return self.events <= ALONE

    def processors(self, part: str, rate: float) -> float:
        """Processors for a part at a rate."""
        return rate * MEASURED[part].value / 1e6 / FULL

    @property
    def each(self) -> Mapping[str, float]:
        """Processors for each part that there is."""
        parts = {
            "edges": self.processors("edge, full TLS handshake", self.peak),
            "offices": self.processors("office", self.behind),
            "NATS": self.processors("NATS", self.behind) * COPIES,
            "consumers": self.processors("consumer", self.behind),
            "PostgreSQL": self.processors("PostgreSQL", self.behind),
        }
        return {part: parts[part] for part in ("edges", "offices") if self.alone} or parts

    @property
    def machines(self) -> Mapping[str, int]:
        """Processors that are paid for: on two or three machines for each part."""
        least = {part: ALONE_TAKES if self.alone else LEAST[part] * self.cells for part in LEAST}
        return {
            part: max(math.ceil(processors), least[part]) for part, processors in self.each.items()
        }

    @property
    def waiting(self) -> float:
        """GB of events that wait after a peak, in one copy."""
        left = (self.peak - self.behind) * PEAK_HOURS * 3600
        return left * MEASURED["bytes in the stream"].value / 1e9

    @property
    def a_day(self) -> float:
        """GB that the store grows in a day."""
        return self.events * MEASURED["bytes in PostgreSQL"].value / 1e9

    @property
    def disk(self) -> float:
        """GB of disk in all: the store with room to grow, what waits in each copy, the systems."""
        systems = SYSTEM * len(self.each)
        return self.a_day * KEPT * ROOM + self.waiting * (1 if self.alone else COPIES) + systems

    @property
    def out(self) -> float:
        """GB that leave for recipients in a month."""
        return self.events * MONTH * OUT / 1e9

    @property
    def between(self) -> float:
        """GB between machines in a month: to the stream and its copies, out of it, stored."""
        if self.alone:
            return 0.0
        return self.events * MONTH * MEASURED["bytes in the stream"].value * (COPIES + 2) / 1e9

    @property
    def money(self) -> Mapping[str, float]:
        """Dollars a month at list prices."""
        hour = PRICES["processor, an hour"].dollars
        return {
            "processors": sum(self.machines.values()) * hour * HOURS,
            "disks": self.disk * PRICES["disk, a GB and month"].dollars,
            "traffic to recipients": tiered(self.out),
            "traffic between zones": self.between * PRICES["between zones, a GB"].dollars,
        }


def tiered(gigabytes: float) -> float:
    """Return what traffic out costs a month."""
    cost, below = 0.0, 0.0
    for upto, price in TRAFFIC:
        cost += max(0.0, min(gigabytes, upto) - below) * price
        below = upto
    return cost


NEEDS: Final = tuple(map(Need, (1_000_000, 100_000_000, 10_000_000_000)))


def table() -> str:
    """Return the sums as Markdown."""
    rows = [
        ["", *(f"{need.events:,} a day" for need in NEEDS)],
        ["---", *("--:" for _ in NEEDS)],
        ["events a second, mean", *(number(need.mean) for need in NEEDS)],
        [f"at the peak, {PEAK} times the mean", *(number(need.peak) for need in NEEDS)],
        [f"behind the edges, {BEHIND} times the mean", *(number(need.behind) for need in NEEDS)],
        ["cells: streams and stores", *(number(need.cells) for need in NEEDS)],
        *(
            [
                f"processors: {part}",
                *(number(need.each[part]) if part in need.each else "" for need in NEEDS),
            ]
            for part in NEEDS[-1].each
        ),
        ["processors paid for", *(number(sum(need.machines.values())) for need in NEEDS)],
        ["waiting after a peak", *(volume(need.waiting) for need in NEEDS)],
        ["the store grows, a day", *(volume(need.a_day) for need in NEEDS)],
        [f"disks, {KEPT} days kept", *(volume(need.disk) for need in NEEDS)],
        ["out to recipients, a month", *(volume(need.out) for need in NEEDS)],
        ["at the peak, out", *(bits(need.peak * OUT * 8) for need in NEEDS)],
        *(
            [f"$ a month: {part}", *(number(need.money[part]) for need in NEEDS)]
            for part in NEEDS[0].money
        ),
        ["**$ a month**", *(f"**{number(sum(need.money.values()))}**" for need in NEEDS)],
        ["$ a million events", *(_a_million(need) for need in NEEDS)],
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def sources() -> str:
    """Return what the sums stand on as Markdown."""
    rows = [
        ["an event takes", "", "measured by"],
        ["---", "--:", "---"],
        *(
            [name, f"{figure.value:,.0f}{'' if 'bytes' in name else ' µs'}", figure.source]
            for name, figure in MEASURED.items()
        ),
        ["one store takes, events a second", f"{STORE_RATE.value:,.0f}", STORE_RATE.source],
        *(
            [name, f"$ {price.dollars:.4f}".rstrip("0"), price.source]
            for name, price in PRICES.items()
        ),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _a_million(need: Need) -> str:
    return f"{sum(need.money.values()) / (need.events * MONTH / 1e6):.2f}"


def number(value: float) -> str:
    """Write a number with as many figures as it is known with."""
    if value < 10:
        return f"{value:.1f}".removesuffix(".0") if value >= 0.05 else "< 0.1"
    digits = max(0, len(str(int(value))) - 2)
    return f"{round(value, -digits):,.0f}"


def volume(gigabytes: float) -> str:
    """Write gigabytes."""
    if gigabytes < 1:
        return f"{number(gigabytes * 1000)} MB"
    return f"{number(gigabytes)} GB" if gigabytes < 1000 else f"{number(gigabytes / 1000)} TB"


def bits(a_second: float) -> str:
    """Write bits a second."""
    return (
        f"{number(a_second / 1e6)} Mbit/s" if a_second < 1e9 else f"{number(a_second / 1e9)} Gbit/s"
    )


def placed(text: str, parts: Mapping[str, str]) -> str:
    """Put each part between its marks. Raises ValueError where they aren't there."""
    for name, part in parts.items():
        begin, end = f"<!-- {MARK} {name} -->\n", f"<!-- /{MARK} {name} -->"
        before, found, rest = text.partition(begin)
        _, there, after = rest.partition(end)
        if not (found and there):
            raise ValueError(f"there is no {begin.strip()} … {end} to put the sums between")
        text = f"{before}{begin}{part}\n{end}{after}"
    return text


def written(text: str) -> str:
    """Return a document with the sums of today in it."""
    return placed(text, {"sums": table(), "sources": sources()})


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the sums, or put them into a document."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--into", type=Path, help="a document with the marks of this command")
    document: Path | None = parser.parse_args(arguments).into
    if document is None:
        print(f"{table()}\n\n{sources()}")
    else:
        document.write_text(written(document.read_text()))


if __name__ == "__main__":
    main()
