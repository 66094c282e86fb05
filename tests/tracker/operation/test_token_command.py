"""`tracker token show`: anyone sees where a link leads, the keyring's owner whose mail it was."""

import json
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens
from tests.tracker.operation.conftest import Tracker
from tracker.commands.token import UNVERIFIED
from tracker.mistake import Exit

LINK = Link("https://shop.example/[b]sale[/b]?a=1&b=2", position=3, tags=(("block", "top"),))
CONTEXT = Context("<1@shop.example>", "ann@example.net", "shop.example", 1_700_000_000, ("spring",))


def tracked(kind: str = "c", domain: str = "t.example") -> str:
    tokens = Tokens(Keyring.load("data/keyring.json").for_domain(domain))
    token = tokens.mint(kind.encode(), tokens.seal_link(LINK), tokens.seal_context(CONTEXT))
    return f"https://{domain}/{kind}/{token.decode()}"


def test_a_link_that_verifies_tells_all(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("token", "show", tracked())
    assert said.status == 0
    for fact in (LINK.destination, "block=top", "ann@example.net", "2023-11-14T22:13:20", "spring"):
        assert fact in said.out
    assert "verifies: made with this keyring" in said.out


def test_a_link_for_an_app_is_read_as_the_click_that_it_is(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("token", "show", tracked().replace("/c/", "/a/", 1), "--json")
    reading = json.loads(said.out)
    assert (said.status, reading["kind"]) == (0, "click")
    assert reading["verifies"]


def test_without_a_keyring_the_destination_is_still_readable(tracker: Tracker) -> None:
    tracker("keys", "new")
    url = tracked()
    Path("data/keyring.json").unlink()
    said = tracker("token", "show", url)
    assert said.status == Exit.DATA
    assert LINK.destination in said.out
    assert "not checked: no keyring at data/keyring.json" in said.out
    assert "ann@example.net" not in said.out


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("/c/", "/o/", f"does not verify: {UNVERIFIED['signature']}"),
        ("t.example", "u.example", f"does not verify: {UNVERIFIED['signature']}"),
        ("t.example", "a..b", "not checked: 'a..b' is not a host name such as click.example.com"),
    ],
)
def test_another_kind_or_domain_does_not_verify(
    tracker: Tracker, old: str, new: str, verdict: str
) -> None:
    tracker("keys", "new")
    said = tracker("token", "show", tracked().replace(old, new, 1), "--json")
    reading = json.loads(said.out)
    assert said.status == Exit.DATA
    assert reading["verdict"] == verdict
    assert reading["link"]["destination"] == LINK.destination


def test_a_link_that_a_mail_client_cut_off_still_tells_whose_mail_it_was(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("token", "show", tracked()[:-5])
    assert said.status == Exit.DATA
    assert "does not verify" in said.out
    assert "ann@example.net" in said.out


def test_a_context_of_another_domain_stays_sealed(tracker: Tracker) -> None:
    tracker("keys", "new")
    said = tracker("token", "show", tracked().replace("t.example", "u.example", 1))
    assert "ann@example.net" not in said.out


def test_an_escape_sequence_in_a_destination_does_not_reach_the_terminal(tracker: Tracker) -> None:
    tracker("keys", "new")
    tokens = Tokens(Keyring.load("data/keyring.json").for_domain("t.example"))
    link = tokens.seal_link(Link("https://x.example/\x1b]0;owned\x07"))
    token = tokens.mint(b"c", link, tokens.seal_context(CONTEXT)).decode()
    assert "\x1b" not in tracker("token", "show", f"https://t.example/c/{token}").out


@pytest.mark.parametrize(
    "url",
    [
        "",
        "t.example",
        "https://t.example/",
        "https://t.example/c/abc",
        "https://t.example/x/a.b.c",
        "https://t.example/c/\udcff.b.c",
        "https://[/c/a.b.c",
        "ftp://t.example/c/a.b.c",
    ],
)
def test_what_is_no_tracked_link_is_refused_in_a_sentence(tracker: Tracker, url: str) -> None:
    said = tracker("token", "show", url)
    assert said.status == Exit.USAGE
    assert said.err.startswith("tracker: ")
    assert said.err.count("\n") == 1
