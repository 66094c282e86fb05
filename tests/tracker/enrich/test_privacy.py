"""What of an event is kept, by the sender's choice."""

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.tokens import Link, Privacy
from tests.tracker.enrich.world import a_context, a_hit, knowledge
from tracker.enrich import enrich
from tracker.enrich.privacy import network_of, pseudonym
from tracker.event import Event, LinkInfo


def kept_of(mode: Privacy, link: Link = Link(), kind: str = "c") -> Event:  # noqa: B008 - frozen
    hit = a_hit("c") if kind == "c" else a_hit("u", method="POST")
    if kind == "resubscribe":
        hit = msgspec.structs.replace(hit, via=kind)
    event = enrich(hit, a_context(mode), link, knowledge())
    assert event is not None
    return event


NETWORKS = [
    ("198.51.100.77", "198.51.100.0"),
    ("2001:db8:1:2:3::4", "2001:db8:1::"),
    ("::ffff:198.51.100.77", "198.51.100.0"),
    ("fe80::1%eth0", "fe80::"),
    ("unix:", ""),
    ("", ""),
]


@pytest.mark.parametrize(("ip", "network"), NETWORKS)
def test_an_identified_readers_address_is_cut_to_its_network(ip: str, network: str) -> None:
    assert network_of(ip) == network


def test_one_readers_events_stay_together_under_a_pseudonym() -> None:
    first, second = kept_of("pseudonymous"), kept_of("pseudonymous")

    assert first.recipient == second.recipient == pseudonym("ann@reader.example", b"k" * 32)
    assert first.message.headers == second.message.headers


@given(st.emails(), st.binary(min_size=1, max_size=64), st.binary(min_size=1, max_size=64))
def test_a_pseudonym_takes_the_key(address: str, key: bytes, other: bytes) -> None:
    # HMAC pads a short key with zero bytes (RFC 2104 §2).
    same = key.rstrip(b"\0") == other.rstrip(b"\0")

    assert (pseudonym(address, key) == pseudonym(address, other)) == same


@pytest.mark.parametrize("mode", get_args(Privacy))
@pytest.mark.parametrize(("kind", "told"), [("u", "unsubscribed"), ("resubscribe", "resubscribed")])
def test_what_a_person_asks_for_can_be_honoured_in_every_mode(
    mode: Privacy, kind: str, told: str
) -> None:
    event = kept_of(mode, Link(name="a.example", category="list"), kind=kind)

    assert (event.event, event.recipient) == (told, "Ann@reader.example")
    assert event.link == LinkInfo(position=0, name="a.example", category="list")


def test_an_unsubscription_keeps_nothing_else_that_its_mode_leaves_out() -> None:
    event = kept_of("anonymous", kind="u")

    assert (event.ip, event.user_variables, event.message.headers) == ("", {}, {"message-id": ""})
    assert event.client_info.user_agent == ""


URLS = [
    ("https://shop.example/sale?id=7#top", "https://shop.example/sale"),
    ("https://ann:secret@shop.example:8443/a", "https://shop.example:8443/a"),
    ("https://shop.example/u/Ann%40reader.example/x", "https://shop.example/"),
    ("https://[broken/", ""),
]


@pytest.mark.parametrize("mode", ["pseudonymous", "anonymous"])
@pytest.mark.parametrize(("url", "kept"), URLS)
def test_a_link_does_not_tell_who_clicked(mode: Privacy, url: str, kept: str) -> None:
    assert kept_of(mode, Link(url)).url == kept


def test_a_links_labels_do_not_tell_it_either() -> None:
    link = Link("https://shop.example/", 2, "For ann@reader.example", "shop", (("who", "Ann"),))

    assert kept_of("anonymous", link).link == LinkInfo(position=2, name="", category="shop")
