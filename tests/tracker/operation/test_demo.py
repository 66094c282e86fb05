"""`tracker demo`: what `make run` shows."""

import socket
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.operation.conftest import ROOT, Tracker
from tracker.commands.demo import NEWSLETTER, links, listen, rewritten
from tracker.listen import Address, bound
from tracker.mistake import Exit, Mistake

URL = "http://localhost:8025"


def test_the_newsletter_has_links_of_every_kind_to_try(folder: Path) -> None:
    Keyring.new().save(folder / "keyring.json")
    mail = rewritten((ROOT / NEWSLETTER).read_bytes(), URL, folder / "keyring.json")
    found = links(mail, URL)
    assert len(found.opens) == 1
    assert len(found.clicks) > 20
    assert found.unsubscribes
    assert all(url.startswith(f"{URL}/c/") for url in found.clicks)


def test_a_taken_port_gives_way_to_a_free_one() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with listen(Address("127.0.0.1", port), "edge.listen") as listener:
            assert bound(listener).port not in {0, port}


def test_an_address_that_no_port_makes_usable_is_refused() -> None:
    with pytest.raises(Mistake, match="this machine has no such address"):
        listen(Address("192.0.2.1", 80), "edge.listen")  # TEST-NET-1, RFC 5737


def test_a_mail_that_is_not_there_is_named(tracker: Tracker) -> None:
    said = tracker("demo", "none.eml")
    assert said.status == Exit.NO_INPUT
    assert said.err.startswith("tracker: cannot read the mail to track, none.eml: ")


def test_a_mail_that_cannot_be_tracked_is_refused_in_the_rewriters_words(
    tracker: Tracker, folder: Path
) -> None:
    (folder / "no.eml").write_bytes(b"\0\0\0")
    said = tracker("demo", "no.eml")
    assert said.status == Exit.DATA
    assert said.err.startswith("tracker: the mail could not be tracked: ")


def test_a_file_that_cannot_be_written_is_named(
    tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_EDGE_LISTEN", "127.0.0.1:0")
    monkeypatch.setenv("TRACKER_API_LISTEN", "127.0.0.1:0")
    (folder / "data" / "newsletter.tracked.eml").mkdir(parents=True)
    said = tracker("demo", str(ROOT / NEWSLETTER))
    assert said.status == Exit.IO
    assert said.err == "tracker: data/newsletter.tracked.eml: Is a directory\n"
