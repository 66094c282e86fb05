"""From one edge's spool through JetStream into PostgreSQL: `python -m bench.forward`.

A full spool, one back office that enriches and publishes, NATS, one or two consumers, PostgreSQL
that forces each commit to disk; all on this machine. Beside each run a plain COPY puts the same
rows into the same tables, with their indices and figures: nothing stores them faster.

Events a second are counted once the first ones have come through, so that no start of a process is
in them. Then hits come in at a tenth of that rate; an event's delay runs from the moment at which
its hit was written to the spool until its commit, by the clock of this machine.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Final

import msgspec

from bench.cluster import Ground, Installation, cpu, ground
from bench.edge.report import machine
from bench.enrich import DOMAIN, mixed
from bench.enrich_flow import fill
from rewriter.keyring import Keyring
from rewriter.tokens import Tokens
from tests.servers.postgresql import Postgres
from tracker import hit as hits
from tracker.segments import Segments

GOAL: Final = 0.5  # of a plain COPY
LOOK_EVERY: Final = 0.1  # seconds
PATIENCE: Final = 1_800.0  # seconds without the end of a run
TICK: Final = 0.01  # seconds between two writes of the paced edge
WARMING: Final = 3.0  # seconds that are left out of delays
SEGMENT_BYTES: Final = 8 << 20
OWNERS: Final = ("office", "NATS", "consumers", "PostgreSQL")

DELAYS: Final = """
    SELECT count(*), percentile_cont(ARRAY[0.5, 0.99]) WITHIN GROUP (
        ORDER BY extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000 - at / 1000.0
    ) FROM event WHERE at >= {}
"""
# Every table but the state of migrations; partitions are reached through their parents.
TABLES: Final = """
    SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition
    AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Flow:
    """Events a second, and what each part took of the processor for an event, in microseconds."""

    rate: float
    costs: Mapping[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hits", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=30, help="of a tenth of the load; 0: none")
    parser.add_argument("--nodes", type=int, default=1, help="NATS servers, with a copy each")
    parser.add_argument("--sync", default="2m", help="NATS' forced writes: a time, or always")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        ground(Path(folder), nodes=arguments.nodes, sync=arguments.sync) as there,
    ):
        print(machine(there.folder))
        print(f"{arguments.hits:,} hits; {arguments.nodes} NATS, forced writes: {arguments.sync}")
        slowest = min(_rates(there, consumers, arguments.hits) for consumers in (1, 2))
        if arguments.seconds:
            _delays(there, slowest / 10, arguments.seconds)


def _rates(there: Ground, consumers: int, count: int) -> float:
    """Print the rates with so many consumers; return the whole's."""
    print(f"\n{consumers} of 'tracker consume'{'':>9}{'events/s':>10}{'of COPY':>9}", end="")
    print(*(f"{owner:>11}" for owner in OWNERS), "  CPU us an event", sep="")
    whole, apart = (installed(there, f"{name}{consumers}", count) for name in ("whole", "apart"))
    flow = stored(whole, consumers, count, forwarding=True)
    limit = copied(there.postgres, whole.database)
    published = publish(apart, count)
    sizes = apart.state().bytes / count, whole.size() / count
    consumed = stored(apart, consumers, count, forwarding=False)
    _show("a plain COPY", limit, limit)
    _show("spool to stream to store", flow.rate, limit, flow.costs)
    _show("spool to stream alone", published.rate, limit, published.costs)
    _show("stream to store alone", consumed.rate, limit, consumed.costs)
    print(f"{'':30}goal: {GOAL} of COPY {'met' if flow.rate >= GOAL * limit else 'MISSED'}")
    print("bytes an event: {:.0f} in the stream, {:.0f} in PostgreSQL".format(*sizes))
    return flow.rate


def _show(what: str, rate: float, limit: float, costs: Mapping[str, float] | None = None) -> None:
    told = "".join(f"{costs[owner]:11.1f}" for owner in OWNERS) if costs else ""
    print(f"{what:30}{rate:10,.0f}{rate / limit:9.2f}{told}")


def installed(there: Ground, name: str, count: int) -> Installation:
    """Make an installation with so many hits in its spool."""
    installation = Installation.make(there, name)
    fill(installation.data, count)
    return installation


def stored(installation: Installation, consumers: int, count: int, *, forwarding: bool) -> Flow:
    """Run until the store has every event, of the stream or else of the spool."""
    with ExitStack() as stack:
        pids = {
            "consumers": [installation.consumer(stack, number) for number in range(consumers)],
            "office": [installation.office(stack)] if forwarding else [],
        }
        flow = metered(installation, pids, installation.consumed, count)
    if (found := int(installation.sql("SELECT count(*) FROM event"))) != count:
        raise AssertionError(f"{count} hits became {found} events")
    return flow


def publish(installation: Installation, count: int) -> Flow:
    """Run until the stream has every event of the spool."""
    with ExitStack() as stack:
        pids = {"office": [installation.office(stack)], "consumers": []}
        return metered(installation, pids, installation.published, count)


def metered(
    installation: Installation, pids: Mapping[str, Sequence[int]], done: Callable[[], int], of: int
) -> Flow:
    """Count from the moment that something is done until everything is."""
    servers = installation.ground.pids()

    def spent() -> dict[str, float]:
        return {owner: cpu(*found) for owner, found in {**servers, **pids}.items()}

    first = _until(done, 1)
    began, before = time.perf_counter(), spent()
    last = _until(done, of)
    took, after = time.perf_counter() - began, spent()
    costs = {owner: (after[owner] - before[owner]) / (last - first) * 1e6 for owner in OWNERS}
    return Flow((last - first) / took, costs)


def _until(done: Callable[[], int], number: int) -> int:
    deadline = time.monotonic() + PATIENCE
    while (there := done()) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{there} of {number} events after {PATIENCE:.0f} s")
        time.sleep(LOOK_EVERY)
    return there


def copied(server: Postgres, database: str) -> float:
    """Put a database's rows into empty tables like its own by COPY; return events a second."""
    tables = server.sql(TABLES, database).split()
    events = int(server.sql("SELECT count(*) FROM event", database))
    files = {table: f"'{server.folder}/{database}.{table}'" for table in tables}
    for table, file in files.items():
        server.sql(f"COPY (SELECT * FROM {table}) TO {file} (FORMAT binary)", database)
    empty = f"{database}_copied"
    server.sql(f"CREATE DATABASE {empty} TEMPLATE {database}")
    server.sql(f"TRUNCATE {', '.join(tables)}", empty)
    server.sql("CHECKPOINT")
    began = time.perf_counter()
    # One call is one transaction.
    server.sql(
        "; ".join(f"COPY {table} FROM {file} (FORMAT binary)" for table, file in files.items()),
        empty,
    )
    took = time.perf_counter() - began
    server.sql(f"DROP DATABASE {empty}")
    return events / took


def _delays(there: Ground, rate: float, seconds: int) -> None:
    """Print how long events are on their way while an edge takes so many hits a second."""
    with ExitStack() as stack:
        installation = installed(there, "paced", 1)
        installation.consumer(stack, 1)
        installation.office(stack)
        _until(installation.consumed, 1)
        began = time.time_ns() // 1000
        written = paced(installation.data, rate, seconds + WARMING)
        _until(installation.consumed, written + 1)
        since = began + int(WARMING * 1e6)
        count, delays = installation.sql(DELAYS.format(since)).split("|")
    median, last = delays.strip("{}").split(",")
    print(
        f"\nat {rate:,.0f} hits a second, {int(count):,} events: from the spool's write to the"
        f" store's commit p50 {float(median):.0f} ms, p99 {float(last):.0f} ms"
    )


def paced(data: Path, rate: float, seconds: float) -> int:
    """Write hits to the spool as an edge at a steady rate does; return how many."""
    tokens = Tokens(Keyring.load(data / "keyring.json").for_domain(DOMAIN))
    made = cycle(list(mixed(tokens, 10_000, 1_000, 1_000)))
    stream = Segments(data / "spool", SEGMENT_BYTES)
    began, written = time.perf_counter(), 0
    while (passed := time.perf_counter() - began) < seconds:
        if due := int(passed * rate) - written:
            now = time.time_ns() // 1000
            stream.write([hits.encode(_fresh(next(made), now)) for _ in range(due)])
            written += due
        time.sleep(TICK)
    stream.close()
    return written


def _fresh(hit: hits.Hit, now: int) -> hits.Hit:
    return msgspec.structs.replace(hit, at=now, id=os.urandom(16))


if __name__ == "__main__":
    main()
