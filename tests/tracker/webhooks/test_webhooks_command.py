"""`tracker webhooks` as an operator uses it."""

import json

import pytest

from tests.servers.receiver import Receiver
from tests.tracker.operation.conftest import Tracker
from tracker.mistake import Exit


@pytest.fixture(autouse=True)
def _own_receivers(folder: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKER_WEBHOOKS_ALLOW", "127.0.0.0/8")


def test_urls_are_added_shown_changed_tested_and_removed(
    tracker: Tracker, receiver: Receiver
) -> None:
    tracker("webhooks", "key")  # makes the store
    assert "No webhook is registered" in tracker("webhooks", "list").out
    url = receiver.url("/hook")
    added = tracker("webhooks", "add", "News.example", "opened,clicked", url)
    assert added.out.startswith("news.example: opened, clicked posted to 1 URL(s) from now on.")
    listed = json.loads(tracker("webhooks", "list", "news.example", "--json").out)
    assert [(one["kind"], one["url"], one["batch"]) for one in listed] == [
        ("opened", url, 1),
        ("clicked", url, 1),
    ]
    tested = tracker("webhooks", "test", "news.example", "all")
    assert (tested.status, tested.out.count("200  ")) == (0, 2)
    assert len(receiver.got("/hook")) == 2
    tracker("webhooks", "change", "news.example", "clicked", "--batch", "20", "--revisions")
    assert "20" in tracker("webhooks", "list").out
    assert tracker("webhooks", "remove", "news.example", "all").out == (
        "news.example: clicked, opened removed.\n"
    )


def test_a_test_that_is_not_taken_is_told_by_the_exit_status(
    tracker: Tracker, receiver: Receiver
) -> None:
    receiver.answers("/hook", 500)
    tracker("webhooks", "add", "news.example", "opened", receiver.url("/hook"))
    tested = tracker("webhooks", "test", "news.example", "opened")
    assert tested.status == 1
    assert "500  " in tested.out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("add", "news.example", "bounced", "https://a.example/"), "there is no webhook 'bounced'"),
        (("add", "news.example", "opened", "a.example"), "should be a URL such as"),
        (("add", "news.example", "opened", "http://10.0.0.1/"), "10.0.0.1 is a private address"),
        (("add", "not a name", "opened", "http://127.0.0.1:8000/"), "not a name"),
        (("test", "news.example", "opened"), "news.example has no webhook for opened: see"),
        (("remove", "news.example", "all"), "news.example has no webhook for anything: see"),
        (("redeliver", "news.example", "7"), "no delivery with the number 7"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tracker: Tracker, arguments: tuple[str, ...], sentence: str
) -> None:
    tracker("webhooks", "key")  # makes the store
    said = tracker("webhooks", *arguments)
    assert said.status == Exit.DATA
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_history_is_empty_before_anything_was_posted(tracker: Tracker) -> None:
    tracker("webhooks", "key")  # makes the store
    assert tracker("webhooks", "history", "news.example").out == "Nothing was posted yet.\n"
    assert tracker("webhooks", "redeliver", "news.example", "--failed").out.startswith("0 ")
    assert tracker("webhooks", "redeliver", "news.example").status == Exit.USAGE


def test_the_key_is_shown_once_in_both_forms(tracker: Tracker) -> None:
    shown = json.loads(tracker("webhooks", "key", "--json").out)
    assert len(shown["http_signing_key"]) == 64
    assert shown["secret"].startswith("whsec_")
    again = tracker("webhooks", "key")
    assert (again.status, "isn't given out again" in again.err) == (Exit.DATA, True)
    new = tracker("webhooks", "key", "--new", "--overlap", "2")
    assert "let receivers take either" in new.err
    assert shown["http_signing_key"] not in new.out
