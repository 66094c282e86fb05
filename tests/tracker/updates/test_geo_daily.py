"""The back office fetches the City database by itself, if it is told to."""

import asyncio
import gzip
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from rewriter.keyring import Keyring
from tests.patience import until
from tests.tracker.forwarding.parts import click, token
from tests.tracker.updates.conftest import Host
from tests.tracker.updates.test_geo_update import database
from tracker import geo
from tracker.geo.sources import origins
from tracker.office import OfficeSettings
from tracker.office.events import Events
from tracker.office.places import keep_current


def settings(data: Path, host: Host) -> OfficeSettings:
    return OfficeSettings(
        data=str(data),
        spool="",
        keyring="",
        store="",
        listen_fds=[],
        api_key="",
        geo_update="dbip",
        geo_mirror=host.url,
    )


def files(host: Host, content: bytes) -> None:
    """Have this month's database there."""
    today = datetime.now(UTC).date()
    host.files = {urlsplit(one.url).path: content for one in origins("dbip", today, {}, host.url)}


async def kept_until(told: OfficeSettings, done: Callable[[], object]) -> None:
    """Keep the database current until something has happened."""
    keeping = asyncio.create_task(keep_current(told))
    await until(done)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping


def test_a_database_that_comes_later_is_taken_up_and_left_for_a_day(
    host: Host, tmp_path: Path
) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    files(host, gzip.compress(database(tmp_path, "SE")))
    target = geo.fetched(tmp_path)
    events = Events.open(tmp_path / "keyring.json", [], fetched=target)
    told = settings(tmp_path, host)
    asyncio.run(kept_until(told, target.with_suffix(".asked").exists))
    events.refresh()
    event = events.of(click(token(Keyring.load(tmp_path / "keyring.json"))))
    assert event is not None
    assert event.geolocation.country == "SE"
    asked = len(host.asked)

    async def again() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(keep_current(told), 0.05)

    asyncio.run(again())
    assert len(host.asked) == asked


def test_a_host_that_cannot_answer_is_told_and_tried_again_later(
    host: Host, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        asyncio.run(kept_until(settings(tmp_path, host), lambda: caplog.records))
    (record,) = caplog.records
    assert (record.message, "404" in vars(record)["reason"]) == ("places_not_updated", True)


def test_nothing_is_fetched_unless_it_is_set(host: Host, tmp_path: Path) -> None:
    told = OfficeSettings(
        data=str(tmp_path), spool="", keyring="", store="", listen_fds=[], api_key=""
    )
    asyncio.run(keep_current(told))
    assert host.asked == []
