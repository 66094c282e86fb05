"""What a message's privacy mode leaves out is nowhere, once its hits are events.

The whole way: real requests to a real edge, its spool, forwarding, a store and a file, the log, an
export. Then every byte that lies in the data folder is looked at.
"""

import asyncio
import json
import logging
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Privacy, Tokens
from tests.patience import PATIENCE, until
from tests.tracker.operation.conftest import Tracker
from tests.tracker.operation.running import Running, running
from tracker import roles
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.ledger import FILE, Ledger
from tracker.forwarding.sweep import Sweep
from tracker.logs import JsonLines
from tracker.office.events import Events
from tracker.reader import SpoolReader
from tracker.sinks import Sink
from tracker.sinks.file import FileSink
from tracker.sinks.store import StoreSink
from tracker.store.database import Store

DOMAIN = "127.0.0.1"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0 Needle/77"
HEADERS = {"user-agent": AGENT, "accept-language": "tlh-KX", "x-forwarded-for": "198.51.100.77"}
PERSONAL = ["ann.needle", "needle.example", "198.51.100.", "needle/77", "tlh-kx", "mid-needle"]
PERSONAL += ["var-needle", "query-needle", "path-needle"]


def requests(mode: Privacy) -> list[str]:
    """Return the paths of an open and of three clicks, which are a burst."""
    tokens = Tokens(Keyring.load(Path("data/keyring.json")).for_domain(DOMAIN))
    context = tokens.seal_context(
        Context(
            message_id="<mid-needle@shop.example>",
            recipient="Ann.Needle@needle.example",
            sending_domain="shop.example",
            sent_at=int(time.time()) - 3600,
            tags=("spring",),
            variables=(("customer", "var-needle"),),
            privacy=mode,
        )
    )
    url = "https://x.example/{}/Ann.Needle@needle.example/path-needle?q=query-needle"
    links = [(b"o", Link()), *((b"c", Link(url.format(n), n)) for n in range(3))]
    return [
        f"/{kind.decode()}/{tokens.mint(kind, tokens.seal_link(link), context).decode()}"
        for kind, link in links
    ]


def asked(edge: Running, path: str) -> httpx.Response:
    """Ask the edge, as a reader's client does."""
    return httpx.get(f"http://{edge.addresses[0]}{path}", headers=HEADERS, timeout=PATIENCE)


async def forwarded(data: Path) -> None:
    """Do what the back office does, until nothing is left to do for anybody."""
    store = await Store.open(data / roles.STORE)
    with closing(Ledger.open(data / FILE)) as book:
        spool = SpoolReader(data / roles.SPOOL)
        events = Events.open(data / "keyring.json", [])
        sinks: list[Sink] = [StoreSink(store), FileSink(data / "events.jsonl")]
        forwarders = [Forwarder(sink, spool, book, events.of, late=0) for sink in sinks]
        sweep = Sweep(spool, book, forwarders)
        stopping = asyncio.Event()
        stopping.set()

        async def nobody_waits() -> bool:
            await asyncio.gather(*(forwarder.run(stopping) for forwarder in forwarders))
            return not book.rows("select * from recent")

        await until(nobody_waits)
        sweep.wipe()
        assert not DeadLetters(book).count()
        for sink in sinks:
            await sink.close()
    await store.close()


def bytes_in(folder: Path) -> bytes:
    """Return all that lies in a folder, in lower case."""
    return b"\0".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()).lower()


@pytest.mark.parametrize("mode", ["pseudonymous", "anonymous"])
def test_what_a_mode_leaves_out_is_in_no_file_no_log_and_no_export(
    mode: Privacy, folder: Path, tracker: Tracker, caplog: pytest.LogCaptureFixture
) -> None:
    tracker("keys", "new")
    data = folder / "data"
    with running("edge") as edge, caplog.at_level(logging.INFO):
        for path in requests(mode):
            answer = asked(edge, path)
            assert answer.status_code in (200, 302)
        assert b"tlh-kx" in bytes_in(data), "until it is forwarded a hit is as it came"
        asyncio.run(forwarded(data))
        left = bytes_in(data)
        edge.process.terminate()
        assert edge.process.stderr is not None
        logged = edge.process.stderr.read() + "".join(map(JsonLines().format, caplog.records))
    exported = tracker("export").out
    events = [json.loads(line) for line in exported.splitlines()]
    assert sorted(event["event"] for event in events) == ["clicked"] * 3 + ["opened"]
    assert len((data / "events.jsonl").read_bytes().splitlines()) >= len(events)
    for needle in PERSONAL:
        assert needle.encode() not in left, needle
        assert needle not in logged.lower(), needle
        assert needle not in exported.lower(), needle


def test_a_hit_of_a_message_that_is_off_leaves_nothing(folder: Path, tracker: Tracker) -> None:
    tracker("keys", "new")
    with running("edge") as edge:
        for path in requests("off"):
            asked(edge, path)
        asyncio.run(forwarded(folder / "data"))
        left = bytes_in(folder / "data")
    assert tracker("export").out == ""
    assert [needle for needle in PERSONAL if needle.encode() in left] == []
