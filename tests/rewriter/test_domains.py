"""The rewriter obeys what is registered for a sending domain, and the sender before that."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from rewriter.commands.rewriters import EVERY, Rewriters
from rewriter.commands.settings import read_settings
from rewriter.config import Config, ConfigError
from rewriter.domains import Register
from rewriter.keyring import Keyring
from rewriter.mime.message import Refused
from tracker.domains import (
    ClickTracking,
    OpenTracking,
    SendingDomain,
    Snapshot,
    TrackingDomain,
    UnsubscribeTracking,
)
from tracker.published import encode

CLICK = "click.example.com"
PAGE = '<body><a href="https://example.org/">x</a></body>'
MESSAGE = f"""From: News <news@{{}}>
To: ann@example.net
Message-ID: <1@example.com>
Content-Type: multipart/alternative; boundary=b

--b
Content-Type: text/plain

https://example.org/
--b
Content-Type: text/html

{PAGE}
--b--
"""


def registered(**fields: Any) -> Snapshot:
    """Return a register with one domain of each kind; fields are those of the sending one."""
    return Snapshot(
        tracking={CLICK: TrackingDomain(CLICK, "example.com")},
        sending={"example.com": SendingDomain("example.com", CLICK, **fields)},
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Keyring.new().save(tmp_path / "data" / "keyring.json")
    return tmp_path


def put(home: Path, snapshot: Snapshot, name: str = "data/domains.json") -> None:
    """Publish as the office does: a new file in the place of the one before."""
    fresh = home / "fresh"
    fresh.write_bytes(encode(snapshot))
    fresh.replace(home / name)


def rewritten(flags: Mapping[str, object], domain: str = "example.com", headers: str = "") -> str:
    """Rewrite a message of a sending domain."""
    settings = read_settings(flags, {})
    message = (headers + MESSAGE.format(domain)).encode()
    return bytes(Rewriters(settings).message(message, settings.letterhead)).decode()


def test_without_a_register_nothing_changes(home: Path) -> None:
    with pytest.raises(ConfigError, match="give --tracking-domain"):
        read_settings({}, {})
    flags = {"tracking_domain": CLICK}
    before = rewritten(flags)
    assert before.count(f"https://{CLICK}/c/") == 1
    put(home, Snapshot())
    assert rewritten(flags) == before


def test_a_sending_domain_s_links_lead_to_its_tracking_domain(home: Path) -> None:
    put(home, registered())
    page = rewritten({})
    assert page.count(f"http://{CLICK}/c/") == 1
    assert page.count(f"http://{CLICK}/o/") == 1


def test_mail_of_another_domain_goes_out_as_it_came_unless_strict(home: Path) -> None:
    put(home, registered())
    assert rewritten({}, "example.net") == MESSAGE.format("example.net")
    with pytest.raises(Refused, match="no-tracking-domain"):
        rewritten({"strict": "yes"}, "example.net")
    assert f"http://{CLICK}/c/" in rewritten({"sending_domain": "example.com"}, "example.net")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, {"clicks": True, "text_links": False, "opens": True, "pixel": "bottom"}),
        ({"click": ClickTracking(True)}, {"clicks": True, "text_links": True}),
        ({"click": ClickTracking("htmlonly")}, {"clicks": True, "text_links": False}),
        ({"click": ClickTracking(False)}, {"clicks": False, "text_links": False}),
        ({"open": OpenTracking(False)}, {"opens": False}),
        ({"open": OpenTracking(place_at_the_top=True)}, {"opens": True, "pixel": "top"}),
        ({"unsubscribe": UnsubscribeTracking()}, {"unsubscribe_html": "", "unsubscribe_text": ""}),
        (
            {"unsubscribe": UnsubscribeTracking(True, "<i>", "text")},
            {"unsubscribe_html": "<i>", "unsubscribe_text": "text"},
        ),
    ],
)
def test_each_setting_of_a_domain_is_one_of_the_rewriter_s(
    tmp_path: Path, fields: dict[str, Any], expected: dict[str, object]
) -> None:
    (tmp_path / "domains.json").write_bytes(encode(registered(**fields)))
    register = Register.load(tmp_path / "domains.json")
    assert register is not None
    config = register.config({}, "example.com")
    assert config is not None
    assert {name: getattr(config, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("tracking", "given", "origin"),
    [
        (TrackingDomain(CLICK), {}, f"http://{CLICK}"),
        (TrackingDomain(CLICK, https_proven_at=1), {}, f"https://{CLICK}"),
        (TrackingDomain(CLICK, tls="external"), {}, f"https://{CLICK}"),
        (TrackingDomain(CLICK, web_scheme="https"), {}, f"https://{CLICK}"),
        (TrackingDomain(CLICK, web_scheme="http", https_proven_at=1), {}, f"http://{CLICK}"),
        (TrackingDomain(CLICK), {"scheme": "https"}, f"https://{CLICK}"),
        (TrackingDomain(CLICK), {"tracking_domain": "go.example"}, "https://go.example"),
        (TrackingDomain("go.example"), {"tracking_domain": "go.example"}, "http://go.example"),
    ],
)
def test_new_links_begin_with_what_is_known_to_work(
    tmp_path: Path, tracking: TrackingDomain, given: dict[str, str], origin: str
) -> None:
    sending = {"example.com": SendingDomain("example.com", CLICK)}
    snapshot = Snapshot(tracking={tracking.name: tracking}, sending=sending)
    (tmp_path / "domains.json").write_bytes(encode(snapshot))
    register = Register.load(tmp_path / "domains.json")
    assert register is not None
    config = register.config(given, "example.com")
    assert isinstance(config, Config)
    assert config.origin == origin
    if not given:
        assert config.scheme == tracking.scheme  # both say it alike


@pytest.mark.parametrize(
    ("headers", "flags", "pixels"),
    [
        ("", {}, 0),
        ("", {"opens": "yes"}, 1),
        ("X-Mailgun-Track-Opens: no\n", {"opens": "yes"}, 0),
        ("X-Mailgun-Track-Opens: yes\n", {"opens": "no"}, 1),
        ("X-Mailgun-Track-Opens: yes\n", {}, 1),
    ],
)
def test_a_message_goes_before_the_sender_and_the_sender_before_the_register(
    home: Path, headers: str, flags: dict[str, str], pixels: int
) -> None:
    put(home, registered(open=OpenTracking(False)))
    assert rewritten(flags, headers=headers).count(f"{CLICK}/o/") == pixels


def test_the_footer_of_a_domain_goes_into_mail_without_an_unsubscribe_link(home: Path) -> None:
    put(home, registered(unsubscribe=UnsubscribeTracking(active=True)))
    mail = rewritten({})
    assert mail.count("unsubscribe</a></p>") == 1
    assert mail.count("To unsubscribe click: <http://click.example.com/u/") == 1


def test_another_register_can_be_named(home: Path) -> None:
    put(home, registered(), "other.json")
    assert f"http://{CLICK}/c/" in rewritten({"settings": "other.json"})
    with pytest.raises(ConfigError, match=r"settings: there is no file none\.json"):
        read_settings({"settings": "none.json"}, {})


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version":2,"tracking":{},"sending":{}}'])
def test_a_damaged_register_is_told(home: Path, content: str) -> None:
    (home / "data" / "domains.json").write_text(content)
    with pytest.raises(ConfigError, match="isn't what 'tracker domains snapshot' prints"):
        read_settings({}, {})


def test_a_register_that_was_replaced_is_taken_up(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr("rewriter.commands.rewriters.time.monotonic", lambda: now[0])
    put(home, registered())
    rewriters = Rewriters(read_settings({}, {}))
    assert rewriters.of_domain("example.com").config.opens
    put(home, registered(open=OpenTracking(False)))
    assert rewriters.of_domain("example.com").config.opens
    now[0] += EVERY
    assert not rewriters.of_domain("example.com").config.opens
    (home / "data" / "domains.json").write_text("{")
    now[0] += EVERY
    assert not rewriters.of_domain("example.com").config.opens
    assert "what was set before stays" in capsys.readouterr().err
