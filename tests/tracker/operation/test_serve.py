"""`tracker serve`, `edge` and `office`: real processes, and what keeps them from starting."""

import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from rewriter.keyring import Keyring
from rewriter.tokens import Context, Link, Tokens
from tests.patience import PATIENCE
from tests.tracker.operation.conftest import Tracker
from tests.tracker.operation.running import running
from tracker import folder as data_folder
from tracker.mistake import Exit

ROLES = ("serve", "edge", "office")


def token() -> str:
    """Sign a link with the newest key."""
    tokens = Tokens(Keyring.load("data/keyring.json").for_domain("127.0.0.1"))
    link = tokens.seal_link(Link("https://x.example/"))
    return tokens.mint(b"c", link, tokens.seal_context(Context())).decode()


def test_the_edge_answers_and_drains(tracker: Tracker) -> None:
    tracker("keys", "new")
    with running("edge") as edge:
        answer = httpx.get(f"http://{edge.addresses[0]}/o/x.y.z", timeout=PATIENCE)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "image/gif")
        edge.process.send_signal(signal.SIGINT)
        edge.until("draining")
        edge.until("worker_stopped")
        assert edge.process.wait() == 0


def test_a_reader_who_comes_while_the_only_worker_is_being_replaced_is_answered(
    tracker: Tracker,
) -> None:
    tracker("keys", "new")
    with running("edge") as edge:
        os.kill(edge.until("worker_started")["pid"], signal.SIGKILL)
        assert httpx.get(f"http://{edge.addresses[0]}/o/x.y.z", timeout=PATIENCE).status_code == 200
        edge.until("child_died", status=-signal.SIGKILL, restart_in=0)


def test_the_edge_learns_a_new_key_by_itself(tracker: Tracker) -> None:
    tracker("keys", "new")
    with running("edge") as edge:
        before = edge.until("worker_started")["pid"]
        tracker("keys", "new")
        url = f"http://{edge.addresses[0]}/c/{token()}"
        edge.until("child_replaced")
        assert edge.until("worker_started")["pid"] != before
        assert httpx.get(url, timeout=PATIENCE).headers["location"] == "https://x.example/"


def test_a_damaged_keyring_stops_no_worker_that_has_read_a_good_one(tracker: Tracker) -> None:
    tracker("keys", "new")
    url = "http://{}/c/" + token()
    with running("edge") as edge:
        assert httpx.get(url.format(edge.addresses[0]), timeout=PATIENCE).status_code == 302
        Path("data/keyring.json").write_text("{")
        edge.until("keyring_refused")
        edge.process.send_signal(signal.SIGHUP)
        edge.until("keyring_refused")
        assert httpx.get(url.format(edge.addresses[0]), timeout=PATIENCE).status_code == 302


@pytest.mark.parametrize("role", ROLES)
def test_without_a_keyring_nothing_starts(tracker: Tracker, role: str) -> None:
    said = tracker(role)
    assert said.status == Exit.CONFIG
    assert said.err == (
        "tracker: no keyring at data/keyring.json: make one with 'tracker keys new'\n"
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_data_folder_that_cannot_be_made_is_named(
    tracker: Tracker, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("occupied").write_text("a file")
    monkeypatch.setenv("TRACKER_DATA", "occupied")
    said = tracker(role)
    assert said.status == Exit.CANNOT_CREATE
    assert said.err.startswith("tracker: cannot make the data folder occupied: ")


@pytest.mark.parametrize(("role", "setting"), [("edge", "edge.listen"), ("office", "api.listen")])
def test_a_port_in_use_is_named_with_the_setting_to_change(
    tracker: Tracker, role: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(f"TRACKER_{setting.replace('.', '_').upper()}", f"127.0.0.1:{port}")
        said = tracker(role)
    assert said.status == Exit.UNAVAILABLE
    assert said.err.splitlines()[-1] == (
        f"tracker: cannot listen on 127.0.0.1:{port}: something listens there already;"
        f" choose another {setting}"
    )


def test_two_back_offices_never_share_a_data_folder(tracker: Tracker) -> None:
    tracker("keys", "new")
    with data_folder.locked(Path("data")):
        said = tracker("office")
    assert said.status == Exit.UNAVAILABLE
    assert "another tracker works on data" in said.err


def test_a_reserved_address_is_refused_in_a_sentence(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    # TEST-NET-1, RFC 5737: no machine has it.
    monkeypatch.setenv("TRACKER_EDGE_LISTEN", "192.0.2.1:80")
    said = tracker("edge")
    assert said.status == Exit.CONFIG
    assert "this machine has no such address" in said.err
