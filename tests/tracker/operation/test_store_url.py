"""A store at a server is used by every command, and its password is shown by none."""

from pathlib import Path

import pytest

from tests.servers.ports import free_port
from tests.servers.postgresql import PASSWORD
from tests.tracker.operation.conftest import Tracker


@pytest.fixture
def placed(postgres_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Have commands use a database; return it as they may show it."""
    (folder / "data").mkdir(mode=0o700)
    # What runs on this machine at the usual port isn't to be asked.
    monkeypatch.setenv("TRACKER_API_LISTEN", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("TRACKER_STORE_URL", f"{postgres_url}?application_name=test")
    return postgres_url.replace(f":{PASSWORD}@", "@")


def test_commands_share_what_they_keep_at_a_server(
    placed: str, tracker: Tracker, folder: Path
) -> None:
    assert tracker("domains", "add", "click.example.com").status == 0
    assert "click.example.com" in tracker("domains", "list").out
    assert not (folder / "data" / "store.db").exists()


def test_status_tells_of_a_store_at_a_server_without_a_back_office(
    placed: str, tracker: Tracker
) -> None:
    assert "there is no store in it yet" in tracker("status").out
    tracker("domains", "add", "click.example.com")
    said = tracker("status").out
    assert "the newest event has the number 0" in said


def test_no_password_is_shown(placed: str, tracker: Tracker) -> None:
    shown = tracker("config", "show")
    assert shown.status == 0
    assert PASSWORD not in shown.out


def test_a_server_that_is_away_is_told_in_a_sentence(
    placed: str, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_STORE_URL", "postgresql://tracker:sesame@127.0.0.1:1/tracker")
    said = tracker("domains", "list")
    assert said.status == 69
    assert said.err.startswith(
        "tracker: cannot open the store postgresql://tracker@127.0.0.1:1/tracker: the server can't"
        " be reached: "
    )


@pytest.mark.parametrize("url", ["mysql://a/b", "postgresql://host", "store.db"])
def test_a_url_that_is_none_is_refused(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("TRACKER_STORE_URL", url)
    said = tracker("status")
    assert said.status == 78
    assert "should be a URL such as postgresql://tracker@db.example.com/tracker" in said.err
