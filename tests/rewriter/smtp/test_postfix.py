"""The filter behind a real Postfix, as `deploy/postfix/` puts it in, fed by swaks."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Tokens
from tests.patience import PATIENCE, wait_for
from tests.servers.ports import free_port

from .servers import DOMAIN, Destination, filtering, listening

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy" / "postfix"
NEWSLETTER = ROOT / "deploy" / "demo" / "newsletter.eml"
TRACKED = re.compile(rb"https://click\.example\.com/([cou])/[\w-]+\.([\w-]+)\.[\w-]+")


def missing() -> str:
    """Say what keeps a Postfix of our own from running here, after trying to install it."""
    if os.geteuid() != 0:
        return "only root can run a Postfix"
    if os.environ.get("CI") and not (shutil.which("postfix") and shutil.which("swaks")):
        subprocess.run([DEPLOY / "install.sh"], check=False, capture_output=True, timeout=240)
    if not (shutil.which("postfix") and shutil.which("swaks")):
        return f"run {DEPLOY.relative_to(ROOT) / 'install.sh'}"
    return ""


@dataclass
class Postfix:
    """A Postfix with its own folders and ports, beside any that the machine has."""

    home: Path
    port: int

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [*command], capture_output=True, text=True, check=True, cwd=self.home, timeout=PATIENCE
        )
        return done.stdout

    def swaks(self, *recipients: str, data: Path) -> None:
        self.run(
            *("swaks", "--server", f"127.0.0.1:{self.port}", "--from", "news@news.example.com"),
            *("--to", ",".join(recipients), "--data", f"@{data}", "--helo", "test"),
        )

    def queued(self) -> int:
        listing = self.run("postqueue", "-c", str(self.home / "etc"), "-j")
        return len(listing.splitlines())

    def flush(self) -> None:
        self.run("postqueue", "-c", str(self.home / "etc"), "-f")


@contextlib.contextmanager
def running(home: Path, filter_port: int, back_port: int, last_port: int) -> Iterator[Postfix]:
    """Start a Postfix whose master.cf is Debian's with what `deploy/postfix/` adds to it."""
    postfix = Postfix(home, free_port())
    etc, queue, data = home / "etc", home / "queue", home / "data"
    for folder in (etc, queue, data):
        folder.mkdir(parents=True)
    shutil.chown(data, "postfix", "postfix")
    proto = Path("/usr/share/postfix/master.cf.dist").read_text()
    services = re.sub(r"(?m)^smtp +inet", f"127.0.0.1:{postfix.port} inet", proto)
    services = re.sub(r"(?m)^(\S+ +\S+ +\S+ +\S+ +)y( )", r"\1n\2", services)
    added = (DEPLOY / "master.cf.add").read_text().replace(":10026 ", f":{back_port} ")
    (etc / "master.cf").write_text(services + "\n" + added)
    wanted = (DEPLOY / "main.cf.add").read_text().replace(":10025", f":{filter_port}")
    (etc / "main.cf").write_text(
        f"""\
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
myhostname = postfix.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{last_port}
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
{wanted}"""
    )
    postfix.run("postfix", "-c", str(etc), "start")
    try:
        yield postfix
    finally:
        postfix.run("postfix", "-c", str(etc), "stop")


@dataclass
class Route:
    """The whole way: Postfix, where the filter belongs, and where mail arrives."""

    postfix: Postfix
    filter_port: int
    back_port: int
    destination: Destination

    @contextlib.contextmanager
    def filter(self) -> Iterator[None]:
        with filtering(self.postfix.home, self.filter_port, self.back_port):
            yield
            # What Postfix hasn't heard to be taken it would send once more, in the next test.
            wait_for(lambda: self.postfix.queued() == 0, "Postfix to have handed all on")

    def recipients_in(self, content: bytes) -> set[tuple[bytes, str]]:
        keyring = Keyring.load(self.postfix.home / "keyring.json")
        tokens = Tokens(keyring.for_domain(DOMAIN))
        unfolded = content.replace(b"=\r\n", b"")
        return {
            (found[1], tokens.open_context(found[2]).recipient)
            for found in TRACKED.finditer(unfolded)
        }


@pytest.fixture(scope="module")
def route() -> Iterator[Route]:
    if reason := missing():
        pytest.skip(f"NO POSTFIX: {reason}")
    filter_port, back_port, last_port = free_port(), free_port(), free_port()
    destination = Destination()
    # Not in pytest's own folder, which Postfix's unprivileged processes can't enter. Some of them
    # outlive their master by a moment, in which they may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o755)
        with (
            listening(destination, last_port),
            running(home, filter_port, back_port, last_port) as postfix,
        ):
            yield Route(postfix, filter_port, back_port, destination)


def test_mail_through_postfix_reaches_each_recipient_with_links_of_their_own(route: Route) -> None:
    wanted = {"ann@example.net", "bob@example.org"}
    with route.filter():
        route.postfix.swaks(*wanted, data=NEWSLETTER)
        arrived = [route.destination.take() for _ in wanted]
    assert {mail.recipients[0] for mail in arrived} == wanted
    for mail in arrived:
        (recipient,) = mail.recipients
        assert route.recipients_in(mail.content) == {
            (b"c", recipient),
            (b"o", recipient),
            (b"u", recipient),
        }
        assert b"X-Mailgun" not in mail.content


def test_mail_waits_in_the_queue_while_the_filter_is_away(route: Route) -> None:
    route.postfix.swaks("cy@example.net", data=NEWSLETTER)
    wait_for(lambda: route.postfix.queued() == 1, "Postfix to keep it")
    with route.filter():
        route.postfix.flush()
        mail = route.destination.take()
    assert mail.recipients == ("cy@example.net",)
    assert {recipient for _, recipient in route.recipients_in(mail.content)} == {"cy@example.net"}


def test_signed_mail_comes_through_as_it_was(route: Route, tmp_path: Path) -> None:
    signed = tmp_path / "signed.eml"
    body = b"--b\n\nhello https://example.com/\n--b\nContent-Type: x/y\n\nsig\n--b--\n"
    head = b"From: a@b.example\nTo: c@d.example\nContent-Type: multipart/signed; boundary=b\n\n"
    signed.write_bytes(head + body)
    with route.filter():
        route.postfix.swaks("cy@example.net", data=signed)
        mail = route.destination.take()
    assert body in mail.content.replace(b"\r\n", b"\n")
