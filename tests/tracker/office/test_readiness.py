"""Readiness: one look at everything that the office depends on."""

import asyncio
import socket
from pathlib import Path

import pytest
from sqlalchemy import text

from rewriter.keyring import Keyring
from tests.patience import PATIENCE
from tests.tracker.forwarding.parts import Kept, Office, Worker, click, token
from tests.tracker.store.documents import DOMAIN, document
from tracker.health import Check, Health
from tracker.metrics import Late, exposition
from tracker.office.readiness import readiness
from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.recipient import erase_recipient
from tracker.store.row import row


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call nothing silent or late that has to wait for a machine that is busy."""
    monkeypatch.setattr("tracker.office.readiness.ANSWER_WITHIN", PATIENCE)
    monkeypatch.setattr("tracker.health.SILENT_AFTER", PATIENCE)


def look(
    office: Office, store_path: Path, content: bytes = b"", *, elsewhere: bool = False
) -> Health:
    """Look once; before it, damage the store if there is something to damage it with."""

    async def ready() -> Health:
        store = await Store.open(store_path, patience=PATIENCE, within=PATIENCE)
        if content:
            await store.close()  # what is open would be read from memory
            await asyncio.to_thread(store_path.write_bytes, content)
        known = {"places": Check("ok", "known"), "rules": Check("ok", "known")}
        answer = readiness(
            office.sweep, office.forwarders, store, lambda: known, elsewhere=elsewhere
        )
        try:
            return await answer()
        finally:
            await store.close()

    return asyncio.run(ready())


def test_where_events_go_elsewhere_the_work_is_done_without_a_store(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    office = Office(tmp_path, Kept())
    broken = look(office, tmp_path / "store.db", b"some other file" * 1000, elsewhere=True)
    office.ledger.close()
    assert (broken.status, broken.statuses["store"]) == ("degraded", "degraded")
    assert "put back a copy" in broken.checks["store"]


def test_events_that_came_behind_an_erasure_are_told(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    office = Office(tmp_path, Kept())

    async def ready() -> tuple[Health, bytes]:
        store = await Store.open(tmp_path / "store.db", patience=PATIENCE, within=PATIENCE)
        await erase_recipient(store, "ann@example.com")
        await store.insert([row(document(1, recipient="ann@example.com"))])
        answer = readiness(office.sweep, office.forwarders, store, dict)
        try:
            return await answer(), exposition(lambda: office.sweep.survey, (), Late(store))()
        finally:
            await store.close()

    found, figures = asyncio.run(ready())
    office.ledger.close()
    assert found.checks["store"] == "answers; no event yet; left out 1 event from before an erasure"
    assert b"tracker_erased_late_total 1.0" in figures


def test_all_is_well_while_a_worker_lives_and_sinks_follow(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    office = Office(tmp_path, Kept())
    found = look(office, tmp_path / "store.db")
    office.ledger.close()
    assert found.status == "ok"
    assert list(found.checks) == [
        "edge",
        "spool",
        "backlog",
        "sweep",
        "sink kept",
        "store",
        "places",
        "rules",
    ]


def test_a_sink_that_is_down_is_a_limp_and_a_store_that_cannot_answer_is_not_ready(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    worker.write(click(token(keyring)))
    down = Kept()
    down.down = True
    office = Office(tmp_path, down)
    asyncio.run(office.drain())
    limping = look(office, tmp_path / "store.db")
    broken = look(office, tmp_path / "store.db", b"some other file" * 1000)
    office.ledger.close()
    assert limping.status == "degraded"
    assert limping.checks["sink kept"].startswith("down for the test; ")
    assert broken.status == "down"


def test_events_that_are_damaged_are_a_limp_and_are_counted(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    office = Office(tmp_path, Kept())

    async def ready() -> Health:
        store = await Store.open(tmp_path / "store.db", patience=PATIENCE, within=PATIENCE)
        await store.insert([row(document(number)) for number in range(3)])
        async with store.writing() as connection:
            await connection.execute(text("UPDATE event SET document = x'00' WHERE sequence > 1"))
        for _ in range(2):
            assert len(await store.page(Walk(DOMAIN, ascending=True, limit=10))) == 1
        found = await readiness(office.sweep, office.forwarders, store, dict)()
        await store.close()
        return found

    found = asyncio.run(ready())
    office.ledger.close()
    assert found.status == "degraded"
    assert "answers, but passed 2 damaged events by; the log says which" in found.checks["store"]


def test_a_store_that_says_nothing_is_told_before_whoever_asks_gives_up(
    tmp_path: Path, keyring: Keyring, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.office.readiness.ANSWER_WITHIN", 0.1)
    office = Office(tmp_path, Kept())

    async def ready(where: str) -> Health:
        store = Store(where)
        found = await readiness(office.sweep, office.forwarders, store, dict)()
        await store.close()
        return found

    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = asyncio.run(ready(f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x"))
    office.ledger.close()
    assert found.checks["store"] == "the store hasn't answered within 0.1 s"
