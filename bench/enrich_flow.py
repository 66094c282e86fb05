"""From the spool to sinks: `python -m bench.enrich_flow`.

First, events a second out of a spool that is full, to nowhere, to the store, to the store and two
files: what sinks cost, and that the second and third enrich nothing. Then the lag of the store
while `tracker serve` takes all that wrk can ask of it, and the time until it has caught up.
"""

import argparse
import asyncio
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Final

import httpx
import msgspec
from prometheus_client.parser import text_string_to_metric_families

from bench.edge import traffic
from bench.edge.wrk import closed_loop
from bench.enrich import DOMAIN, SENT, mixed
from rewriter.keyring import Keyring
from rewriter.tokens import Tokens
from tracker import hit as hits
from tracker.event import Event
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.ledger import Ledger
from tracker.office.events import Events
from tracker.reader import SpoolReader
from tracker.segments import Segments
from tracker.sinks import Sink
from tracker.sinks.file import FileSink
from tracker.sinks.store import StoreSink
from tracker.store.database import Store

STREAMS: Final = 2
FRAME: Final = 50  # hits that came together
SEGMENT_BYTES: Final = 8 << 20
APART: Final = 1_000  # microseconds between two hits
SAMPLED_EVERY: Final = 0.5  # seconds


class Nowhere:
    """Takes events and keeps none."""

    name = "nowhere"

    async def deliver(self, events: Sequence[Event]) -> None:
        """Forget them."""

    async def close(self) -> None:
        """Nothing is open."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--hits", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=20, help="of load; 0 leaves it out")
    parser.add_argument("--connections", type=int, default=64)
    arguments = parser.parse_args()
    print(f"{arguments.hits} hits, Python {platform.python_version()}")
    for names in (["nowhere"], ["store"], ["store", "file", "another file"]):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(drained(Path(folder), names, arguments.hits))
    if arguments.seconds:
        with tempfile.TemporaryDirectory() as folder:
            loaded(Path(folder), arguments.seconds, arguments.connections)


async def drained(data: Path, names: Sequence[str], count: int) -> None:
    """Forward a full spool to sinks; print how fast."""
    fill(data, count)
    store = await Store.open(data / "store.db")
    with closing(Ledger.open(data / "forward.db")) as book:
        events = Events.open(data / "keyring.json", [])
        sinks = [_sink(name, data, store) for name in names]
        spool = SpoolReader(data / "spool")
        forwarders = [Forwarder(sink, spool, book, events.of) for sink in sinks]
        stopping = asyncio.Event()
        stopping.set()
        began, at_work = time.perf_counter(), time.process_time()
        await asyncio.gather(*(forwarder.run(stopping) for forwarder in forwarders))
        took, worked = time.perf_counter() - began, time.process_time() - at_work
        for forwarder in forwarders:
            assert forwarder.progress.events.total() >= count, forwarder.progress.trouble
    await store.close()
    each = worked / count * 1e6
    print(
        f"to {', '.join(names):28} {count / took:10,.0f} hits a second {each:8.1f} us of CPU a hit"
    )


def fill(data: Path, count: int) -> None:
    """Write a keyring, and a spool of so many hits, in the order in which they came."""
    keyring = Keyring.new()
    keyring.save(data / "keyring.json")
    tokens = Tokens(keyring.for_domain(DOMAIN))
    streams = [Segments(data / "spool", SEGMENT_BYTES) for _ in range(STREAMS)]
    frame: list[bytes] = []
    for number, hit in enumerate(mixed(tokens, count, 1_000, 1_000), 1):
        at = SENT * 1_000_000 + number * APART
        frame.append(hits.encode(msgspec.structs.replace(hit, at=at)))
        if len(frame) == FRAME or number == count:
            streams[number // FRAME % STREAMS].write(frame)
            frame = []
    for stream in streams:
        stream.close()


def _sink(name: str, data: Path, store: Store) -> Sink:
    match name:
        case "nowhere":
            return Nowhere()
        case "store":
            return StoreSink(store)
    return FileSink(data / f"{name}.jsonl")


def loaded(data: Path, seconds: int, connections: int) -> None:
    """Let one worker and the office take all that wrk asks; print the store's lag."""
    traffic.write(data / "keyring.json", data / "paths")
    settings = {
        "TRACKER_DATA": str(data),
        "TRACKER_EDGE_LISTEN": "127.0.0.1:0",
        "TRACKER_API_LISTEN": "127.0.0.1:0",
        "TRACKER_EDGE_WORKERS": "1",
        "TRACKER_LOG_FORMAT": "json",
    }
    serving = subprocess.Popen(
        [sys.executable, "-m", "tracker", "serve"],
        env={**os.environ, **settings},
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    with serving:
        try:
            _load(serving, data / "paths", seconds, connections)
        finally:
            serving.terminate()


def _load(serving: "subprocess.Popen[bytes]", paths: Path, seconds: int, connections: int) -> None:
    assert serving.stderr is not None
    lines = map(msgspec.json.decode, serving.stderr)
    edge, api = next(line["on"] for line in lines if line["event"] == "listening")
    port = int(edge.rpartition(":")[2])
    last = max(os.sched_getaffinity(0))
    lags = []
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=f"http://{api}") as client:
        while _figure(client, "tracker_sink_up") is None:
            time.sleep(SAMPLED_EVERY)
        asking = pool.submit(
            closed_loop,
            port,
            paths,
            core=last,
            connections=connections,
            keep_alive=True,
            seconds=seconds,
        )
        while not asking.done():
            lags.append(_figure(client, "tracker_sink_lag_seconds") or 0)
            time.sleep(SAMPLED_EVERY)
        answered, began = asking.result(), time.monotonic()
        kept = _figure(client, "tracker_sink_events_total") or 0
        while (_figure(client, "tracker_sink_events_total") or 0) < answered.requests:
            time.sleep(SAMPLED_EVERY)
        caught_up = time.monotonic() - began
    print(
        f"under load: {answered.requests / answered.seconds:,.0f} requests/s taken,"
        f" {kept / answered.seconds:,.0f} events/s stored meanwhile; lag at most {max(lags):.1f} s;"
        f" caught up {caught_up:.1f} s after its end"
    )


def _figure(client: httpx.Client, name: str) -> float | None:
    """Return the sum of a figure's samples."""
    try:
        text = client.get("/metrics").text
    except httpx.TransportError:
        return None
    found = [
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]
    return sum(found) if found else None


if __name__ == "__main__":
    main()
