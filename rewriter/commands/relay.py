"""The way on: messages for one recipient each, handed to the next mail server.

In: an envelope and, for each recipient, a message. Out: one SMTP reply for them all. Promise: a
positive reply means that the next server has taken every one of them; a message that is tried
again after it went to some of its recipients isn't sent to those twice.
"""

import smtplib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Final

TIMEOUT: Final = 60.0
"""Seconds that the next server may take for an answer, less than Postfix waits for ours."""

REMEMBERED: Final = 1000
"""Messages that went to some of their recipients only, as many as are remembered."""

TAKEN: Final = "250 2.0.0 taken by the next server"
AWAY: Final = "451 4.4.1 the next server is away; try again"

# RFC 6152, RFC 6531: what the sender declared must be declared again.
PASSED_ON: Final = {"BODY=8BITMIME": "8bitmime", "SMTPUTF8": "smtputf8"}

Message = Callable[[str], bytes]
"""Gives the message for one recipient."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom. `options` are those of the MAIL command."""

    sender: str
    recipients: tuple[str, ...]
    options: tuple[str, ...] = ()


class Relay:
    """Hands messages to the next server. Safe to use from several threads."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._partly: OrderedDict[bytes, set[str]] = OrderedDict()
        self._lock = Lock()

    def send(self, envelope: Envelope, original: bytes, message: Message) -> str:
        """Send one message to each recipient; give the reply that holds for them all."""
        key = sha256(envelope.sender.encode("utf-8", "replace") + b"\0" + original).digest()
        with self._lock:
            done = self._partly.pop(key, set())
        left = [recipient for recipient in envelope.recipients if recipient not in done]
        replies: list[str] = []
        try:
            with smtplib.SMTP(*self._address, timeout=TIMEOUT) as server:
                for recipient in left:
                    replies.append(_one(server, envelope, recipient, message(recipient)))
                    if replies[-1] == TAKEN:
                        done.add(recipient)
        except (OSError, smtplib.SMTPException):
            replies.append(AWAY)
        reply = _worst(replies)
        if done and reply.startswith("4"):
            self._remember(key, done)
        return reply

    def _remember(self, key: bytes, done: set[str]) -> None:
        with self._lock:
            self._partly[key] = done
            while len(self._partly) > REMEMBERED:
                self._partly.popitem(last=False)


def _one(server: smtplib.SMTP, envelope: Envelope, recipient: str, message: bytes) -> str:
    """Send one transaction; give the next server's refusal as it came, or TAKEN."""
    server.ehlo_or_helo_if_needed()
    options = [
        option
        for option in envelope.options
        if option.upper() in PASSED_ON and server.has_extn(PASSED_ON[option.upper()])
    ]
    code, text = server.mail(envelope.sender, options)
    if code < 400:
        code, text = server.rcpt(recipient)
    if code < 400:
        code, text = server.data(message)
    if code >= 400:
        server.rset()
        return f"{code} {text.decode('utf-8', 'replace').splitlines()[0]}"
    return TAKEN


def _worst(replies: Sequence[str]) -> str:
    """Choose a reply that says too little rather than too much: what may pass is tried again."""
    for kind in ("4", "5"):
        for reply in replies:
            if reply.startswith(kind):
                return reply
    return TAKEN
