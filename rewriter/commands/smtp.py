"""`rewriter smtp`: a content filter that Postfix sends mail through, on its way out.

In: messages over SMTP. Out: the same messages over SMTP to the next server, one for each recipient,
each with links of its own. `deploy/postfix/` shows how to put it in.

Promise: a message is taken only when the next server has taken it; while that one is away, the
answer is a 4xx and the queue in front of us keeps the mail. A message that can't be rewritten goes
on as it came.
"""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from aiosmtpd.smtp import SMTP

from rewriter import exits
from rewriter.commands.options import Parser, add_settings, settings_of
from rewriter.commands.relay import Envelope, Relay
from rewriter.commands.rewriters import Rewriters
from rewriter.mime.letterhead import Letterhead
from rewriter.mime.message import PlannedMessage, Refused, plan_message

T = TypeVar("T")

log = logging.getLogger("rewriter.commands.smtp")

BUSY: Final = "451 4.3.2 too many messages at once; try again"
# Postfix opens up to 20 connections to a transport (default_destination_concurrency_limit).
AT_ONCE: Final = 20
WAITING: Final = 80
"""Messages in our hands at once, in threads or waiting for one."""

DRAIN: Final = 30.0
"""Seconds that messages in progress get after a signal to stop."""

MAX_SIZE: Final = 100 * 1024 * 1024
"""Bytes; Postfix's message_size_limit (10 MB by default) is what should refuse a message."""


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What is done to each message."""

    rewriters: Rewriters
    letterhead: Letterhead
    off: bool = False

    def plan(self, envelope: Envelope, content: bytes) -> PlannedMessage | None:
        """Plan what changes in a message; None where it goes on as it came."""
        # A null sender marks a bounce (RFC 5321 §4.5.5): nobody's newsletter.
        if not envelope.sender or self.off:
            return None
        return plan_message(content, self.rewriters.of_message(content).policy)

    def render(self, plan: PlannedMessage, recipient: str) -> bytes:
        """Give the message for one recipient."""
        return bytes(plan.render(replace(self.letterhead, recipient=recipient)))


def unless_it_fails(rewrite: Callable[[], T], otherwise: T) -> T:
    """Rewrite; where that fails, for whatever reason, say so and give what there was.

    This is the top of what the filter does for a message: no fault of ours may lose mail.
    """
    try:
        return rewrite()
    except Refused as refusal:
        log.warning("goes on as it came: %s", refusal)
    except Exception:
        log.exception("goes on as it came: a fault of the rewriter's own")
    return otherwise


class Filter:
    """What aiosmtpd asks for each message. Rewriting and sending are done in threads."""

    def __init__(self, rewriting: Rewriting, relay: Relay, waiting: int = WAITING) -> None:
        self._rewriting = rewriting
        self._relay = relay
        self._waiting = waiting
        self._threads = ThreadPoolExecutor(AT_ONCE, "filter")
        self._taken = 0
        self._receiving: set[SMTP] = set()
        self.idle = asyncio.Event()
        self.idle.set()

    def begin(self, session: SMTP) -> None:
        """Note that a message is on its way in."""
        self._receiving.add(session)
        self.idle.clear()

    def end(self, session: SMTP) -> None:
        """Note that the message has its answer; `idle` is set once all have."""
        self._receiving.discard(session)
        if not self._receiving:
            self.idle.set()

    async def handle_DATA(self, _server: SMTP, _session: object, given: Any) -> str:  # noqa: N802 - its name
        """Rewrite and send on, then answer: what we take, the next server has taken.

        A sender that waits is back-pressure; one too many is told to come back.
        """
        if self._taken >= self._waiting:
            return BUSY
        # aiosmtpd gives the null sender as it was written.
        sender = "" if given.mail_from == "<>" else given.mail_from
        envelope = Envelope(sender, tuple(given.rcpt_tos), tuple(given.mail_options))
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._pass_on, envelope, given.original_content
            )
        finally:
            self._taken -= 1

    def _pass_on(self, envelope: Envelope, content: bytes) -> str:
        rewriting = self._rewriting
        plan = unless_it_fails(lambda: rewriting.plan(envelope, content), None)

        def message(recipient: str) -> bytes:
            if plan is None:
                return content
            return unless_it_fails(lambda: rewriting.render(plan, recipient), content)

        reply = self._relay.send(envelope, content, message)
        log.log(
            logging.INFO if reply.startswith("2") else logging.WARNING,
            "%d bytes for %d: %s",
            len(content),
            len(envelope.recipients),
            reply.partition(" ")[0],
        )
        return reply


class Session(SMTP):
    """One connection."""

    # What came over SMTP so far may have lines of any length, and so may what goes on.
    line_length_limit = 1024 * 1024

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take a message; whoever stops the filter waits until it has its answer."""
        self.event_handler.begin(self)
        try:
            await super().smtp_DATA(arg)
        finally:
            self.event_handler.end(self)


async def serve(filter_: Filter, host: str, port: int) -> None:
    """Take mail until SIGTERM or SIGINT, then finish what has begun."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    server = await loop.create_server(
        lambda: Session(
            filter_,
            data_size_limit=MAX_SIZE,
            enable_SMTPUTF8=True,
            hostname="rewriter",
            ident="tracking-edge",
            loop=loop,
        ),
        host,
        port,
    )
    address = server.sockets[0].getsockname()
    log.info("listening on %s:%d", *address[:2])
    await stop.wait()
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(filter_.idle.wait(), DRAIN)
    log.info("stopped")


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the filter; return its exit status. Raises ConfigError, KeyringError, OSError."""
    parser = Parser(
        prog="rewriter smtp",
        description="Rewrite mail that Postfix sends through, and hand it to the next server.",
    )
    parser.add_argument("--listen", type=_address, default="127.0.0.1:10025", metavar="HOST:PORT")
    parser.add_argument("--next", type=_address, default="127.0.0.1:10026", metavar="HOST:PORT")
    add_settings(parser)
    options = parser.parse_args(arguments)
    settings = settings_of(options, environment)
    # Strict means giving out nothing, and a filter must give out every message.
    settings = replace(
        settings,
        config=replace(settings.config, strict=False),
        given={**settings.given, "strict": False},
    )
    rewriters = Rewriters(settings)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.ERROR)
    rewriting = Rewriting(rewriters, settings.letterhead, settings.config.privacy == "off")
    asyncio.run(serve(Filter(rewriting, Relay(*options.next)), *options.listen))
    return exits.OK


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return host.strip("[]"), int(port)
