"""What the contract suite is given of each kind of sink: a `Case`, with a real one behind it.

A new kind of sink adds a subclass here, or in its own folder, and a line to `CASES` in
`test_sinks_contract.py`.
"""

import asyncio
import gzip
import json
import os
import sqlite3
import subprocess
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, ClassVar

import msgspec

from tests.patience import PATIENCE
from tracker.event import ClientInfo, Domain, Event, Geolocation, Message, Verdict
from tracker.sinks import Sink, opening
from tracker.sinks.opening import Opened
from tracker.sinks.stdout import StdoutSink
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store

LOOPBACK = ("127.0.0.0/8",)  # webhooks lead there in tests alone
Told = list[tuple[str, int]]  # id and revision, in the order in which they are there


def event(number: int, revision: int = 0) -> Event:
    """Make one event; the number tells it from all others."""
    return Event(
        event="opened",
        id=f"{number:022d}",
        timestamp=1_763_688_423 + number,
        domain=Domain(name="example.com"),
        recipient="ann@example.org",
        recipient_domain="example.org",
        ip="192.0.2.1",
        geolocation=Geolocation(),
        client_info=ClientInfo(),
        message=Message(headers={"message-id": "m@example.com"}),
        verdict=Verdict(),
        revision=revision,
    )


def told(lines: Iterable[bytes | str]) -> Told:
    """Return what lines of JSON tell."""
    found = map(json.loads, lines)
    return [(one["id"], one.get("revision", 0)) for one in found]


class Case(ABC):
    """One kind of sink over a folder of its own. Methods run in the test's event loop.

    `keeps` says whether it knows over a crash of the process what it has: else an event that comes
    again then is there twice. What else it can do it says by being Leaving, Hanging, Refusing.
    """

    url: str
    keeps: ClassVar[bool] = True
    within: ClassVar[float] = 0.1  # seconds in which it takes a batch, connecting included
    patience: ClassVar[float] = 0.2  # seconds that a store waits for whoever else is writing to it

    def __init__(self, folder: Path) -> None:
        """Start what is real."""
        self.folder = folder
        self.store = str(folder / "contract.db")
        self.output: int = subprocess.DEVNULL  # the standard output of a process with this sink
        self._opened: list[Store] = []

    async def open(self) -> Sink:
        """Open the sink as an office that starts does. Whoever opened it closes it."""
        store = await Store.open(self.store, patience=self.patience)
        self._opened.append(store)
        (sink,) = opening.sinks([SinkUrl.parse(self.url)], Opened(store, LOOPBACK))
        return sink

    @abstractmethod
    async def kept(self) -> Told:
        """Return what has arrived."""

    async def rest(self) -> None:
        """Close what `open` left open, in the event loop that it was opened in."""
        while self._opened:
            await self._opened.pop().close()

    @abstractmethod
    def close(self) -> None:
        """End what is real."""


class Leaving(Case):
    """It can be away, and come back."""

    @abstractmethod
    async def leave(self) -> None:
        """Let it be away: what is delivered fails soon."""

    @abstractmethod
    async def come_back(self) -> None:
        """Let it be there again."""


class Hanging(Case):
    """It can take a batch and not answer."""

    @abstractmethod
    async def hang(self) -> None:
        """Have it take events and never answer."""

    @abstractmethod
    async def go_on(self) -> None:
        """Have it answer again."""


class Refusing(Case):
    """There are events that it never takes."""

    @abstractmethod
    def refused(self, one: Event) -> Event:
        """Turn an event into one that is refused for good."""


class StoreCase(Leaving, Hanging, Refusing):
    """The store, in SQLite: away and hanging while another process is writing."""

    url = "store"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._other: sqlite3.Connection | None = None

    async def kept(self) -> Told:
        store = await Store.open(self.store)
        found = await store.feed(0, 100_000)
        await store.close()
        return told(one.document for one in found)

    def refused(self, one: Event) -> Event:
        return msgspec.structs.replace(one, domain=Domain(""))

    async def leave(self) -> None:
        self._other = sqlite3.connect(self.store, isolation_level=None)
        self._other.execute("BEGIN IMMEDIATE")

    async def come_back(self) -> None:
        if self._other is not None:
            self._other.execute("ROLLBACK")
            self._other.close()

    hang = leave
    go_on = come_back

    def close(self) -> None:
        """Nothing runs."""


class FileCase(Leaving):
    """A file: away while its folder is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "out").mkdir()
        self.path = folder / "out" / "events.jsonl"
        self.url = f"file:{self.path}"

    async def kept(self) -> Told:
        return told(self.path.read_bytes().splitlines()) if self.path.exists() else []

    async def leave(self) -> None:
        self.path.parent.rename(self.folder / "elsewhere")

    async def come_back(self) -> None:
        (self.folder / "elsewhere").rename(self.path.parent)

    def close(self) -> None:
        """Nothing runs."""


class RotatedCase(FileCase):
    """A file that is closed every few events, and compressed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url += "?rotate=4kB&compress=gzip&keep=10000"

    async def kept(self) -> Told:
        closed = {
            path.name.removesuffix(".gz"): path for path in self.path.parent.glob("*-*.jsonl*")
        }
        whole = [path for name, path in sorted(closed.items(), key=_number) if "part" not in name]
        lines = [
            line
            for path in whole
            for line in (
                gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            ).splitlines()
        ]
        return [*told(lines), *await super().kept()]


def _number(named: tuple[str, Path]) -> int:
    return int(named[0].partition(".")[0].rpartition("-")[2])


class StdoutCase(Hanging):
    """A pipe, with somebody who reads on until told to hang."""

    keeps = False

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.url = "stdout"
        self._reading, self.output = os.pipe()
        self._content = b""
        self._marks = 0
        self._streams: list[BinaryIO] = []
        self._going = threading.Event()
        self._going.set()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    async def open(self) -> Sink:
        self._streams.append(os.fdopen(os.dup(self.output), "wb"))
        return StdoutSink(self._streams[-1])

    async def kept(self) -> Told:
        # What was written before this mark is read before it.
        self._marks += 1
        mark = b"\nmark %d\n" % self._marks
        os.write(self.output, mark)
        while mark not in self._content:
            await asyncio.sleep(0.001)
        return told(line for line in self._content.splitlines() if line.startswith(b"{"))

    async def hang(self) -> None:
        self._going.clear()

    async def go_on(self) -> None:
        self._going.set()

    async def rest(self) -> None:
        while self._streams:
            self._streams.pop().close()

    def close(self) -> None:
        self._going.set()
        os.close(self.output)
        self._thread.join(PATIENCE)
        # Its number may be another's soon: whoever still read from it would take what isn't theirs.
        assert not self._thread.is_alive()
        os.close(self._reading)

    def _read(self) -> None:
        while self._going.wait() and (some := os.read(self._reading, 1 << 16)):
            self._content += some
