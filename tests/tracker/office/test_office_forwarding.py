"""How an office begins to forward: which sinks may lose their turn, and where it reads on."""

from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Kept, Office, Worker, click, token
from tests.tracker.office.process import told
from tracker.forwarding.ledger import Ledger
from tracker.office.forwarding import forwarding, spared
from tracker.reader import SpoolReader
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("sinks", "never_skipped"),
    [
        (["store", "stdout", "file:a.jsonl"], ["store"]),
        (["stdout", "store?name=events"], ["events"]),
        (["stdout", "file:a.jsonl"], ["stdout", "file:a.jsonl"]),
        (["store?events=clicked", "stdout"], ["store", "stdout"]),
    ],
)
def test_only_a_store_that_has_everything_lets_others_lose_their_turn(
    sinks: list[str], never_skipped: list[str]
) -> None:
    assert spared([SinkUrl.parse(text) for text in sinks]) == never_skipped


async def test_without_its_ledger_an_office_finds_what_waits_behind_what_was_written_over(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    minted = token(keyring)
    worker.write(*[click(minted) for _ in range(3)])
    earlier = Office(tmp_path, Kept())
    await earlier.drain()
    earlier.sweep.wipe()
    earlier.ledger.close()
    waiting = click(minted)
    worker.write(waiting)
    worker.die()
    (tmp_path / "forward.db").unlink()
    store, book = Store(str(tmp_path / "store.db")), Ledger.open(tmp_path / "forward.db")
    async with forwarding(told(tmp_path), book, store, earlier.event_of) as begun:
        (stream,) = SpoolReader(tmp_path / "spool").streams()
        (forwarder,) = begun.forwarders
        batch = stream.read(forwarder.positions[stream.name])
    book.close()
    await store.close()
    assert batch.hits == (waiting,)
