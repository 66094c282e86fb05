"""Mails: what the lines of a log say of each message, told as events in Mailgun's form.

In: lines in their order. Out: an event for each delivery and each failure, and one `accepted` for
each recipient, told with the first attempt: before it the log doesn't name recipients.
Promise: the same lines give the same events, whose content is unlike any other's, so that reading a
log twice counts nothing twice.

A message that passes a filter is in the log twice. Handing it over to the filter is no delivery: an
address of this machine, or the program `pipe`.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tracker.postfix.line import Line

MOST: Final = 200_000  # messages on their way, beyond which the oldest are forgotten
MOST_RECIPIENTS: Final = 10_000  # of one message, that are remembered

MESSAGE_ID = re.compile(r"message-id=<?([^>\s]+)>?")
# header_checks(5), INFO: `/^X-Mailgun-Tag:/ INFO` puts the header into the log.
HEADER = re.compile(r"(?:info|warning): header (?P<name>[\w-]+): (?P<value>.*) from \S+; from=<.*")
ACTIVE = re.compile(r"from=<(?P<sender>[^>]*)>, size=(?P<size>\d{1,15}), nrcpt=\d+ .*")
EXPIRED = re.compile(r"from=<[^>]*>, status=(?:force-)?expired, returned to sender")
ATTEMPT = re.compile(
    r"to=<(?P<to>[^>]*)>, (?:orig_to=<(?P<orig_to>[^>]*)>, )?relay=(?P<relay>\S+), "
    r"(?:conn_use=\d+, )?delay=[\d.]+, delays=[\d./]+, dsn=(?P<dsn>\d\.\d+\.\d+), "
    r"status=(?P<status>[a-z]+)(?: \((?P<reply>.*)\))?"
)
CODE = re.compile(r"(?:said: )?\b([245]\d\d)[ -]")
LOOPBACK = re.compile(r"127\.[\d.]+|::1")
RELAY = re.compile(r"(?P<name>[^\[]+)\[(?P<address>[^\]]*)\]")
HANDING_OVER: Final = ("pipe", "discard")

# What a status means: event, severity, reason, log level.
MEANS: Final = {
    "sent": ("delivered", None, None, "info"),
    "deferred": ("failed", "temporary", "generic", "warn"),
    "bounced": ("failed", "permanent", "bounce", "error"),
    "expired": ("failed", "permanent", "old", "error"),
}

Event = dict[str, Any]


class Mail(msgspec.Struct, omit_defaults=True):
    """A message on its way, as far as the log has told of it."""

    message_id: str = ""
    sender: str = ""
    size: int = 0
    active_at: float = 0
    subject: str = ""
    tags: list[str] = []
    attempts: dict[str, int] = {}  # by recipient
    waiting: dict[str, str] = {}  # what was last said to those who wait for another attempt


class Mails:
    """The messages on their way, by instance and queue id."""

    def __init__(self, known: dict[str, Mail] | None = None, *, loopback: bool = False) -> None:
        self.known = known if known is not None else {}
        self._loopback = loopback

    def read(self, line: Line) -> Iterator[Event]:
        """Take a line, and yield what it says has happened."""
        key = f"{line.host} {line.instance} {line.queue_id}"
        if line.program == "cleanup":
            self._headers(self._mail(key), line.text)
        elif line.program == "qmgr" and (found := ACTIVE.fullmatch(line.text)):
            mail = self._mail(key)
            mail.sender, mail.size = found["sender"], int(found["size"])
            mail.active_at = mail.active_at or line.at
        elif line.program == "qmgr" and line.text == "removed":
            self.known.pop(key, None)
        elif line.program == "qmgr" and EXPIRED.fullmatch(line.text) and key in self.known:
            yield from self._expired(self.known[key], line)
        elif (found := ATTEMPT.fullmatch(line.text)) and self._counts(line.program, found):
            yield from self._attempted(self._mail(key), line, found)

    def _counts(self, program: str, found: re.Match[str]) -> bool:
        handed_over = not self._loopback and _handed_over(program, found["relay"])
        return found["status"] in MEANS and not handed_over

    def _mail(self, key: str) -> Mail:
        if key not in self.known:
            while len(self.known) >= MOST:
                del self.known[next(iter(self.known))]
            self.known[key] = Mail()
        return self.known[key]

    def _headers(self, mail: Mail, text: str) -> None:
        if found := MESSAGE_ID.fullmatch(text):
            mail.message_id = found[1]
        elif found := HEADER.fullmatch(text):
            match found["name"].lower():
                case "x-mailgun-tag":
                    mail.tags = [*mail.tags, found["value"]]
                case "subject":
                    mail.subject = found["value"]

    def _attempted(self, mail: Mail, line: Line, found: re.Match[str]) -> Iterator[Event]:
        # What the sender wrote to, before aliases: the address that the links were made for.
        original = found["orig_to"] or ""
        recipient = original if "@" in original else found["to"]
        number = mail.attempts.get(recipient, 0) + 1
        if len(mail.attempts) < MOST_RECIPIENTS or number > 1:
            mail.attempts = mail.attempts | {recipient: number}
        if number == 1:
            yield {
                **_event(mail, line, "accepted", recipient),
                "timestamp": mail.active_at or line.at,
                "method": "smtp",
            }
        reply = found["reply"] or ""
        yield from self._told(mail, line, recipient, found["status"], _status(found, number))
        mail.waiting = {who: said for who, said in mail.waiting.items() if who != recipient}
        if found["status"] == "deferred":
            mail.waiting[recipient] = reply

    def _expired(self, mail: Mail, line: Line) -> Iterator[Event]:
        for recipient, reply in mail.waiting.items():
            status = {
                "attempt-no": mail.attempts.get(recipient, 1),
                "message": reply,
                "description": "tried until it expired",
            }
            yield from self._told(mail, line, recipient, "expired", status)
        mail.waiting = {}

    def _told(
        self, mail: Mail, line: Line, recipient: str, status: str, delivery: dict[str, Any]
    ) -> Iterator[Event]:
        kind, severity, reason, level = MEANS[status]
        failure = {"severity": severity, "reason": reason} if severity else {}
        yield {
            **_event(mail, line, kind, recipient),
            "log-level": level,
            **failure,
            "delivery-status": delivery,
        }


def sending_domain(event: Event) -> str:
    """Return the domain of an event's envelope sender, "" for a bounce, which has none."""
    sender: str = event["envelope"]["sender"]
    return sender.rpartition("@")[2]


def _event(mail: Mail, line: Line, kind: str, recipient: str) -> Event:
    headers = {"message-id": mail.message_id, "subject": mail.subject}
    return {
        "event": kind,
        "timestamp": line.at,
        "log-level": "info",
        "recipient": recipient,
        "recipient-domain": recipient.rpartition("@")[2],
        "envelope": {"transport": "smtp", "sender": mail.sender, "targets": recipient},
        "message": {
            "headers": {name: value for name, value in headers.items() if value},
            "size": mail.size,
        },
        "tags": mail.tags,
        "campaigns": [],
        "user-variables": {},
        "postfix": {"host": line.host, "instance": line.instance, "queue-id": line.queue_id},
    }


def _status(found: re.Match[str], number: int) -> dict[str, Any]:
    reply = found["reply"] or ""
    code = CODE.search(reply)
    relay = RELAY.match(found["relay"])
    return {
        "attempt-no": number,
        "code": int(code[1]) if code else 0,
        "enhanced-code": found["dsn"],
        "message": reply,
        "description": "",
        "mx-host": relay["name"] if relay else "",
    }


def _handed_over(program: str, relay: str) -> bool:
    found = RELAY.match(relay)
    here = found is not None and LOOPBACK.fullmatch(found["address"]) is not None
    return program in HANDING_OVER or (program == "smtp" and here)
