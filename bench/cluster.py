"""What measurements of the cluster stand on: real servers, and tracker's processes with their cost.

In: a folder. Out: NATS and PostgreSQL from the tests' packages, on loopback, durable; `tracker`
commands as processes of their own; the CPU time of a process with all that it started.
"""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.request import urlopen

import msgspec

from bench.edge.process import PROC, TICKS
from tests.patience import wait_for
from tests.servers import nats, postgresql
from tests.servers.nats import Nats
from tests.servers.postgresql import Postgres

DRAINED_WITHIN: Final = 120.0  # seconds
# As deploy/ has them; the times of commits tell when an event was stored.
POSTGRESQL: Final = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "track_commit_timestamp": "on",
}


class State(msgspec.Struct, frozen=True):
    """What NATS tells of a stream: the number of its last message, and what it still has."""

    last_seq: int = 0
    messages: int = 0
    bytes: int = 0


class Stream(msgspec.Struct, frozen=True):
    """A stream, in what NATS' monitoring port tells."""

    name: str
    state: State = State()


class Account(msgspec.Struct, frozen=True):
    """Whose streams they are."""

    stream_detail: list[Stream] = []


class Jsz(msgspec.Struct, frozen=True):
    """What `/jsz` answers."""

    account_details: list[Account] = []


@dataclass(frozen=True, slots=True)
class Ground:
    """The servers, and the folder that everything else is in."""

    folder: Path
    nats: Nats
    postgres: Postgres

    def pids(self) -> dict[str, list[int]]:
        """Return the servers' processes."""
        return {"NATS": [node.pid for node in self.nats.nodes], "PostgreSQL": [self.postgres.pid]}


@contextlib.contextmanager
def ground(folder: Path, *, nodes: int = 1, sync: str = "2m") -> Iterator[Ground]:
    """Run the servers until the block ends. `sync` is NATS' interval of forced writes."""
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgresql.running(durable=True, **POSTGRESQL))
        streams = stack.enter_context(nats.running(folder / "nats", nodes=nodes))
        if sync != "2m":
            _synced(streams, sync)
        yield Ground(folder, streams, database)


def _synced(streams: Nats, sync: str) -> None:
    """Start the servers anew with another interval."""
    for node in streams.nodes:
        node.stop()
        file = node.folder / "nats.conf"
        told = msgspec.json.decode(file.read_bytes())
        told["jetstream"]["sync_interval"] = sync
        file.write_bytes(msgspec.json.encode(told))
        node.start()
    streams.ready()


@dataclass(frozen=True, slots=True)
class Installation:
    """One run's own: a data folder, a stream and a database, which all of its processes share."""

    ground: Ground
    data: Path
    stream: str
    store: str

    @classmethod
    def make(cls, there: Ground, name: str) -> Self:
        """Make an empty one."""
        data = there.folder / name
        data.mkdir()
        return cls(there, data, there.nats.fresh("EVENTS"), there.postgres.fresh())

    @property
    def database(self) -> str:
        """The database's name."""
        return self.store.rpartition("/")[2]

    def sql(self, statement: str) -> str:
        """Ask the database."""
        return self.ground.postgres.sql(statement, self.database)

    def size(self) -> int:
        """Return the bytes that its rows take on disk, with indices and figures."""
        tables = "SELECT sum(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
        return int(self.sql(tables))

    def office(self, stack: contextlib.ExitStack) -> int:
        """Run the back office of this edge until the stack is closed; return its process."""
        told = self._told(self.data) | {"TRACKER_API_LISTEN": "127.0.0.1:0"}
        return stack.enter_context(running("office", told)).pid

    def consumer(self, stack: contextlib.ExitStack, number: int) -> int:
        """Run a consumer until the stack is closed; return its process once it listens."""
        data = self.data.with_name(f"{self.data.name}-consumer-{number}")
        told = self._told(data) | {"TRACKER_CONSUME_LISTEN": "127.0.0.1:0"}
        process = stack.enter_context(running("consume", told))
        wait_for(lambda: _listens(process, data), f"a consumer to listen; see {data}.log")
        return process.pid

    def _told(self, data: Path) -> dict[str, str]:
        return {
            "TRACKER_DATA": str(data),
            "TRACKER_SINKS": f"nats://{self.ground.nats.hosts}/{self.stream}",
            "TRACKER_STORE_URL": self.store,
        }

    def published(self) -> int:
        """Return how many events the stream has taken."""
        return self.state().last_seq

    def consumed(self) -> int:
        """Return how many events consumers have taken out of the stream: those that are stored."""
        state = self.state()
        return state.last_seq - state.messages

    def state(self) -> State:
        """Return what the stream has."""
        # The tests' own question takes 20 ms of the processor, and this is asked all the time.
        monitor = self.ground.nats.nodes[0].monitor
        with urlopen(f"http://127.0.0.1:{monitor}/jsz?streams=true", timeout=5) as answer:
            said = msgspec.json.decode(answer.read(), type=Jsz)
        streams = (one for account in said.account_details for one in account.stream_detail)
        return next((one.state for one in streams if one.name == self.stream), State())


@contextlib.contextmanager
def running(command: str, settings: Mapping[str, str]) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a `tracker` command until the block ends, and drain it; its log is beside its data."""
    with _log(Path(settings["TRACKER_DATA"])).open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "tracker", command],
            env={**os.environ, "TRACKER_LOG_FORMAT": "json", **settings},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(DRAINED_WITHIN)


def _log(data: Path) -> Path:
    return data.with_name(f"{data.name}.log")


def _listens(process: "subprocess.Popen[bytes]", data: Path) -> bool:
    said = _log(data).read_text()
    if process.poll() is not None:
        raise OSError(f"a consumer ended: {said}")
    return '"event":"listening"' in said.replace(" ", "")


def cpu(*pids: int) -> float:
    """Return the CPU seconds of processes and of all that they started, whether it ended or not."""
    return sum(_cpu(pid) for pid in pids)


def _cpu(pid: int) -> float:
    # utime, stime, and those of children that were waited for (proc(5)).
    fields = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[11:15]
    return sum(map(int, fields)) / TICKS + cpu(*_children(pid))


def _children(pid: int) -> Sequence[int]:
    tasks = (PROC / str(pid) / "task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
