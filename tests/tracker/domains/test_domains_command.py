"""A person registers domains; what a command can't do it says in plain words."""

import json
from base64 import b64decode
from pathlib import Path

import httpx
import pytest

from tests.patience import PATIENCE, wait_for
from tests.tracker.operation.conftest import Tracker, folder, own_process, tracker
from tests.tracker.operation.running import running
from tracker.published import FILE, Published

__all__ = ("folder", "own_process", "tracker")

PNG = b"\x89PNG\r\n\x1a\n"


def test_a_registered_domain_is_told_with_the_line_to_paste(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_DNS_EDGE_HOST", "edge.example.net")
    said = tracker("domains", "add", "Click.Example.com", "--sending-domain", "example.com")
    assert said.status == 0, said.err
    assert "  click.example.com. 300 IN CNAME edge.example.net.\n" in said.out
    assert "tracker domains check click.example.com" in said.out
    assert "http:// until HTTPS has been proven" in said.out
    (listed,) = json.loads(tracker("domains", "list", "--json").out)
    assert listed["sending_domain"] == "example.com"
    assert listed["scheme"] == "http"


def test_a_second_domain_of_a_sender_is_tried_before_links_move_there(tracker: Tracker) -> None:
    tracker("domains", "add", "click.example.com", "--sending-domain", "example.com")
    said = tracker("domains", "add", "go.example.com", "--sending-domain", "example.com")
    command = "tracker domains sending example.com --tracking-domain go.example.com"
    assert said.out.rstrip().endswith(command)
    moved = tracker(*command.split()[1:])
    assert "links lead to   go.example.com" in moved.out
    assert tracker("domains", "remove", "click.example.com").status == 0


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (("add", "https://click.example.com/"), 65, "is not a host name such as"),
        (("add", "my_click.example.com"), 65, "underscore"),
        (("add", "click.example.com"), 65, "registered already: change it by"),
        (("add", "a.example", "--sending-domain", "a b"), 65, "is not a host name"),
        (("add", "a.example", "--tls", "none"), 64, "is not one of"),
        (("show", "no.example.com"), 65, "isn't registered: see 'tracker domains list'"),
        (("set", "no.example.com", "--accent", "#000000"), 65, "isn't registered"),
        (("set", "click.example.com"), 64, "nothing to set"),
        (("set", "click.example.com", "--accent", "red"), 65, "written as #1a2b3c"),
        (("set", "click.example.com", "--logo", "none.png"), 74, "none.png: No such file"),
        (("set", "click.example.com", "--logo", "letter.txt"), 65, "a picture of one of these"),
        (("set", "click.example.com", "--asset-links", "letter.txt"), 65, "not a list in JSON"),
        (("remove", "click.example.com"), 65, "links of example.com lead to click.example.com"),
        (("sending", "example.com", "--tracking-domain", "no.example"), 65, "isn't registered"),
        (("sending", "example.com", "--clicks", "some"), 64, "is not one of"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    tracker: Tracker, folder: Path, arguments: tuple[str, ...], status: int, says: str
) -> None:
    (folder / "letter.txt").write_text("a letter")
    tracker("domains", "add", "click.example.com", "--sending-domain", "example.com")
    said = tracker("domains", *arguments)
    assert said.status == status
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_page_gets_its_theme_from_files_and_loses_it_again(
    tracker: Tracker, folder: Path
) -> None:
    (folder / "logo.png").write_bytes(PNG)
    (folder / "apps.json").write_text('{"applinks":{}}')
    tracker("domains", "add", "click.example.com")
    theme = ("--logo", "logo.png", "--accent", "#ABCDEF", "--sender", "Us")
    tracker("domains", "set", "click.example.com", *theme)
    tracker("domains", "set", "click.example.com", "--app-site-association", "apps.json")
    shown = json.loads(tracker("domains", "show", "click.example.com", "--json").out)
    assert b64decode(shown["theme"]["logo"].partition(",")[2]) == PNG
    assert (shown["theme"]["accent"], shown["theme"]["sender"]) == ("#ABCDEF", "Us")
    assert shown["app_site_association"] == '{"applinks":{}}'
    told = tracker("domains", "show", "click.example.com").out
    assert "accent #ABCDEF, sender Us, logo data:" in told
    tracker("domains", "set", "click.example.com", "--logo", "", "--app-site-association", "")
    shown = json.loads(tracker("domains", "show", "click.example.com", "--json").out)
    assert (shown["theme"]["logo"], shown["app_site_association"]) == ("", "")


def test_a_sender_s_tracking_is_changed_switch_by_switch(tracker: Tracker, folder: Path) -> None:
    (folder / "footer.html").write_text('<p><a href="%unsubscribe_url%">Enough</a></p>')
    sending = ("domains", "sending", "example.com")
    tracker(*sending, "--opens", "no", "--pixel", "top", "--clicks", "no")
    tracker(*sending, "--unsubscribe", "yes", "--html-footer", "footer.html")
    shown = json.loads(tracker(*sending, "--json").out)
    assert shown["open"] == {"active": False, "place_at_the_top": True}
    assert shown["click"] == {"active": False}
    assert shown["unsubscribe"]["active"]
    assert "Enough" in shown["unsubscribe"]["html_footer"]
    assert "%unsubscribe_url%" in shown["unsubscribe"]["text_footer"]
    assert "no pixel, and no opened events" in tracker(*sending).out


def test_a_domain_added_beside_a_running_office_is_published_soon(
    tracker: Tracker, folder: Path
) -> None:
    tracker("keys", "new")
    tracker("domains", "add", "click.example.com")
    path = folder / "data" / FILE
    with running("office") as office:
        httpx.get(f"http://{office.addresses[0]}/healthz", timeout=PATIENCE)
        assert list(Published(path).current().tracking) == ["click.example.com"]
        tracker("domains", "add", "go.example.com")
        wait_for(lambda: "go.example.com" in Published(path).current().tracking)
    assert tracker("domains", "snapshot").out.encode() == path.read_bytes()
