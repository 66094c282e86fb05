"""The SMTP filter over real sockets: what it takes has been taken by the next server."""

import asyncio
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP

from rewriter.commands.relay import Relay
from rewriter.commands.rewriters import Rewriters
from rewriter.commands.settings import Settings
from rewriter.commands.smtp import BUSY, Filter, Rewriting, unless_it_fails
from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.mime.letterhead import Letterhead
from rewriter.tokens import Tokens
from tests.patience import PATIENCE
from tests.servers.ports import free_port

from .servers import DOMAIN, Destination, filtering, listening

PAGE = b'<p><a href="https://example.com/">x</a></p>\r\n'
MESSAGE = (
    b"From: news@example.org\r\nTo: list@example.org\r\nMessage-ID: <1@example.org>\r\n"
    b"Content-Type: text/html\r\n\r\n" + PAGE
)
LINK = re.compile(rb"https://click\.example\.com/c/[\w-]+\.([\w-]+)\.[\w-]+")


@dataclass
class Line:
    """A filter and where its mail arrives."""

    home: Path
    port: int
    next_port: int
    destination: Destination

    def send(self, *recipients: str, content: bytes = MESSAGE, sender: str = "a@b.example") -> None:
        with smtplib.SMTP(
            "127.0.0.1", self.port, local_hostname="test", timeout=PATIENCE
        ) as server:
            server.sendmail(sender, recipients, content, ["BODY=8BITMIME"])

    def recipients_in(self, content: bytes) -> set[str]:
        tokens = Tokens(Keyring.load(self.home / "keyring.json").for_domain(DOMAIN))
        return {tokens.open_context(found[1]).recipient for found in LINK.finditer(content)}


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path, free_port(), free_port(), Destination())
    with (
        listening(line.destination, line.next_port),
        filtering(line.home, line.port, line.next_port),
    ):
        yield line


def test_each_recipient_gets_links_of_their_own(line: Line) -> None:
    line.send("ann@example.net", "bob@example.net")
    for expected in ("ann@example.net", "bob@example.net"):
        mail = line.destination.take()
        assert mail.recipients == (expected,)
        assert line.recipients_in(mail.content) == {expected}


def test_what_cannot_be_rewritten_goes_on_as_it_came(line: Line) -> None:
    signed = MESSAGE.replace(b"text/html", b"multipart/signed; boundary=b")
    line.send("ann@example.net", content=signed)
    assert line.destination.take().content == signed


def test_a_bounce_goes_on_as_it_came(line: Line) -> None:
    line.send("ann@example.net", sender="")
    mail = line.destination.take()
    assert (mail.sender, mail.content) == ("", MESSAGE)


def test_lines_of_any_length_and_dots_come_through(line: Line) -> None:
    content = MESSAGE + b".\r\n..\r\n" + b"x" * 5000 + b"\r\n"
    line.send("ann@example.net", content=content.replace(b"text/html", b"application/x"))
    assert line.destination.take().content.endswith(b".\r\n..\r\n" + b"x" * 5000 + b"\r\n")


@pytest.mark.parametrize("refusal", ["450 4.2.0 later", "550 5.1.1 nobody"])
def test_the_next_servers_refusal_is_ours(line: Line, refusal: str) -> None:
    line.destination.refusals = [refusal]
    with pytest.raises(smtplib.SMTPDataError) as refused:
        line.send("ann@example.net")
    assert refused.value.smtp_code == int(refusal[:3])


def test_whoever_got_their_mail_already_does_not_get_it_twice(line: Line) -> None:
    line.destination.refusals = ["", "450 4.2.0 later"]
    with pytest.raises(smtplib.SMTPDataError) as refused:
        line.send("ann@example.net", "bob@example.net")
    assert refused.value.smtp_code == 450
    line.send("ann@example.net", "bob@example.net")
    assert line.destination.take().recipients == ("ann@example.net",)
    assert line.destination.take().recipients == ("bob@example.net",)
    assert line.destination.mail.empty()


def test_while_the_next_server_is_away_mail_is_to_be_tried_again(tmp_path: Path) -> None:
    line = Line(tmp_path, free_port(), free_port(), Destination())
    with filtering(line.home, line.port, line.next_port):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            line.send("ann@example.net")
        assert refused.value.smtp_code == 451
        with listening(line.destination, line.next_port):
            line.send("ann@example.net")
        assert line.destination.take().recipients == ("ann@example.net",)


def test_a_signal_ends_the_filter_cleanly(tmp_path: Path) -> None:
    with filtering(tmp_path, free_port(), free_port()) as process:
        process.terminate()
        assert process.wait(timeout=PATIENCE) == 0


def test_one_message_too_many_is_to_be_tried_again(tmp_path: Path) -> None:
    Keyring.new().save(tmp_path / "keyring.json")
    config = Config(tracking_domain=DOMAIN)
    rewriters = Rewriters(Settings(config, tmp_path / "keyring.json", Letterhead()))

    async def answer() -> str:
        full = Filter(Rewriting(rewriters, Letterhead()), Relay("127.0.0.1", 1), waiting=0)
        return await full.handle_DATA(SMTP(full), None, None)

    assert asyncio.run(answer()) == BUSY


def test_a_fault_of_ours_leaves_the_message_as_it_came() -> None:
    assert unless_it_fails(lambda: MESSAGE[10_000], 7) == 7
