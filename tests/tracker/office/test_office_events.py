"""Events as the office makes them: places come and go, events stay."""

import logging
from pathlib import Path

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import click, token
from tracker.enrich.privacy import pseudonym_key
from tracker.health import Check
from tracker.office.events import Events

METADATA = b"\xab\xcd\xefMaxMind.com"


def city_database(path: Path, country: str) -> None:
    """Put a database in the place of the one before."""
    writer = MMDBWriter(ip_version=4, database_type="Test-City", languages=["en"])
    names = {"iso_code": country, "names": {"en": country}}
    writer.insert_network(IPSet(["192.0.2.0/24"]), {"country": names})
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.replace(path)


def damage(path: Path) -> None:
    """Make every record of a database unreadable, and leave its frame as it is."""
    content = path.read_bytes()
    end = content.rindex(METADATA)
    start = content.index(b"\0" * 16) + 16  # the separator between tree and records
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content[:start] + b"\xff" * (end - start) + content[end:])
    fresh.replace(path)


def country(events: Events, minted: str) -> str:
    event = events.of(click(minted))
    assert event is not None
    return event.geolocation.country


def test_a_database_that_is_replaced_is_taken_up(tmp_path: Path, keyring: Keyring) -> None:
    city_database(tmp_path / "city.mmdb", "SE")
    events = Events.open(tmp_path / "keyring.json", [tmp_path / "city.mmdb"])
    assert country(events, token(keyring)) == "SE"
    city_database(tmp_path / "city.mmdb", "NO")
    events.refresh()
    assert country(events, token(keyring)) == "NO"
    assert events.checks()["places"] == Check("ok", "looked up in 1 database, 0 days old")


def test_a_new_database_that_cannot_be_used_leaves_the_old_one(
    tmp_path: Path, keyring: Keyring, caplog: pytest.LogCaptureFixture
) -> None:
    city_database(tmp_path / "city.mmdb", "SE")
    events = Events.open(tmp_path / "keyring.json", [tmp_path / "city.mmdb"])
    (tmp_path / "city.new").write_text("no database")
    (tmp_path / "city.new").replace(tmp_path / "city.mmdb")
    with caplog.at_level(logging.ERROR):
        events.refresh()
        events.refresh()
    assert country(events, token(keyring)) == "SE"
    assert events.checks()["places"].status == "degraded"
    assert [record.message for record in caplog.records] == ["place_database_failed"]


def test_a_damaged_database_costs_places_and_no_events(tmp_path: Path, keyring: Keyring) -> None:
    city_database(tmp_path / "city.mmdb", "SE")
    damage(tmp_path / "city.mmdb")
    events = Events.open(tmp_path / "keyring.json", [tmp_path / "city.mmdb"])
    assert country(events, token(keyring)) == "Unknown"
    assert events.checks()["places"].status == "degraded"
    city_database(tmp_path / "city.mmdb", "SE")
    events.refresh()
    assert country(events, token(keyring)) == "SE"
    assert events.checks()["places"].status == "ok"


def test_a_pseudonym_outlives_a_rotation_of_keys(keyring: Keyring) -> None:
    rotated = keyring.rotated().retire(1)
    assert pseudonym_key(rotated) == pseudonym_key(keyring)
    assert pseudonym_key(Keyring.new()) != pseudonym_key(keyring)
