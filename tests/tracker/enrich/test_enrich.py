"""From a hit to the event that the world sees."""

from base64 import urlsafe_b64encode
from pathlib import Path

import msgspec
import pytest

from rewriter.tokens import Link, Privacy
from tests.tracker.enrich.world import (
    CHROME,
    GMAIL_PROXY,
    HOME,
    SENT,
    a_context,
    a_hit,
    city,
    knowledge,
    write_database,
)
from tracker.enrich import enrich
from tracker.enrich.company import Company, message_of
from tracker.event import Event, Geolocation, encode
from tracker.hit import Hit, Kind

LINK = Link(
    destination="https://shop.example/sale?id=7",
    position=3,
    name="Sale",
    category="shop",
    tags=(("row", "2"),),
)
EGRESS = "172.226.1.2"


@pytest.fixture
def cities(tmp_path: Path) -> Path:
    rows = {
        "198.51.100.0/24": city("US", "Texas", "Austin", "TX"),
        "172.226.0.0/16": city("AT", "Wien", "Vienna", "9"),
        "66.102.0.0/20": city("US", "California", "Mountain View", "CA"),
    }
    return write_database(tmp_path / "city.mmdb", rows)


def event_of(hit: Hit, *databases: Path) -> Event:
    event = enrich(hit, a_context(), LINK, knowledge(*databases))
    assert event is not None
    return event


def test_a_click_becomes_the_event_that_mailguns_users_know(cities: Path) -> None:
    hit = a_hit("c", after=90.25, headers={"accept-language": "de-AT"})

    assert msgspec.json.decode(encode(event_of(hit, cities))) == {
        "event": "clicked",
        "id": urlsafe_b64encode(hit.id).decode().rstrip("="),
        "timestamp": SENT + 90.25,
        "log-level": "info",
        "domain": {"name": "sender.example"},
        "recipient": "Ann@reader.example",
        "recipient-domain": "reader.example",
        "tags": ["spring", "ann@reader.example"],
        "campaigns": [],
        "user-variables": {"customer": "4711"},
        "ip": HOME,
        "geolocation": {
            "country": "US",
            "region": "TX",
            "city": "Austin",
            "timezone": "America/Chicago",
        },
        "client-info": {
            "client-type": "browser",
            "client-os": "Windows",
            "device-type": "desktop",
            "client-name": "Chrome",
            "user-agent": CHROME,
            "bot": "",
            "accept-language": "de-AT",
        },
        "message": {"headers": {"message-id": "m1@sender.example"}},
        "url": "https://shop.example/sale?id=7",
        "link": {"position": 3, "name": "Sale", "category": "shop", "tags": {"row": "2"}},
        "verdict": {"kind": "person", "reasons": ["no-sign: nothing tells of a machine"]},
        "revision": 0,
    }


def test_an_events_id_is_the_hits_in_22_characters() -> None:
    assert event_of(msgspec.structs.replace(a_hit(), id=b"\xff" * 16)).id == "_" * 21 + "w"


@pytest.mark.parametrize("kind", ["o", "u"])
def test_only_a_click_tells_where_it_led(kind: Kind) -> None:
    hit = a_hit(kind, method="POST" if kind == "u" else "GET")

    written = msgspec.json.decode(encode(event_of(hit)))

    assert "url" not in written
    assert ("link" in written) == (kind == "u"), "what an unsubscription ends is said by its link"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_nothing_but_a_post_unsubscribes_anybody(method: str) -> None:
    assert enrich(a_hit("u", method=method), a_context(), Link(), knowledge()) is None


PLACES = [
    ("a proxy stands elsewhere", a_hit("o", agent=GMAIL_PROXY, address="66.102.8.1"), {}),
    (
        "Apple keeps to the country, for mail",
        a_hit("o", agent="Mozilla/5.0", address=EGRESS),
        {"country": "AT"},
    ),
    ("and for browsers", a_hit("c", address=EGRESS), {"country": "AT"}),
    ("no address", a_hit("c", address=""), {}),
]


@pytest.mark.parametrize(
    ("hit", "place"), [pytest.param(hit, place, id=name) for name, hit, place in PLACES]
)
def test_a_place_is_the_readers_or_unknown(cities: Path, hit: Hit, place: dict[str, str]) -> None:
    assert event_of(hit, cities).geolocation == Geolocation(**place)


def test_apples_privacy_protection_shows_as_apple_mail_and_as_its_bot() -> None:
    client = event_of(a_hit("o", agent="Mozilla/5.0", address=EGRESS)).client_info

    assert (client.client_type, client.client_name, client.bot) == (
        "email client",
        "Apple Mail",
        "apple",
    )


def test_hits_belong_to_one_message_if_they_carry_the_same_context() -> None:
    first, second = a_hit("c", link="one"), a_hit("o", link="two")
    elsewhere = msgspec.structs.replace(first, token="one.other.mac")

    assert message_of(first) == message_of(second)
    assert message_of(first) != message_of(elsewhere)


def test_what_company_tells_is_a_revision_of_the_same_event() -> None:
    hit = a_hit("c")
    before, after = (
        enrich(hit, a_context(), LINK, knowledge(), company)
        for company in (Company.ALONE, Company.BURST)
    )
    assert before is not None
    assert after is not None
    assert (after.id, before.revision, after.revision) == (before.id, 0, 1)
    assert (before.verdict.kind, after.verdict.kind) == ("person", "machine")


def test_a_machine_in_company_stays_what_it_was() -> None:
    hit = a_hit("c", agent="curl/8.5.0")
    alone, burst = (
        enrich(hit, a_context(), LINK, knowledge(), company)
        for company in (Company.ALONE, Company.BURST)
    )
    assert alone == burst


# What must not be in the event, by mode; and what must still be.
PERSONAL: dict[Privacy, tuple[list[str], list[str]]] = {
    "identified": ([HOME], ["198.51.100.0", "Ann@reader.example", "4711", "id=7", CHROME]),
    "pseudonymous": (
        [HOME, "198.51.100", "ann", "reader.example", "4711", "m1@", "id=7", "Windows NT", "de-AT"],
        ['"country":"US"', '"client-name":"Chrome"', '"spring"', "https://shop.example/sale"],
    ),
    "anonymous": (
        [HOME, "198.51.100", "ann", "reader.example", "4711", "m1@", "id=7", "Windows NT", "de-AT"],
        ['"recipient":""', '"country":"US"', '"client-type":"browser"', '"spring"'],
    ),
}


@pytest.mark.parametrize("mode", PERSONAL)
def test_a_privacy_mode_is_kept_to_the_letter(cities: Path, mode: Privacy) -> None:
    absent, present = PERSONAL[mode]
    hit = a_hit("c", headers={"accept-language": "de-AT"})
    context = a_context(mode)

    event = enrich(hit, context, LINK, knowledge(cities))

    assert event is not None
    written = encode(event).decode()
    assert [text for text in absent if text.lower() in written.lower()] == []
    assert [text for text in present if text not in written] == []


def test_off_records_neither_opens_nor_clicks() -> None:
    recorded = [enrich(a_hit(kind), a_context("off"), LINK, knowledge()) for kind in ("o", "c")]

    assert recorded == [None, None]
