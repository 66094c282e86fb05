"""`tracker ingest`, run as a sender runs it; and the log of a real Postfix."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.patience import PATIENCE, wait_for
from tests.rewriter.smtp.servers import Destination, listening
from tests.servers.ports import free_port
from tests.tracker.ingest.samples import DOMAIN, SAMPLES
from tests.tracker.ingest.test_ingest_postfix import DELIVERED, HEADS
from tracker.store.database import Store
from tracker.store.query import Walk

LINES = [HEADS["ISO 8601"].format(text) for text in DELIVERED]


class Home:
    """A data folder, and the command that works in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"TRACKER_DATA": str(folder / "data")}

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "tracker", "ingest", *words]

    def run(self, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words),
            input=given,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env=self.environment,
            cwd=self.folder,
        )

    def events(self, domain: str = DOMAIN) -> list[dict[str, Any]]:
        return asyncio.run(self._events(domain))

    async def _events(self, domain: str) -> list[dict[str, Any]]:
        store = await Store.open(self.folder / "data" / "store.db")
        found = await store.page(Walk(domain, ascending=True, limit=300))
        await store.close()
        return [msgspec.json.decode(event.document) for event in found]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_a_file_of_lines_is_taken_in_once(home: Home) -> None:
    path = home.folder / "events.jsonl"
    path.write_bytes(b"\n".join(map(msgspec.json.encode, SAMPLES.values())) + b"\n\n")
    first = home.run("jsonl", str(path), "--domain", DOMAIN)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == "15 taken in, 0 known already\n"
    again = home.run("jsonl", "-", "--domain", DOMAIN, given=path.read_text())
    assert again.stdout == "0 taken in, 15 known already\n"
    assert len(home.events()) == len(SAMPLES)


def test_lines_that_are_no_events_are_told_and_the_others_taken_in(home: Home) -> None:
    good = msgspec.json.encode(SAMPLES["opened"]).decode()
    done = home.run(
        "jsonl",
        "-",
        given=f"{good}\nnonsense\n",
    )
    assert done.returncode == 65
    assert done.stderr.splitlines() == [
        "line 1: not an event: its sending domain is missing",
        "line 2: not an event: JSON is malformed: invalid character (byte 4)",
        "tracker: not every line is an event: 2 refused",
    ]


def test_a_log_is_counted_once_however_often_it_is_read(home: Home) -> None:
    log = home.folder / "mail.log"
    log.write_text("\n".join(LINES[:4]) + "\n")
    first = home.run("postfix", str(log))
    assert (first.stdout, first.stderr) == ("2 taken in, 0 known already\n", "")
    with log.open("a") as file:
        file.write("\n".join(LINES[4:]) + "\n")
    second = home.run("postfix", str(log))
    assert second.stdout == "2 taken in, 0 known already\n"
    kinds = Counter(event["event"] for event in home.events())
    assert kinds == {"accepted": 2, "delivered": 1, "failed": 1}
    ids = {event["message"]["headers"]["message-id"] for event in home.events()}
    assert ids == {"20261121.9@harbour.example"}
    for place in (home.folder / "data").glob("postfix-*.json"):
        place.unlink()
    assert home.run("postfix", str(log)).stdout == "0 taken in, 4 known already\n"


def test_a_pipe_is_read_to_its_end_for_a_domain_of_choice(home: Home) -> None:
    done = home.run("postfix", "-", "--domain", "other.example", given="\n".join(LINES))
    assert done.stdout == "4 taken in, 0 known already\n"
    assert len(home.events("other.example")) == 4


def test_a_log_that_isnt_there_is_named(home: Home) -> None:
    done = home.run("postfix", "nowhere.log")
    assert (done.returncode, done.stderr) == (
        74,
        "tracker: nowhere.log: No such file or directory\n",
    )


def place_in(home: Home) -> int:
    """Return how many bytes of the log were read, and what came of them stored."""
    for kept in (home.folder / "data").glob("postfix-*.json"):
        offset: int = msgspec.json.decode(kept.read_bytes())["place"]["offset"]
        return offset
    return 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGKILL])
def test_a_log_that_is_followed_over_its_rotation_is_counted_once(
    home: Home, ending: signal.Signals
) -> None:
    log = home.folder / "mail.log"
    log.write_text("\n".join(LINES[:4]) + "\n")
    command = home.command("postfix", str(log), "--follow")
    with subprocess.Popen(command, env=home.environment, stdout=subprocess.PIPE) as process:
        wait_for(lambda: place_in(home) == log.stat().st_size, "the log to be read")
        log.rename(home.folder / "mail.log.1")
        rest = "\n".join(LINES[4:]) + "\n"
        log.write_text(rest)
        wait_for(lambda: place_in(home) == len(rest.encode()), "the new log to be read")
        process.send_signal(ending)
        said = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == (0 if ending == signal.SIGTERM else -ending)
    assert said == (b"4 taken in, 0 known already\n" if ending == signal.SIGTERM else b"")
    assert home.run("postfix", str(log)).stdout == "0 taken in, 0 known already\n"
    assert len(home.events()) == 4


MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
maillog_file = {home}/mail.log
maillog_file_prefixes = {home}
header_checks = regexp:{home}/etc/header_checks
enable_long_queue_ids = yes
myhostname = postfix.test
mydestination =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
relayhost = [127.0.0.1]:{port}
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 1s
queue_run_delay = 1s
"""


@contextlib.contextmanager
def postfix(home: Path, port: int, relay: int) -> Iterator[Path]:
    """Run a Postfix of our own; give its log."""
    etc = home / "etc"
    for folder in (etc, home / "queue", home / "data"):
        folder.mkdir()
    shutil.chown(home / "data", "postfix", "postfix")
    services = Path("/usr/share/postfix/master.cf.dist").read_text()
    services = re.sub(r"(?m)^smtp +inet", f"127.0.0.1:{port} inet", services)
    services = re.sub(r"(?m)^(\S+ +\S+ +\S+ +\S+ +)y( )", r"\1n\2", services)
    (etc / "master.cf").write_text(services)
    (etc / "main.cf").write_text(MAIN.format(home=home, port=relay))
    (etc / "header_checks").write_text("/^X-Mailgun-Tag:/ INFO\n")
    subprocess.run(["postfix", "-c", str(etc), "start"], check=True, timeout=PATIENCE)
    try:
        yield home / "mail.log"
    finally:
        subprocess.run(["postfix", "-c", str(etc), "stop"], check=True, timeout=PATIENCE)


def missing() -> str:
    if os.geteuid() != 0:
        return "only root can run a Postfix"
    return "" if shutil.which("postfix") else "run deploy/postfix/install.sh"


@pytest.mark.skipif(bool(missing()), reason=f"NO POSTFIX: {missing()}")
def test_a_real_postfixs_log_tells_what_became_of_each_message(home: Home) -> None:
    message = (
        "From: post@harbour.example\r\nTo: {0}\r\nMessage-ID: <{0}>\r\n"
        "X-Mailgun-Tag: tides\r\nSubject: Low tide\r\n\r\nAt six.\r\n"
    )
    # Not in pytest's own folder, which Postfix's unprivileged processes can't enter. Some of them
    # outlive their master by a moment, in which they may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        relay, port = free_port(), free_port()
        refusals = ["", "451 4.3.0 try again", "", "554 5.7.1 not wanted"]
        destination = Destination(refusals=refusals)
        with (
            listening(destination, relay),
            postfix(Path(folder), port, relay) as log,
            smtplib.SMTP("127.0.0.1", port) as client,
        ):
            for name, end in (("taken", "sent"), ("delayed", "sent"), ("refused", "bounced")):
                to = f"{name}@quay.example"
                client.sendmail("post@harbour.example", [to], message.format(to))
                ended = re.compile(f"to=<{to}>, relay=.* status={end} ")
                wait_for(lambda: ended.search(log.read_text()), f"{name} to be {end}")  # noqa: B023 - called at once
            done = home.run("postfix", str(log), "--loopback")
    assert done.stderr == ""
    found = [
        (event["event"], event.get("severity"), event["message"]["headers"]["message-id"])
        for event in home.events()
        if event["tags"] == ["tides"]
    ]
    assert Counter(found) == Counter(
        [
            ("accepted", None, "taken@quay.example"),
            ("delivered", None, "taken@quay.example"),
            ("accepted", None, "refused@quay.example"),
            ("failed", "permanent", "refused@quay.example"),
            ("accepted", None, "delayed@quay.example"),
            ("failed", "temporary", "delayed@quay.example"),
            ("delivered", None, "delayed@quay.example"),
        ]
    )
