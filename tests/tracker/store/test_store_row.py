from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.tracker.store.documents import DOMAIN, START, document
from tracker.store.row import LATEST, NotAnEvent, Row, exact, message_id, row, words

ACCEPTED = document(
    event="accepted",
    timestamp=1529692198.641821,
    recipient="Team@Example.ORG",
    severity=None,
    tags=["Summer", "sale", "SUMMER"],
    mailing_list={"address": "List@example.com", "sid": "x"},
    message={
        "headers": {
            "to": "Team <team@example.org>, bob@example.org",
            "message-id": "<20180622182958.1.A454@example.org>",
            "from": "Ann Müller <ann@example.com>",
            "subject": "Hello, World: STRASSE and Straße!",
        },
        "attachments": [{"filename": "Report 2026.pdf", "size": 3, "content-type": "x/y"}, {}],
        "recipients": ["team@example.org", "bob@example.org"],
        "size": 586,
    },
    method="smtp",
)


def test_a_row_holds_what_an_event_of_another_kind_is_found_by() -> None:
    assert row(ACCEPTED) == Row(
        domain=DOMAIN,
        at=1529692198641821,
        id="id-0000",
        kind="accepted",
        document=ACCEPTED,
        recipient="team@example.org",
        message_id="20180622182958.1.a454@example.org",
        mailing_list="list@example.com",
        from_header=" ann müller ann@example.com ",
        to_header=" team team@example.org bob@example.org ",
        subject=" hello world strasse and strasse ",
        attachments=" report 2026.pdf ",
        recipients=" team@example.org bob@example.org ",
        size=586,
        tags=("summer", "sale"),
    )


def test_an_event_of_three_fields_is_enough() -> None:
    bare = msgspec.json.encode({"event": "list_uploaded", "id": "x", "timestamp": START})
    assert row(bare, "Example.COM") == Row(
        domain="example.com", at=START * 1_000_000, id="x", kind="list_uploaded", document=bare
    )


def test_whoever_posts_an_event_says_whose_it_is() -> None:
    assert row(document(), "other.example").domain == "other.example"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`"),
        (b'{"event":"\xff"}', "not an event"),
        (b'{"id":"a","timestamp":1}', "`event`"),
        (b'{"event":"opened","timestamp":1}', "`id`"),
        (b'{"event":"opened","id":"a"}', "`timestamp`"),
        (b'{"event":"opened","id":"a","timestamp":1}', "sending domain is missing"),
        (document(id=""), "`id` takes 1 to 128 characters"),
        (document(id="x" * 129), "`id` takes 1 to 128 characters"),
        (document(event=""), "`event` takes 1 to 64 characters"),
        (document(event="x" * 65), "`event` takes 1 to 64 characters"),
        (document(timestamp=-1), "seconds since 1970"),
        (document(timestamp=1.7e12), "seconds since 1970"),
        (document(timestamp="yesterday"), "timestamp"),
        (document(revision=-1), "revision"),
        (document(revision=1 << 70), "revision"),
        (document(recipient=["ann@example.com"]), "recipient"),
        (document(tags=[1]), "tags"),
        (document(message={"size": 1 << 70}), "size"),
        (document(message={"headers": {"subject": {}}}), "subject"),
    ],
)
def test_what_is_no_event_is_refused_by_the_field(content: bytes, says: str) -> None:
    with pytest.raises(NotAnEvent, match=r"^not an event: ") as refusal:
        row(content)
    assert says in str(refusal.value)


@pytest.mark.parametrize(
    ("fold", "text", "folded"),
    [
        (exact, " Ann@Example.COM ", "ann@example.com"),
        (exact, "Straße", "strasse"),
        (message_id, "<A@b>", "a@b"),
        (message_id, "A@b", "a@b"),
        (words, "", ""),
        (words, "?!", ""),
        (words, "...", ""),
        (words, "Don't 'stop'.", " don't stop "),
        (words, "Ann <ann@example.com>", " ann ann@example.com "),
        (words, "follow-up 🎉", " follow-up 🎉 "),
    ],
)
def test_texts_are_folded(fold: Any, text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(), st.text())
def test_a_word_is_found_in_every_text_that_holds_it(before: str, after: str) -> None:
    assert words("needle") in words(f"{before} Needle, {after}")


@given(st.floats(0, LATEST / 1_000_000))
def test_a_time_is_kept_to_the_microsecond(timestamp: float) -> None:
    assert abs(row(document(timestamp=timestamp)).at / 1_000_000 - timestamp) < 1e-6
