"""`tracker keys` and `tracker suppressed` on machines that share a store."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.servers.ports import free_port
from tests.servers.stores import only_postgresql
from tests.tracker.operation.conftest import Tracker
from tracker.masked import masked
from tracker.mistake import Exit
from tracker.shared.copy import FILE, Copy
from tracker.shared.told import PARTS
from tracker.store.database import Store
from tracker.store.signing import Machine, Signing
from tracker.store.suppressions import Changed, Mark

pytestmark = only_postgresql
RING = Path("data/keyring.json")


@pytest.fixture(autouse=True)
def url(store_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TRACKER_STORE_URL", store_url)
    return store_url


def doing(url: str, work: Callable[[Store], Awaitable[object]]) -> None:
    async def done() -> None:
        store = await Store.open(url)
        await work(store)
        await store.close()

    asyncio.run(done())


def states(tracker: Tracker) -> dict[int, str]:
    return {row["id"]: row["state"] for row in json.loads(tracker("keys", "list", "--json").out)}


def test_the_first_key_is_shared_and_what_other_machines_need_is_said(tracker: Tracker) -> None:
    said = tracker("keys", "new")
    assert said.out == (
        "key 1 is shared, and signs from now on; this machine's copy is data/keyring.json. Give"
        " data/master.key to every other machine: it opens what they share.\n"
    )
    assert states(tracker) == {1: "signs"}


def test_another_key_waits_until_a_person_or_every_machine_lets_it_sign(
    tracker: Tracker, url: str
) -> None:
    tracker("keys", "new")
    lacking = Machine("edge-2:/data", frozenset({1}), int(time.time()))
    doing(url, lambda store: Signing(store).tell(lacking))
    assert "it signs once every machine has had it" in tracker("keys", "new").out
    assert states(tracker) == {1: "signs", 2: "waits"}
    assert [key.signs for key in Keyring.load(RING).keys] == [True, False]
    assert "Key 2 waits for edge-2:/data (seen " in tracker("keys", "list").out
    assert tracker("keys", "use", "2", "--yes").status == 0
    assert states(tracker) == {1: "verifies", 2: "signs"}
    assert [key.signs for key in Keyring.load(RING).keys] == [True, True]


def test_a_key_is_retired_on_every_machine(tracker: Tracker) -> None:
    tracker("keys", "new")
    tracker("keys", "new")
    assert "the last one that signs" in tracker("keys", "retire", "1", "--yes").err
    tracker("keys", "use", "2", "--yes")
    assert tracker("keys", "retire", "1", "--yes").out == "key 1 is retired on every machine\n"
    assert states(tracker) == {1: "retired", 2: "signs"}
    assert tracker("keys", "use", "1", "--yes").status == Exit.DATA


def test_a_machine_without_a_keyring_fetches_the_shared_one_or_says_what_is_missing(
    tracker: Tracker, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    first = Keyring.load(RING)
    monkeypatch.setenv("TRACKER_DATA", "second")
    monkeypatch.setenv("TRACKER_EDGE_TLS", "external")  # what is refused once there is a keyring
    monkeypatch.setenv("TRACKER_EDGE_TLS_LISTEN", "127.0.0.1:0")
    missing = tracker("office")
    assert missing.status == Exit.CONFIG
    assert "no master key second/master.key, which opens the shared keyring: copy it" in missing.err
    (folder / "second" / "master.key").touch(0o600)
    (folder / "second" / "master.key").write_bytes((folder / "data" / "master.key").read_bytes())
    assert "edge.tls is" in tracker("office").err
    assert Keyring.load("second/keyring.json") == first


def test_a_machine_without_a_keyring_and_without_the_store_says_both(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_STORE_URL", f"postgresql://x:secret@127.0.0.1:{free_port()}/x")
    said = tracker("edge")
    assert said.status == Exit.UNAVAILABLE
    assert "there is no keyring at data/keyring.json yet, and the shared one can't be" in said.err
    assert "secret" not in said.err


def test_who_is_suppressed_is_told_from_the_copy_while_the_store_is_away(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"postgresql://tracker@127.0.0.1:{free_port()}/tracker"
    monkeypatch.setenv("TRACKER_STORE_URL", away)
    ask = ("suppressed", "ann@example.net", "--domain", "shop.example")
    unknown = tracker(*ask)
    assert unknown.status == Exit.UNAVAILABLE
    Path("data").mkdir()
    copy = Copy.open(Path("data") / FILE, away)
    copy.take([Changed(Mark(1, "shop.example", "ann@example.net", "*"), 5, True)])
    copy.note_current({"suppressions": 1_795_000_000.0})
    copy.close()
    said = tracker(*ask)
    assert (said.status, said.out) == (1, "ann@example.net has unsubscribed: *\n")
    assert said.err == "the store is away: this is as of 2026-11-18 11:06 UTC\n"


def test_without_a_back_office_it_is_told_as_of_when_the_copies_are(
    tracker: Tracker, url: str
) -> None:
    tracker("keys", "new")
    Path("data/spool").mkdir()
    ask = ("status", "--json")
    assert json.loads(tracker(*ask).out)["checks"]["shared"] == (
        "nothing of what machines share is on this machine yet"
    )
    copy = Copy.open(Path("data") / FILE, masked(url))
    copy.note_current(dict.fromkeys(PARTS, 1_795_000_000.0))
    copy.close()
    assert json.loads(tracker(*ask).out)["checks"]["shared"] == (
        "settings, keyring, suppressions and API keys are as of 2026-11-18 11:06 UTC"
    )


def test_keys_do_not_wait_where_no_machine_shares_them(
    tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TRACKER_STORE_URL")
    tracker("keys", "new")
    said = tracker("keys", "use", "1")
    assert (said.status, "keys wait only where 'store.url'" in said.err) == (Exit.USAGE, True)
