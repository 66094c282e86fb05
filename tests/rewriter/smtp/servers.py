"""Real servers on loopback: the filter as a process, and the server that it hands mail to."""

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP

from rewriter.keyring import Keyring
from tests.patience import PATIENCE

DOMAIN = "click.example.com"


@dataclass(frozen=True)
class Delivered:
    """A message as the last server got it."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes


@dataclass
class Destination:
    """The last server. `refusals` are its next answers instead of taking a message."""

    mail: "Queue[Delivered]" = field(default_factory=Queue)
    refusals: list[str] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: object, given: Any) -> str:  # noqa: N802 - its name
        if self.refusals and (refusal := self.refusals.pop(0)):
            return refusal
        self.mail.put(
            Delivered(
                given.mail_from.strip("<>"), tuple(given.rcpt_tos), bytes(given.original_content)
            )
        )
        return "250 OK"

    def take(self) -> Delivered:
        return self.mail.get(timeout=PATIENCE)


class Lenient(SMTP):
    """A server that takes lines of any length, as Postfix does."""

    line_length_limit = 1 << 20


class LenientController(Controller):
    def factory(self) -> SMTP:
        return Lenient(self.handler, **self.SMTP_kwargs)

    def _trigger_server(self) -> None:
        """Hear a greeting, as aiosmtpd's own does, which gives up after a second."""
        address = (self.hostname, self.port)
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.recv(1024)


@contextlib.contextmanager
def listening(destination: Destination, port: int) -> Iterator[None]:
    controller = LenientController(
        destination,
        "127.0.0.1",
        port,
        server_hostname="destination",
        enable_SMTPUTF8=True,
        ready_timeout=PATIENCE,
    )
    controller.start()
    try:
        yield
    finally:
        controller.stop()


@contextlib.contextmanager
def filtering(
    home: Path, port: int, next_port: int, *flags: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the filter until the block ends; its keyring is home/keyring.json."""
    keyring = home / "keyring.json"
    if not keyring.exists():
        Keyring.new().save(keyring)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "rewriter", "smtp", f"--tracking-domain={DOMAIN}"),
            *(f"--keyring={keyring}", f"--listen=127.0.0.1:{port}"),
            f"--next=127.0.0.1:{next_port}",
        ],
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stderr
    try:
        for line in process.stderr:
            if "listening" in line:
                break
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
