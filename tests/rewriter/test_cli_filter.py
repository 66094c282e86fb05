"""The command, as a process: what comes in, what comes out, and its exit status."""

import base64
import json
import os
import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import cast

import pytest

from rewriter.cli import rewrite_input
from rewriter.commands.settings import Settings
from rewriter.config import Config
from rewriter.keyring import Keyring
from rewriter.mime.letterhead import Letterhead

NEWSLETTER = Path(__file__).parents[2] / "deploy" / "demo" / "newsletter.eml"
PAGE = b'<a href="https://example.com/">x</a>'
MESSAGE = b"From: a@example.org\nTo: ann@example.net\nContent-Type: text/html\n\n" + PAGE + b"\n"
BAD = MESSAGE.replace(b"\n\n", b"\nContent-Transfer-Encoding: x-none\n\n", 1)
DOMAIN = "--tracking-domain=click.example.com"


class Sender:
    """Someone at a shell, in a folder of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        Keyring.new().save(home / "data" / "keyring.json")

    def run(
        self, *arguments: str, given: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[bytes]:
        inherited = {name: value for name, value in os.environ.items() if "REWRITER" not in name}
        return subprocess.run(
            [sys.executable, "-m", "rewriter", *arguments],
            input=given,
            capture_output=True,
            check=False,
            cwd=self.home,
            env={**inherited, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        )


@pytest.fixture
def sender(tmp_path: Path) -> Sender:
    return Sender(tmp_path)


def test_a_message_comes_out_with_its_links_tracked(sender: Sender) -> None:
    done = sender.run(DOMAIN, given=NEWSLETTER.read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b"https://click.example.com/") > 30


def test_a_page_comes_out_with_its_links_tracked(sender: Sender) -> None:
    done = sender.run(DOMAIN, "--html", "--recipient=ann@example.net", given=PAGE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b'<a href="https://click.example.com/c/')


def test_what_cannot_be_rewritten_comes_out_as_it_came_with_a_warning(sender: Sender) -> None:
    done = sender.run(DOMAIN, "--no-list-unsubscribe", given=BAD)
    assert (done.returncode, done.stdout) == (0, BAD)
    assert b"[encoding]" in done.stderr


def test_strict_gives_out_nothing(sender: Sender) -> None:
    done = sender.run(DOMAIN, "--strict", given=BAD)
    assert (done.returncode, done.stdout) == (65, b"")
    assert b"[encoding]" in done.stderr


@pytest.mark.parametrize(
    ("what", "arguments", "environment", "status", "sentence"),
    [
        ("no tracking domain", [], {}, 78, "--tracking-domain"),
        ("an unknown flag", ["--trak"], {}, 64, "--trak"),
        ("a shortened flag", ["--tracking-dom=a.example"], {}, 64, "--tracking-dom"),
        ("an unknown variable", [DOMAIN], {"REWRITER_PIXLE": "top"}, 78, "did you mean pixel?"),
        ("a wrong choice", [DOMAIN, "--pixel=left"], {}, 78, "pixel"),
        ("no such file", [DOMAIN, "--config=none.toml"], {}, 78, "none.toml"),
        ("a URL with a path", ["--tracking-url=https://a.example/x"], {}, 78, "tracking_url"),
        ("no host name", ["--tracking-domain=a b"], {}, 78, "tracking_domain"),
        ("a port that is none", [DOMAIN], {"REWRITER_PORT": "http"}, 78, "port"),
    ],
)
def test_a_mistake_is_one_sentence_and_a_status(
    sender: Sender,
    what: str,
    arguments: list[str],
    environment: dict[str, str],
    status: int,
    sentence: str,
) -> None:
    done = sender.run(*arguments, given=MESSAGE, **environment)
    assert (done.returncode, done.stdout) == (status, b"")
    (line,) = done.stderr.decode().splitlines()
    assert sentence in line


def test_an_unknown_setting_in_the_file_is_named(sender: Sender) -> None:
    (sender.home / "tracker.toml").write_text("[rewriter]\ntracking_domian = 'a.example'\n")
    done = sender.run(given=MESSAGE)
    assert done.returncode == 78
    assert b"did you mean tracking_domain?" in done.stderr


def test_flags_go_before_the_environment_and_that_before_the_file(sender: Sender) -> None:
    (sender.home / "tracker.toml").write_text(
        "[rewriter]\ntracking_domain = 'file.example'\nscheme = 'http'\nutm = {utm_source = 'x'}\n"
    )
    for arguments, environment, origin in (
        ([], {}, b"http://file.example/c/"),
        ([], {"REWRITER_TRACKING_DOMAIN": "env.example"}, b"http://env.example/c/"),
        ([DOMAIN, "--scheme=https"], {}, b"https://click.example.com/c/"),
        (["--tracking-url=http://localhost:8025"], {}, b"http://file.example:8025/c/"),
    ):
        done = sender.run(*arguments, given=MESSAGE, **environment)
        assert origin in done.stdout


@pytest.mark.parametrize(("flags", "status"), [([], 0), (["--strict"], 78)])
def test_without_its_keyring_the_mail_still_goes_out_unless_strict(
    sender: Sender, flags: list[str], status: int
) -> None:
    done = sender.run(DOMAIN, "--keyring=none.json", *flags, given=MESSAGE)
    assert (done.returncode, done.stdout) == (status, MESSAGE if not status else b"")
    assert b"none.json" in done.stderr


def faulty(sender: Sender, *, strict: bool) -> Settings:
    """Give settings that no command line can make, so that rewriting fails by a fault of ours."""
    config = Config(tracking_domain="click.example.com", strict=strict)
    keyring = sender.home / "data" / "keyring.json"
    return Settings(config, keyring, letterhead=cast("Letterhead", "none"))


def test_a_fault_of_ours_costs_nobody_their_mail(sender: Sender) -> None:
    outcome = rewrite_input(MESSAGE, faulty(sender, strict=False), Namespace(html=False))
    assert bytes(outcome) == MESSAGE


def test_a_fault_of_ours_is_told_from_the_senders_mistakes(sender: Sender) -> None:
    with pytest.raises(SystemExit) as ended:
        rewrite_input(MESSAGE, faulty(sender, strict=True), Namespace(html=False))
    assert ended.value.code == 70


def test_privacy_off_needs_nothing_and_changes_nothing(sender: Sender) -> None:
    done = sender.run("--privacy=off", given=MESSAGE)
    assert (done.returncode, done.stdout, done.stderr) == (0, MESSAGE, b"")


def test_explain_tells_of_each_link_what_became_of_it_and_why(sender: Sender) -> None:
    text = sender.run(DOMAIN, "--explain", given=NEWSLETTER.read_bytes()).stdout.decode()
    assert re.search(r"2\.1 +1 +tracked +https://example.com/letter/42", text)
    assert "marked as not to be tracked" in text


def test_json_tells_the_same_to_programs(sender: Sender) -> None:
    told = json.loads(sender.run(DOMAIN, "--json", given=BAD).stdout)
    assert [notice["code"] for notice in told["notices"]] == ["encoding"]
    told = json.loads(sender.run(DOMAIN, "--json", given=MESSAGE).stdout)
    assert told["links"][0]["destination"] == "https://example.com/"


def test_a_token_is_shown_with_whose_mail_it_was(sender: Sender) -> None:
    out = sender.run(DOMAIN, given=MESSAGE).stdout
    url = re.search(rb"https://click\.example\.com/c/[^\"]+", out)
    assert url
    shown = sender.run("token", "show", url[0].decode()).stdout.decode()
    assert re.search(r"verified: +yes", shown)
    assert re.search(r"leads to: +https://example.com/", shown)
    assert re.search(r"recipient: +ann@example.net", shown)


def test_a_token_of_someone_elses_shows_where_it_leads_and_nothing_more(
    sender: Sender, tmp_path: Path
) -> None:
    out = sender.run(DOMAIN, given=MESSAGE).stdout
    url = re.search(rb"https://click\.example\.com/c/[^\"]+", out)
    assert url
    Keyring.new().save(tmp_path / "other.json")
    told = json.loads(
        sender.run("token", "show", "--json", "--keyring=other.json", url[0].decode()).stdout
    )
    assert told["link"]["destination"] == "https://example.com/"
    assert (told["verified"], told["context"]) == (False, None)


def test_what_is_no_token_is_said_so(sender: Sender) -> None:
    done = sender.run("token", "show", "https://example.com/c/x")
    assert done.returncode == 65
    assert b"no tracked URL" in done.stderr


MEGABYTES = 24
TYPED = MESSAGE.replace(b"text/html", b"text/html; charset=utf-8")
LINES = b"Lorem ipsum dolor sit amet, consetetur sadipscing <b>elitr</b>.\n"
LARGE_PAGE = LINES * (MEGABYTES * 1024 * 1024 // len(LINES))
ATTACHMENT = b"Content-Type: application/zip\n\n" + (b"QUJD" * 19 + b"\n") * (MEGABYTES * 13_600)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="NO /proc to read memory from")
@pytest.mark.parametrize(
    "message",
    [
        b"To: a@b.example\nContent-Type: multipart/mixed; boundary=b\n\n"
        b"--b\nContent-Type: text/html\n\n" + PAGE + b"\n--b\n" + ATTACHMENT + b"--b--\n",
        TYPED.replace(PAGE, LARGE_PAGE + PAGE),
        TYPED.replace(b"\n\n" + PAGE, b"\nContent-Transfer-Encoding: quoted-printable\n\n")
        + LARGE_PAGE
        + b'<a href=3D"https://example.com/">',
        TYPED.replace(b"\n\n" + PAGE, b"\nContent-Transfer-Encoding: base64\n\n")
        + base64.encodebytes(LARGE_PAGE[: MEGABYTES * 3 * 1024 * 256] + PAGE),
        MESSAGE.replace(PAGE, LARGE_PAGE + PAGE),
        MESSAGE.replace(PAGE, LARGE_PAGE + "€ 🛒".encode() + PAGE),
    ],
    ids=["attachment", "7bit", "quoted-printable", "base64", "no charset", "no charset, 8bit"],
)
def test_a_large_message_takes_little_more_memory_than_itself(
    sender: Sender, message: bytes
) -> None:
    program = (
        "import sys; from rewriter.cli import run;"
        f"status = run(['{DOMAIN}'], {{}});"
        # Not ru_maxrss, which a process inherits from the one that started it.
        "print(open('/proc/self/status').read().partition('VmHWM:')[2].split()[0], file=sys.stderr)"
    )

    def peak(given: bytes) -> int:
        done = subprocess.run(
            [sys.executable, "-c", program],
            input=given,
            capture_output=True,
            check=True,
            cwd=sender.home,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        assert len(done.stdout) > len(given)
        return int(done.stderr.split()[-1])

    assert peak(message) - peak(MESSAGE) < 64 * 1024
