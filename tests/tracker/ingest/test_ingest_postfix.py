"""What Postfix's log says of a message becomes events in Mailgun's form."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracker.postfix.line import Log, traditional
from tracker.postfix.mail import Event, Mails, sending_domain
from tracker.store.posted import posted

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

DELIVERED = """\
postfix/smtpd[71]: 4BDC21A0F3: client=web.harbour.example[192.0.2.4]
postfix/cleanup[72]: 4BDC21A0F3: message-id=<20261121.9@harbour.example>
postfix/qmgr[70]: 4BDC21A0F3: from=<post@harbour.example>, size=1812, nrcpt=2 (queue active)
postfix/smtp[73]: 4BDC21A0F3: to=<cleo@quay.example>, relay=mx.quay.example[198.51.100.3]:25, \
delay=1.4, delays=0.1/0/0.8/0.5, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 9F1)
postfix/smtp[74]: 4BDC21A0F3: to=<dan@pier.example>, relay=mx.pier.example[198.51.100.9]:25, \
conn_use=2, delay=2, delays=0.1/0/1/0.9, dsn=5.1.1, \
status=bounced (host mx.pier.example[198.51.100.9] said: 550 5.1.1 <dan@pier.example>: no such user)
postfix/bounce[75]: 4BDC21A0F3: sender non-delivery notification: 7A0C51A0F4
postfix/qmgr[70]: 4BDC21A0F3: removed""".splitlines()

HEADS = {
    "traditional": "Nov 21 09:15:02 mta1 {}",
    "ISO 8601": "2026-11-21T09:15:02.000000+00:00 mta1 {}",
}


def events_of(lines: list[str], *, loopback: bool = False) -> list[Event]:
    log, mails = Log(), Mails(loopback=loopback)
    found: list[Event] = []
    for text in lines:
        if line := log.read(text, NOW):
            found.extend(mails.read(line))
    return found


def told(said: list[str], head: str = HEADS["ISO 8601"]) -> list[Event]:
    return events_of([head.format(text) for text in said])


def exported(said: str) -> list[str]:
    name, text = said.split("[", 1)
    return [
        "__CURSOR=s=1;i=1",
        "__REALTIME_TIMESTAMP=1795252502000000",
        "_HOSTNAME=mta1",
        f"SYSLOG_IDENTIFIER={name}",
        f"MESSAGE={text.partition(': ')[2]}",
        "",
    ]


def as_json(said: str) -> str:
    name, text = said.split("[", 1)
    fields = {
        "__REALTIME_TIMESTAMP": "1795252502000000",
        "_HOSTNAME": "mta1",
        "SYSLOG_IDENTIFIER": name,
        "MESSAGE": text.partition(": ")[2],
    }
    return msgspec.json.encode(fields).decode()


def shape(events: list[Event]) -> list[tuple[Any, ...]]:
    return [(e["event"], e.get("severity"), e.get("reason"), e["recipient"]) for e in events]


@pytest.mark.parametrize(
    "lines",
    [
        [HEADS["traditional"].format(text) for text in DELIVERED],
        [HEADS["ISO 8601"].format(text) for text in DELIVERED],
        [field for text in DELIVERED for field in exported(text)],
        [as_json(text) for text in DELIVERED],
    ],
    ids=["rsyslog's traditional form", "ISO 8601", "journalctl -o export", "journalctl -o json"],
)
def test_each_form_of_the_log_tells_the_same(lines: list[str]) -> None:
    found = events_of(lines)
    assert shape(found) == [
        ("accepted", None, None, "cleo@quay.example"),
        ("delivered", None, None, "cleo@quay.example"),
        ("accepted", None, None, "dan@pier.example"),
        ("failed", "permanent", "bounce", "dan@pier.example"),
    ]
    assert {event["timestamp"] for event in found} == {1795252502.0}
    assert found[1] == {
        "event": "delivered",
        "timestamp": 1795252502.0,
        "log-level": "info",
        "recipient": "cleo@quay.example",
        "recipient-domain": "quay.example",
        "envelope": {
            "transport": "smtp",
            "sender": "post@harbour.example",
            "targets": "cleo@quay.example",
        },
        "message": {"headers": {"message-id": "20261121.9@harbour.example"}, "size": 1812},
        "tags": [],
        "campaigns": [],
        "user-variables": {},
        "postfix": {"host": "mta1", "instance": "postfix", "queue-id": "4BDC21A0F3"},
        "delivery-status": {
            "attempt-no": 1,
            "code": 250,
            "enhanced-code": "2.0.0",
            "message": "250 2.0.0 Ok: queued as 9F1",
            "description": "",
            "mx-host": "mx.quay.example",
        },
    }
    assert found[3]["delivery-status"]["code"] == 550


def attempt(status: str, reply: str, *, relay: str = "mx.quay.example[198.51.100.3]:25") -> str:
    dsn = {"sent": "2.0.0", "bounced": "5.0.0"}.get(status, "4.4.1")
    return (
        f"to=<cleo@quay.example>, relay={relay}, delay=1, delays=0/0/1/0, dsn={dsn},"
        f" status={status} ({reply})"
    )


@pytest.mark.parametrize(
    "instance",
    ["postfix", "postfix-bulk", "mta2"],
)
@pytest.mark.parametrize("queue_id", ["1F2E3D", "4BDC21A0F3", "4Zc0Xk1DpBz9vN3"])
def test_a_message_that_waits_and_expires_is_a_failure_for_each_attempt_and_for_good(
    instance: str, queue_id: str
) -> None:
    found = told(
        [
            f"{instance}/cleanup[1]: {queue_id}: message-id=<m@x>",
            f"{instance}/qmgr[1]: {queue_id}: from=<a@b.example>, size=9, nrcpt=1 (queue active)",
            f"{instance}/relay/smtp[1]: {queue_id}: {attempt('deferred', 'connect: timed out')}",
            f"{instance}/error[1]: {queue_id}: {attempt('deferred', '452 full', relay='none')}",
            f"{instance}/qmgr[1]: {queue_id}: from=<a@b.example>, status=expired, "
            "returned to sender",
        ]
    )
    assert [(*each, event.get("delivery-status", {}).get("attempt-no")) for each, event in zip(
        (one[:3] for one in shape(found)), found, strict=True
    )] == [
        ("accepted", None, None, None),
        ("failed", "temporary", "generic", 1),
        ("failed", "temporary", "generic", 2),
        ("failed", "permanent", "old", 2),
    ]  # fmt: skip
    assert {sending_domain(event) for event in found} == {"b.example"}


def test_two_instances_may_use_one_queue_id() -> None:
    found = told(
        [
            "postfix/cleanup[1]: 4BDC21A0F3: message-id=<one@x>",
            "postfix-out/cleanup[1]: 4BDC21A0F3: message-id=<two@x>",
            f"postfix/smtp[1]: 4BDC21A0F3: {attempt('sent', '250 ok')}",
            f"postfix-out/smtp[1]: 4BDC21A0F3: {attempt('sent', '250 ok')}",
        ]
    )
    ids = [e["message"]["headers"]["message-id"] for e in found if e["event"] == "delivered"]
    assert ids == ["one@x", "two@x"]


@pytest.mark.parametrize(
    ("program", "relay", "counts"),
    [
        ("smtp", "127.0.0.1[127.0.0.1]:10025", False),
        ("smtp", "localhost[::1]:10025", False),
        ("pipe", "filter", False),
        ("smtp", "mx.quay.example[198.51.100.3]:25", True),
        ("lmtp", "box[private/dovecot-lmtp]", True),
        ("virtual", "virtual", True),
    ],
)
def test_handing_a_message_to_a_filter_is_no_delivery(
    program: str, relay: str, counts: bool
) -> None:
    line = f"postfix/{program}[1]: 4BDC21A0F3: {attempt('sent', '250 ok', relay=relay)}"
    assert bool(told([line])) is counts
    assert events_of([HEADS["ISO 8601"].format(line)], loopback=True) or program == "pipe"


def test_tags_and_the_subject_come_from_headers_that_the_log_was_told_to_show() -> None:
    tail = "from web[192.0.2.4]; from=<a@b.example> to=<c@d.example> proto=ESMTP helo=<web>"
    found = told(
        [
            f"postfix/cleanup[1]: 4BDC21A0F3: info: header X-Mailgun-Tag: tides {tail}",
            f"postfix/cleanup[1]: 4BDC21A0F3: info: header Subject: News from the pier {tail}",
            f"postfix/smtp[1]: 4BDC21A0F3: {attempt('sent', '250 ok')}",
        ]
    )
    assert found[1]["tags"] == ["tides"]
    assert found[1]["message"]["headers"]["subject"] == "News from the pier"


def test_whom_the_sender_wrote_to_is_the_recipient_before_aliases() -> None:
    line = attempt("sent", "250 ok").replace(">, relay", ">, orig_to=<crew@harbour.example>, relay")
    assert {event["recipient"] for event in told([f"postfix/smtp[1]: 4BDC21A0F3: {line}"])} == {
        "crew@harbour.example"
    }


@pytest.mark.parametrize(
    ("text", "year"),
    [("Nov 21 11:59:59", 2026), ("Nov 22 11:00:00", 2026), ("Nov 23 00:00:00", 2025),
     ("Dec 31 23:59:59", 2025), ("Feb 29 10:00:00", 2024), ("Jan  1 00:00:00", 2026)],
)  # fmt: skip
def test_a_time_without_a_year_is_the_latest_that_has_been(text: str, year: int) -> None:
    found = traditional(text, NOW)
    assert found is not None
    assert found.year == year


@pytest.mark.parametrize(
    "text",
    [
        "",
        "postfix/smtp[1]: no time",
        "Foo 21 09:15:02 mta1 postfix/smtp[1]: 4BDC21A0F3: removed",
        "Feb 30 09:15:02 mta1 postfix/smtp[1]: 4BDC21A0F3: removed",
        "2026-11-31T09:15:02Z mta1 postfix/smtp[1]: 4BDC21A0F3: removed",
        "Nov 21 09:15:02 mta1 sshd[1]: Accepted publickey",
        "Nov 21 09:15:02 mta1 postfix/smtpd[1]: NOQUEUE: reject: RCPT from x: 554",
        "Nov 21 09:15:02 mta1 postfix/smtpd[1]: warning: hostname x does not resolve",
        '{"MESSAGE": [1, 2]}',
        "{",
    ],
)
def test_a_line_that_is_about_no_message_tells_nothing(text: str) -> None:
    assert events_of([text]) == []


@given(st.lists(st.sampled_from([*DELIVERED, ""]) | st.text(max_size=80), max_size=20))
def test_no_line_breaks_the_reading_and_every_event_can_be_stored(said: list[str]) -> None:
    for event in told(said):
        posted(msgspec.json.encode(event), "postfix", "harbour.example")
