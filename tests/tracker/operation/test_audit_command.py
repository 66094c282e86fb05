"""The log of changes, as whoever answers for the machine reads it: what it must not miss."""

import io
import json
from contextlib import closing
from pathlib import Path

import pytest

from tests.openapi.live import live
from tests.tracker.operation.conftest import Tracker
from tests.tracker.store.documents import DOMAIN, document
from tracker.forwarding import dead
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.ledger import FILE, Ledger
from tracker.hit import Hit
from tracker.mistake import Exit
from tracker.store.row import row


@pytest.fixture
def letters(folder: Path) -> list[str]:
    """Two dead letters; their ids."""
    (folder / "data").mkdir(mode=0o700)
    hits = [Hit(bytes([n] * 16), "c", 1, "c.example", "t", "GET", "", "", {}) for n in (1, 2)]
    put = [dead.letter("store", hit, "refused", 1) for hit in hits]
    with closing(Ledger.open(folder / "data" / FILE)) as ledger:
        with ledger.transaction() as connection:
            dead.put(connection, put)
        return [letter.id for letter in DeadLetters(ledger).list()]


def changes(tracker: Tracker) -> list[tuple[str, str]]:
    """Return what was done to what, oldest first."""
    entries = [json.loads(line) for line in tracker("audit", "--json").out.splitlines()]
    return [(entry["action"], entry["subject"]) for entry in reversed(entries)]


def test_making_and_retiring_keys_is_in_the_log(tracker: Tracker) -> None:
    for command in (["new"], ["new"], ["retire", "1", "--yes"]):
        assert tracker("keys", *command).status == Exit.OK
    assert changes(tracker) == [("key.new", "1"), ("key.new", "2"), ("key.retire", "1")]


def test_replaying_and_discarding_dead_letters_is_in_the_log(
    tracker: Tracker, letters: list[str]
) -> None:
    assert tracker("dead", "replay", letters[0]).out == "1 to be replayed\n"
    assert tracker("dead", "discard", letters[0], "--yes").out == "1 discarded\n"
    assert tracker("dead", "discard", "--yes").out == "1 discarded\n"
    assert tracker("dead", "list").out == "There are no dead letters.\n"
    assert changes(tracker) == [
        ("dead.replay", letters[0]),
        ("dead.discard", letters[0]),
        ("dead.discard", "all"),
    ]


def test_nothing_is_discarded_without_a_yes(
    tracker: Tracker, letters: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    said = tracker("dead", "discard")
    assert (said.status, said.err) == (Exit.USAGE, "tracker: nothing was changed\n")
    assert tracker("dead", "discard", "nobody", "--yes").status == Exit.DATA
    assert len(json.loads(tracker("dead", "list", "--json").out)) == len(letters)


@pytest.mark.anyio
async def test_what_is_done_to_a_tag_is_in_the_log(tmp_path: Path) -> None:
    async with live(tmp_path, events=0) as api, api.client() as client:
        await api.store.insert([row(document(1, tags=["sale"]))])
        await client.put(f"/v3/{DOMAIN}/tags/Sale", data={"description": "of autumn"})
        await client.delete(f"/v3/{DOMAIN}/tags/sale")
        log = (await client.get("/v1/audit")).json()["items"]
    assert [(one["action"], one["subject"], one["after"]) for one in reversed(log)] == [
        ("tag.describe", f"{DOMAIN} sale", {"description": "of autumn"}),
        ("tag.remove", f"{DOMAIN} sale", None),
    ]
