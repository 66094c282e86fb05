"""The batch command: every message of a mailbox, or a template for every recipient."""

import re
import subprocess
import sys
from email import message_from_bytes
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Tokens

DOMAIN = "click.example.com"
ROOT = Path(__file__).parents[2]
NEWSLETTER = ROOT / "deploy" / "demo" / "newsletter.eml"
TRACKED = re.compile(rb"https://click\.example\.com/([cou])/([\w-]+)\.([\w-]+)\.[\w-]+")
PAGE = b'<a href="https://example.com/">x</a>\n'


def message(number: int, extra: bytes = b"") -> bytes:
    head = b"From: news@example.org\nTo: r%d@example.net\nMessage-ID: <%d@example.org>\n" % (
        number,
        number,
    )
    return head + b"Content-Type: text/html\n" + extra + b"\n" + PAGE


def batch(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    keyring = home / "keyring.json"
    if not keyring.exists():
        Keyring.new().save(keyring)
    return subprocess.run(
        [
            *(sys.executable, "-m", "rewriter", "batch", *arguments),
            *(f"--keyring={keyring}", f"--tracking-domain={DOMAIN}", "--no-list-unsubscribe"),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )


def recipients_in(home: Path, content: bytes) -> set[str]:
    tokens = Tokens(Keyring.load(home / "keyring.json").for_domain(DOMAIN))
    unfolded = content.replace(b"=\n", b"")
    return {tokens.open_context(found[3]).recipient for found in TRACKED.finditer(unfolded)}


def untracked(content: bytes) -> bytes:
    plain = re.sub(rb'<img src="https://click[^>]*>', b"", content)
    return TRACKED.sub(b"https://example.com/", plain)


@pytest.mark.parametrize("eol", [b"\n", b"\r\n"])
def test_an_mbox_comes_out_as_an_mbox_with_each_message_rewritten(
    tmp_path: Path, eol: bytes
) -> None:
    mbox = b"".join(
        b"From a@example.org Thu Oct  1 07:30:00 2026\n" + message(number) + b">From here\n\n"
        for number in range(40)
    ).replace(b"\n", eol)
    source, target = tmp_path / "in.mbox", tmp_path / "out.mbox"
    source.write_bytes(mbox)
    done = batch(tmp_path, str(source), str(target))
    assert (done.returncode, done.stderr) == (0, "")
    out = target.read_bytes()
    assert untracked(out) == mbox
    assert recipients_in(tmp_path, out) == {f"r{number}@example.net" for number in range(40)}


def test_a_maildir_comes_out_as_a_maildir(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    for folder in ("cur", "new", "tmp"):
        (source / folder).mkdir(parents=True)
    (source / "cur" / "1.host,S=123:2,S").write_bytes(message(1))
    (source / "new" / "2.host").write_bytes(message(2))
    assert batch(tmp_path, str(source), str(target)).returncode == 0
    assert untracked((target / "cur" / "1.host:2,S").read_bytes()) == message(1)
    assert untracked((target / "new" / "2.host").read_bytes()) == message(2)


def test_a_folder_comes_out_as_a_folder(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    (source / "a.eml").write_bytes(message(1))
    (source / "sub" / "b.eml").write_bytes(message(2, b"Content-Transfer-Encoding: x\n"))
    done = batch(tmp_path, str(source), str(target))
    assert done.returncode == 0
    assert "sub/b.eml" in done.stderr
    assert untracked((target / "a.eml").read_bytes()) == message(1)
    assert (target / "sub" / "b.eml").read_bytes() == (source / "sub" / "b.eml").read_bytes()


def test_strict_leaves_out_what_is_not_rewritten_and_says_so(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    (source / "a.eml").write_bytes(message(1))
    (source / "b.eml").write_bytes(message(2, b"Content-Transfer-Encoding: x\n"))
    done = batch(tmp_path, str(source), str(target), "--strict")
    assert done.returncode == 65
    assert [file.name for file in target.iterdir()] == ["a.eml"]


TEMPLATE = """\
From: news@example.org
To: {{name}} <%recipient%>
Message-ID: <7.{{id}}@example.org>
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain; charset=utf-8

Dear {{ name }}, {{unknown}}
--b
Content-Type: text/html; charset=utf-8

<p>Dear {{name}}, <a href="https://example.com/?id={{id}}">look</a></p>
--b--
"""


def test_a_template_becomes_a_message_for_each_recipient(tmp_path: Path) -> None:
    (tmp_path / "t.eml").write_text(TEMPLATE)
    (tmp_path / "to.csv").write_text(
        "email,name,id\nann@example.net,Ann <b>,1\njörg@example.net,Jörg,ä 2\n"
    )
    target = tmp_path / "out"
    done = batch(
        tmp_path, str(tmp_path / "t.eml"), str(target), f"--recipients={tmp_path / 'to.csv'}"
    )
    assert (done.returncode, done.stderr) == (0, "")
    first, second = (file.read_bytes() for file in sorted(target.iterdir()))
    assert b"To: Ann <b> <ann@example.net>\n" in first
    assert b"Message-ID: <7.1@example.org>" in first
    assert b"\nDear Ann <b>, {{unknown}}\n" in first
    assert b"<p>Dear Ann &lt;b&gt;, <a" in first
    assert recipients_in(tmp_path, first) == {"ann@example.net"}
    assert b"To: =?utf-8?" in second
    text = next(part for part in message_from_bytes(second).walk() if not part.is_multipart())
    assert text.get_payload(decode=True) == "Dear Jörg, {{unknown}}".encode()
    assert recipients_in(tmp_path, second) == {"jörg@example.net"}
    shown = subprocess.run(
        [
            *(sys.executable, "-m", "rewriter", "token", "show"),
            next(m[0] for m in TRACKED.finditer(second) if m[1] == b"c").decode(),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    ).stdout
    assert "https://example.com/?id=%C3%A4%202" in shown
    assert "https://example.com/?id={{id}}" in shown


def test_a_value_breaks_no_header(tmp_path: Path) -> None:
    (tmp_path / "t.eml").write_text(TEMPLATE)
    (tmp_path / "to.csv").write_text('email,name,id\na@b.example,"x\r\nBcc: evil",1\n')
    target = tmp_path / "out"
    batch(tmp_path, str(tmp_path / "t.eml"), str(target), f"--recipients={tmp_path / 'to.csv'}")
    assert b"To: x Bcc: evil <a@b.example>\n" in next(target.iterdir()).read_bytes()


@pytest.mark.parametrize(
    ("source", "status", "sentence"),
    [("none", 66, "there is no"), ("keyring.json", 66, "no mbox"), ("empty", 66, "no messages")],
)
def test_a_mistake_is_one_sentence(tmp_path: Path, source: str, status: int, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    done = batch(tmp_path, str(tmp_path / source), str(tmp_path / "out"))
    assert done.returncode == status
    (line,) = done.stderr.splitlines()
    assert sentence in line


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = batch(tmp_path, str(tmp_path / "in"), str(tmp_path))
    assert done.returncode == 64
    assert "there already" in done.stderr


def test_a_table_without_addresses_is_named(tmp_path: Path) -> None:
    (tmp_path / "to.csv").write_text("name\nAnn\n")
    done = batch(
        tmp_path, str(NEWSLETTER), str(tmp_path / "out"), f"--recipients={tmp_path / 'to.csv'}"
    )
    assert done.returncode == 66
    assert "no column" in done.stderr
