"""From a message's unsubscribe link to who may be written to, and back again.

The whole way, as a recipient and a sender go it: `tracker serve`, a rewritten message, the page in
the reader's language, and `tracker suppressed` before the next mailing.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.links import Policy
from rewriter.mime.message import rewrite_message
from rewriter.tokens import Privacy, Tokens
from tests.patience import PATIENCE, wait_for
from tests.tracker.operation.conftest import Said, Tracker
from tests.tracker.operation.running import Running, running

TRACKING_DOMAIN = "127.0.0.1"
SHOP = "shop.example"
GERMAN = {"accept-language": "de-AT, en;q=0.5"}
ANN = "ann@example.net"
MESSAGE = b"""\
From: shop@shop.example
To: Ann@Example.net
Subject: News
Message-ID: <1@shop.example>
Date: Sat, 21 Nov 2026 05:00:00 +0000
List-Id: News of the shop <News.Shop.example>
Content-Type: text/html; charset=utf-8

<p><a href="%s">no more</a></p>
"""
UNSUBSCRIBE = re.compile(rb'href="https://127\.0\.0\.1(/u/[^"]+)"')


@pytest.fixture
def served(tracker: Tracker) -> Iterator[Running]:
    tracker("keys", "new")
    with running("serve") as serving:
        httpx.get(f"http://{serving.addresses[1]}/healthz", timeout=PATIENCE).raise_for_status()
        yield serving


class Reader:
    """Ann, with her message open in a browser that prefers German."""

    def __init__(self, edge: str, placeholder: bytes, privacy: Privacy = "full") -> None:
        tokens = Tokens(Keyring.load(Path("data/keyring.json")).for_domain(TRACKING_DOMAIN))
        config = Config(tracking_domain=TRACKING_DOMAIN, privacy=privacy, list_unsubscribe=False)
        mail = bytes(rewrite_message(MESSAGE % placeholder, Policy(config, tokens)))
        (path,) = UNSUBSCRIBE.findall(mail)
        self.page = f"http://{edge}{path.decode()}"

    def looks(self) -> str:
        return self._read(httpx.get(self.page, headers=GERMAN, timeout=PATIENCE))

    def presses(self, **form: str) -> str:
        return self._read(httpx.post(self.page, data=form, headers=GERMAN, timeout=PATIENCE))

    def _read(self, answer: httpx.Response) -> str:
        answer.raise_for_status()
        return answer.text


def told(tracker: Tracker, status: int, *arguments: str) -> str:
    """Ask until the answer is the expected one: an event is stored a moment after its hit."""
    answers: list[Said] = []

    def has_come() -> bool:
        answers.append(tracker("suppressed", ANN, "--domain", SHOP, *arguments))
        return answers[-1].status == status

    wait_for(has_come, f"exit status {status}")
    return answers[-1].out


@pytest.mark.parametrize("privacy", ["full", "pseudonymous", "anonymous"])
def test_a_recipient_unsubscribes_is_not_written_to_and_takes_it_back(
    served: Running, tracker: Tracker, privacy: Privacy
) -> None:
    reader = Reader(served.addresses[0], b"%unsubscribe_url%", privacy)

    assert "Von diesen E\u2011Mails abmelden?" in reader.looks()
    assert "may be written to" in told(tracker, 0)
    assert 'name="resubscribe"' in reader.presses()
    assert told(tracker, 1) == f"{ANN} has unsubscribed: *\n"
    assert "Sie sind wieder angemeldet" in reader.presses(resubscribe="yes")
    assert "may be written to" in told(tracker, 0)
    reader.presses(**{"List-Unsubscribe": "One-Click", "resubscribe": "yes"})
    assert told(tracker, 1) == f"{ANN} has unsubscribed: *\n", "one-click only ever unsubscribes"

    shown = tracker("events", SHOP, "--json", "--url", f"http://{served.addresses[1]}").out
    events = [json.loads(line) for line in shown.splitlines()]
    assert [(event["event"], event["recipient"].lower()) for event in events] == [
        ("unsubscribed", ANN),
        ("resubscribed", ANN),
        ("unsubscribed", ANN),
    ]
    assert {event["verdict"]["kind"] for event in events} == {"person"}
    assert {event["ip"] for event in events} == ({"127.0.0.1"} if privacy == "full" else {""})
    back = tracker(
        "events", "--event", "resubscribed", "--json", "--url", f"http://{served.addresses[1]}"
    )
    assert [json.loads(line)["id"] for line in back.out.splitlines()] == [events[1]["id"]]


def test_whoever_leaves_a_list_still_gets_the_senders_other_mail(
    served: Running, tracker: Tracker
) -> None:
    reader = Reader(served.addresses[0], b"%mailing_list_unsubscribe_url%")
    of_the_list = ("--tag", "list:news.shop.example")

    assert "der Liste <strong><bdi>news.shop.example</bdi></strong>" in reader.looks()
    reader.presses()
    assert told(tracker, 1, *of_the_list) == f"{ANN} has unsubscribed: list:news.shop.example\n"
    assert "may be written to" in told(tracker, 0)
    reader.presses(resubscribe="yes")
    assert "may be written to" in told(tracker, 0, *of_the_list)
