"""The system in a storm: `tracker serve` with a data folder of its own, and its books after it."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import httpx
import msgspec

from rewriter.keyring import Keyring
from tests.patience import wait_for
from tests.storm.crowd import Visit
from tests.tracker.operation.running import Running, running
from tracker.forwarding.ledger import FILE, Ledger
from tracker.forwarding.standing import standings
from tracker.reader import SpoolReader
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store

Role = Literal["tracker.edge.worker", "tracker.office"]
KINDS = {"opened": "o", "clicked": "c", "unsubscribed": "u"}


@dataclass(frozen=True, slots=True)
class System:
    """A running system."""

    serving: Running
    data: Path

    @property
    def edge(self) -> str:
        """Where recipients go."""
        return self.serving.addresses[0]

    def processes(self, role: Role) -> list[int]:
        """Return the processes of a role that are there at this moment."""
        parent = self.serving.process.pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return [int(pid) for pid in children if role.encode() in _command(pid)]

    def kill(self, role: Role, which: int) -> bool:
        """Kill -9 a process of a role, if there is one; tell whether there was."""
        there = self.processes(role)
        if there:
            os.kill(there[which % len(there)], signal.SIGKILL)
        return bool(there)

    def stop(self) -> None:
        """Let it drain; whatever a dying office left behind, another one forwards."""
        _drain(self.serving)
        with running("office", TRACKER_DATA=str(self.data)) as office:
            _wait_for_office(office)  # which sweeps at its end
            # However long that takes: an office that is told to stop has 20 seconds for it.
            wait_for(lambda: _everything_is_forwarded(self.data), "the spool to be empty")
            _drain(office)


@contextmanager
def serving(data: Path, **settings: str) -> Iterator[System]:
    """Serve a fresh data folder until the block ends; settings as the environment has them."""
    with running("serve", TRACKER_DATA=str(data), **settings) as served:
        _wait_for_office(served)
        yield System(served, data)


def keyring(data: Path) -> Path:
    """Make a data folder that holds a keyring, and nothing else."""
    data.mkdir(mode=0o700)
    path = data / "keyring.json"
    Keyring.new().save(path)
    return path


def stored(data: Path) -> Counter[Visit]:
    """Return how often each visit is in the store."""

    async def documents() -> list[bytes]:
        store = await Store.open(data / "store.db")
        found: list[bytes] = []
        last = 0
        while page := await store.feed(last, 300):
            found += [event.document for event in page]
            last = page[-1].sequence
        await store.close()
        return found

    return Counter(map(_visit, asyncio.run(documents())))


def lost(data: Path) -> int:
    """Return how many hits the edge owned up to having lost."""
    ledger = Ledger.open(data / FILE)
    counted = ledger.finished()[1]
    ledger.close()
    return counted["LOST"]


def _visit(document: bytes) -> Visit:
    event = msgspec.json.decode(document)
    return Visit(int(event["recipient"].partition("@")[0][1:]), KINDS[event["event"]])


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


def _everything_is_forwarded(data: Path) -> bool:
    with closing(Ledger.open(data / FILE)) as ledger:
        [store] = standings(ledger, SpoolReader(data / "spool"), [SinkUrl.parse("store")])
    return store.lag.bytes == 0


def _wait_for_office(tracker: Running) -> None:
    api = tracker.addresses[-1]
    httpx.get(f"http://{api}/healthz", timeout=60).raise_for_status()


def _drain(tracker: Running) -> None:
    tracker.process.send_signal(signal.SIGTERM)
    assert tracker.process.stderr is not None
    tracker.process.stderr.read()
    assert tracker.process.wait() == 0
