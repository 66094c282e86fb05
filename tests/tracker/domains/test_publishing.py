"""The office tells what is registered to everything that reads no database."""

import logging
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import click, largest_file, token
from tracker.domains import ClickTracking, OpenTracking, Snapshot, TrackingDomain
from tracker.office.events import Events
from tracker.office.publishing import Publishing
from tracker.published import FILE, Published
from tracker.store.database import Store
from tracker.store.domains import Domains, tracking_table

pytestmark = pytest.mark.anyio

CLICK = TrackingDomain("click.example.com", "example.com")


def state(path: Path) -> tuple[int, bytes]:
    """Tell one published file from another, even of the same content."""
    return path.stat().st_ino, path.read_bytes()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE


@pytest.fixture
def publishing(domains: Domains, path: Path) -> Publishing:
    return Publishing(domains, path)


async def test_an_empty_register_is_published_too(publishing: Publishing, path: Path) -> None:
    await publishing.refresh()
    assert Published(path).current() == Snapshot()
    assert state(path)


async def test_a_change_is_published_and_nothing_is_written_without_one(
    publishing: Publishing, domains: Domains, path: Path
) -> None:
    await domains.add(CLICK, who="ann")
    await publishing.refresh()
    assert Published(path).current() == publishing.snapshot == await domains.snapshot()
    written = state(path)
    await publishing.refresh()
    assert state(path) == written
    await domains.change(CLICK.name, who="ann", https_proven_at=5)
    await publishing.refresh()
    assert Published(path).current().tracking[CLICK.name].scheme == "https"


async def test_a_full_disk_leaves_what_was_published_and_is_made_good_later(
    publishing: Publishing, domains: Domains, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await publishing.refresh()
    before = state(path)
    await domains.add(CLICK, who="ann")
    with largest_file(10), caplog.at_level(logging.ERROR):
        await publishing.refresh()
        await publishing.refresh()
    assert state(path) == before
    assert [record.message for record in caplog.records] == ["domains_not_published"]
    await publishing.refresh()
    assert list(Published(path).current().tracking) == [CLICK.name]


async def test_a_damaged_register_leaves_what_was_published(
    publishing: Publishing,
    domains: Domains,
    store: Store,
    path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await domains.add(CLICK, who="ann")
    await publishing.refresh()
    before = state(path)
    async with store.writing() as connection:
        await connection.execute(update(tracking_table).values(document=b"{"))
    await domains.add(msgspec.structs.replace(CLICK, name="go.example.com"), who="ann")
    with caplog.at_level(logging.ERROR):
        await publishing.refresh()
    assert state(path) == before
    assert [record.message for record in caplog.records] == ["domains_not_published"]


async def test_what_is_switched_off_makes_no_event(
    publishing: Publishing, domains: Domains, tmp_path: Path
) -> None:
    keyring = Keyring.new()
    keyring.save(tmp_path / "keyring.json")
    events = Events.open(tmp_path / "keyring.json", [], records=publishing.records)
    minted = token(keyring)
    await publishing.refresh()
    assert events.of(click(minted)) is not None
    await domains.change_sending("example.com", who="ann", open=OpenTracking(active=False))
    await publishing.refresh()
    assert events.of(click(minted)) is not None
    await domains.change_sending("example.com", who="ann", click=ClickTracking(active=False))
    await publishing.refresh()
    assert events.of(click(minted)) is None


async def test_an_unsubscription_is_recorded_whatever_is_switched_off(
    publishing: Publishing, domains: Domains
) -> None:
    await domains.change_sending(
        "example.com",
        who="ann",
        open=OpenTracking(active=False),
        click=ClickTracking(active=False),
    )
    await publishing.refresh()
    recorded = {kind: publishing.records("example.com", kind) for kind in "ocu"}
    assert recorded == {"o": False, "c": False, "u": True}
    assert publishing.records("example.org", "o")


async def test_what_an_office_before_published_holds_while_the_store_is_away(
    publishing: Publishing, domains: Domains, path: Path, tmp_path: Path
) -> None:
    await domains.change_sending("example.com", who="ann", open=OpenTracking(active=False))
    await publishing.refresh()
    restarted = Publishing(Domains(Store(tmp_path / "gone" / "store.db")), path)
    await restarted.refresh()
    assert not restarted.records("example.com", "o")
    assert (restarted.as_of, publishing.as_of > 0) == (0, True)
