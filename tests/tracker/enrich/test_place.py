"""Where an address is, from whichever database the operator has."""

import logging
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from tests.tracker.enrich.world import city, write_database
from tracker.enrich import Knowledge
from tracker.enrich.place import PlaceError, Places
from tracker.event import Geolocation

AUSTIN = ip_address("192.0.2.1")
FLAT = {"country_code": "US", "state1": "Texas", "city": "Austin", "timezone": ""}
UNKNOWN = Geolocation()

RECORDS = [
    (
        "GeoLite2-City",
        city("US", "Texas", "Austin", "TX"),
        Geolocation(country="US", region="TX", city="Austin", timezone="America/Chicago"),
    ),
    (
        "DBIP-City-Lite (compat=City)",  # has names only
        city("US", "Texas", "Austin"),
        Geolocation(country="US", region="Texas", city="Austin", timezone="America/Chicago"),
    ),
    ("GeoLite2-City", {"country": {"iso_code": "US"}}, Geolocation(country="US")),
    ("GeoLite2-City", {"city": {"names": {"de": "Wien"}}}, UNKNOWN),
    ("geolite2-city", FLAT, Geolocation(country="US", region="Texas", city="Austin")),
    ("geolite2-city", {"country_code": "US", "state1": "", "city": ""}, Geolocation(country="US")),
    ("GeoLite2-ASN", {"autonomous_system_number": 64500}, UNKNOWN),
]


@pytest.mark.parametrize(("kind", "record", "expected"), RECORDS)
def test_any_form_of_city_database_tells_the_place(
    tmp_path: Path, kind: str, record: dict[str, Any], expected: Geolocation
) -> None:
    path = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": record}, kind=kind)

    assert Places([path]).place(AUSTIN) == expected


def test_databases_for_ipv4_and_ipv6_can_be_files_of_their_own(tmp_path: Path) -> None:
    four = write_database(tmp_path / "4.mmdb", {"192.0.2.0/24": FLAT}, version=4)
    six = write_database(tmp_path / "6.mmdb", {"2001:db8::/32": FLAT | {"city": "Waco"}})

    places = Places([four, six])

    assert places.place(AUSTIN).city == "Austin"
    assert places.place(ip_address("2001:db8::1")).city == "Waco"
    assert places.place(ip_address("203.0.113.1")) == UNKNOWN
    assert places.place(None) == UNKNOWN


def test_an_asn_database_beside_it_tells_whose_address_it_is(tmp_path: Path) -> None:
    cities = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": FLAT})
    asns = write_database(
        tmp_path / "asn.mmdb",
        {"192.0.2.0/24": {"autonomous_system_number": 64500}},
        kind="GeoLite2-ASN",
    )

    places = Places([cities, asns])

    assert places.asn(AUSTIN) == 64500
    assert places.asn(ip_address("203.0.113.1")) is None
    assert places.asn(None) is None


def test_without_a_database_the_operator_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        knowledge = Knowledge.load(pseudonym_key=b"k")
        found = [knowledge.places.place(AUSTIN) for _ in range(3)]

    assert found == [UNKNOWN] * 3
    assert [record.message for record in caplog.records] == ["places_unknown"]


def test_a_database_that_was_replaced_is_taken_up(tmp_path: Path) -> None:
    path = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": FLAT})
    places = Places([path])
    write_database(path, {"192.0.2.0/24": FLAT | {"city": "Round Rock"}})

    places.refresh()

    assert places.place(AUSTIN).city == "Round Rock"


def test_a_bad_replacement_is_reported_and_the_old_database_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    path = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": FLAT})
    other = write_database(tmp_path / "6.mmdb", {"2001:db8::/32": FLAT})
    places = Places([path, other])
    (tmp_path / "bad").write_bytes(b"half a download")
    (tmp_path / "bad").replace(path)
    write_database(other, {"2001:db8::/32": FLAT | {"city": "Waco"}})

    with pytest.raises(PlaceError, match=r"city\.mmdb isn't a MaxMind DB file"):
        places.refresh()

    assert places.place(AUSTIN).city == "Austin"
    assert places.place(ip_address("2001:db8::1")).city == "Waco"


def test_a_database_that_went_away_stays_in_use(tmp_path: Path) -> None:
    path = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": FLAT})
    places = Places([path])
    path.unlink()

    places.refresh()

    assert places.place(AUSTIN).timezone is UNSET
    assert places.place(AUSTIN).city == "Austin"


def test_a_damaged_database_is_named_when_it_is_asked(tmp_path: Path) -> None:
    path = write_database(tmp_path / "city.mmdb", {"192.0.2.0/24": FLAT})
    tree, data = path.read_bytes()[:600], path.read_bytes()[600:]
    path.write_bytes(b"\xff" * len(tree) + data)

    with pytest.raises(PlaceError, match=r"city\.mmdb is damaged"):
        Places([path]).place(AUSTIN)


def test_a_missing_database_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"none\.mmdb can't be read: No such file or directory"):
        Places([tmp_path / "none.mmdb"])
