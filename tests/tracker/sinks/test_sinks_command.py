"""`tracker sinks`: what an operator sees of each sink, and what comes of what they order."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from rewriter.keyring import Keyring
from tests.patience import PATIENCE, wait_for
from tests.tracker.forwarding.parts import Kept, Office, Worker, click, token
from tests.tracker.operation.conftest import Said, Tracker, folder, own_process, tracker
from tests.tracker.operation.running import Running, running
from tests.tracker.sinks.contract import event
from tracker.commands.times import moment
from tracker.event import encode
from tracker.forwarding import missed
from tracker.forwarding.dead import DeadLetters
from tracker.forwarding.ledger import Ledger
from tracker.forwarding.missed import Missed
from tracker.store.database import Store
from tracker.store.row import row

__all__ = ["folder", "own_process", "tracker"]

SINKS = "store, file:events.jsonl?name=archive&events=clicked, stdout"


@pytest.fixture
def spool(folder: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """Have an edge worker's stream in a data folder, and three sinks in the settings."""
    monkeypatch.setenv("TRACKER_SINKS", SINKS)
    (folder / "data" / "spool").mkdir(parents=True)
    Keyring.new().save(folder / "data" / "keyring.json")
    worker = Worker(folder / "data" / "spool")
    yield worker
    worker.die()


@pytest.fixture
def minted(spool: Worker, folder: Path) -> str:
    return token(Keyring.load(folder / "data" / "keyring.json"))


def worked(folder: Path, *sinks: Kept) -> None:
    """Let a back office have worked, and gone."""
    office = Office(folder / "data", *sinks)
    asyncio.run(office.drain())
    office.ledger.close()


def book(folder: Path) -> "closing[Ledger]":
    return closing(Ledger.open(folder / "data" / "forward.db"))


def told(said: Said) -> dict[str, dict[str, Any]]:
    assert said.status == 0, said.err
    return {one["name"]: one for one in json.loads(said.out)}


def test_before_a_back_office_ran_nothing_is_known(spool: Worker, tracker: Tracker) -> None:
    said = tracker("sinks", "list")
    assert (said.status, "no back office has run there yet" in said.err) == (66, True)


def test_the_list_tells_how_each_sink_does(
    folder: Path, tracker: Tracker, spool: Worker, minted: str
) -> None:
    spool.write(click(minted), click(minted), click("no token at all"))
    failing = Kept("archive")
    failing.down = True
    worked(folder, Kept("store"), failing, Kept("gone"))
    found = told(tracker("sinks", "list", "--json"))
    assert {name: one["state"] for name, one in found.items()} == {
        "store": "ok",
        "archive": "failing",
        "stdout": "new",
        "gone": "not in the settings",
    }
    archive, store = found["archive"], found["store"]
    assert (store["lag"]["hits"], store["dead-letters"]) == (0, 1)
    assert (archive["lag"]["hits"], archive["lag"]["exact"]) == (3, True)
    assert (archive["last-error"], archive["events"]) == ("down for the test", ["clicked"])
    shown = tracker("sinks", "list").out
    assert "3 hits" in shown
    assert "down for the test" in shown


def test_one_sink_is_told_in_words(
    folder: Path, tracker: Tracker, spool: Worker, minted: str
) -> None:
    spool.write(click(minted))
    failing = Kept("archive")
    failing.down = True
    worked(folder, Kept("store"), failing)
    with book(folder) as ledger, ledger.transaction() as connection:
        missed.note(connection, Missed("archive", 10**15, 10**15 + 10**6, 7, "it slept", 1))
    said = tracker("sinks", "status", "archive").out
    assert "wants      clicked\n" in said
    assert "waiting    1 hit, " in said
    assert "down for the test (1 failure in a row)" in said
    assert (
        "missed     7 hits from 2001-09-09T01:46:40+00:00 to 2001-09-09T01:46:41+00:00: it slept"
    ) in said
    assert "7 hits" not in tracker("sinks", "status", "store").out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pause", "archiv"), "no sink 'archiv': there are archive, stdout, store; did you mean"),
        (("status", "x"), "there is no sink 'x': there are archive, stdout, store"),
        (("replay", "store"), "events are replayed out of the store, and store is that"),
        (("replay", "archive", "--since", "soon"), "--since is a time such as 2026-11-01"),
        (("replay", "archive", "--until", "1h"), "--until goes with --since"),
        (
            ("replay", "archive", "--since", "1h", "--until", "2h"),
            "--until is earlier than --since",
        ),
        (("rename", "old", "archive"), "there is no sink 'old'"),
        (("rename", "store", "archive"), "archive has a place of its own already"),
        (("rename", "store", "new"), "there is no sink 'new'"),
        (("forget", "nobody"), "there is no sink 'nobody'"),
    ],
)
def test_a_slip_is_told_with_what_would_be_right(
    folder: Path, tracker: Tracker, spool: Worker, arguments: tuple[str, ...], sentence: str
) -> None:
    worked(folder, Kept("store"), Kept("archive"))
    said = tracker("sinks", *arguments)
    assert said.status != 0
    assert sentence in said.err


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-21T08:00+00:00", 1_795_248_000),
        ("2026-11-21T09:00:00.5+01:00", 1_795_248_000.5),
    ],
)
def test_a_time_is_read_as_people_type_it(text: str, seconds: float) -> None:
    assert moment(text, "--since") == seconds


def test_a_time_may_be_how_long_ago_it_was() -> None:
    typed = ["2 d", "25h", "90min", "30m", "5s"]
    times = [moment(text, "--since") for text in typed]
    assert times == sorted(times)
    assert times[-1] < time.time()


def test_a_pause_outlasts_the_command_and_is_told(
    folder: Path, tracker: Tracker, spool: Worker
) -> None:
    worked(folder, Kept("archive"))
    assert "archive is paused" in tracker("sinks", "pause", "archive").out
    assert "was paused before" in tracker("sinks", "pause", "archive").out
    assert told(tracker("sinks", "list", "--json"))["archive"]["state"] == "paused"
    assert "The back office isn't running" in tracker("sinks", "resume", "archive").out
    assert "wasn't paused" in tracker("sinks", "resume", "archive").out
    changes = [json.loads(line)["action"] for line in tracker("audit", "--json").out.splitlines()]
    assert changes[:2] == ["sink.resume", "sink.pause"]


def test_a_sink_that_has_another_name_now_goes_on_where_it_was(
    folder: Path, tracker: Tracker, spool: Worker, minted: str
) -> None:
    spool.write(click(minted))
    worked(folder, Kept("before"))
    assert "archive goes on where before was" in tracker("sinks", "rename", "before", "archive").out
    found = told(tracker("sinks", "list", "--json"))
    assert "before" not in found
    assert found["archive"]["lag"]["hits"] == 0


def test_a_sink_that_is_forgotten_leaves_nothing(
    folder: Path, tracker: Tracker, spool: Worker
) -> None:
    spool.write(click("no token at all"))
    worked(folder, Kept("gone"))
    assert told(tracker("sinks", "list", "--json"))["gone"]["dead-letters"] == 1
    assert "gone is forgotten" in tracker("sinks", "forget", "gone", "--yes").out
    assert "gone" not in told(tracker("sinks", "list", "--json"))


def test_dead_letters_of_one_sink_are_shown_and_sent_again(
    folder: Path, tracker: Tracker, spool: Worker
) -> None:
    spool.write(click("no token at all"))
    worked(folder, Kept("store"), Kept("archive"))
    (letter,) = json.loads(tracker("sinks", "dead", "list", "--sink", "archive", "--json").out)
    assert letter["sink"] == "archive"
    shown = tracker("sinks", "dead", "show", letter["id"]).out
    assert shown.count('"token": "no token at all"') == 2
    assert "1 to be replayed" in tracker("dead", "replay", "--sink", "archive").out
    assert "1 discarded" in tracker("sinks", "dead", "discard", "--sink", "store", "--yes").out
    with book(folder) as ledger:
        assert [(one.sink, one.again) for one in DeadLetters(ledger).list()] == [("archive", True)]
    assert "no dead letter has such an id" in tracker("sinks", "dead", "show", "nothing").err


def test_a_sink_that_lacks_nothing_is_told_to_name_a_time(
    folder: Path, tracker: Tracker, spool: Worker
) -> None:
    worked(folder, Kept("archive"))
    said = tracker("sinks", "replay", "archive")
    assert said.out == "archive has no dead letters and missed nothing; --since takes a time.\n"


def test_what_is_ordered_without_a_back_office_waits_for_one_and_can_be_cancelled(
    folder: Path, tracker: Tracker, spool: Worker
) -> None:
    worked(folder, Kept("archive"))
    with book(folder) as ledger, ledger.transaction() as connection:
        missed.note(connection, Missed("archive", 1, 2, 7, "it slept", 1))
    said = tracker("sinks", "replay", "archive").out
    assert "To be brought again: 1 span of time out of the store." in said
    assert "it takes this up when it starts" in said
    assert "missed nothing" in tracker("sinks", "replay", "archive").out, "it is ordered already"
    assert "1 replay cancelled." in tracker("sinks", "replay", "archive", "--cancel").out


def stored(folder: Path, count: int) -> None:
    async def fill() -> None:
        store = await Store.open(folder / "data" / "store.db")
        clicked = [
            msgspec.structs.replace(event(number), event="clicked", url="https://example.com/")
            for number in range(count)
        ]
        await store.insert([row(encode(one)) for one in clicked])
        await store.close()

    asyncio.run(fill())


def test_a_running_back_office_pauses_resumes_and_replays_on_command(
    folder: Path, tracker: Tracker, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker("keys", "new")
    stored(folder, 30)
    monkeypatch.setenv("TRACKER_SINKS", "store,file:events.jsonl?name=archive&events=clicked")
    path = folder / "events.jsonl"

    def lines() -> list[str]:
        return path.read_text().splitlines() if path.exists() else []

    with running("office") as office:
        wait_for((folder / "data" / "forward.db").exists)
        wait_for(lambda: told(tracker("sinks", "list", "--json"))["archive"]["state"] == "ok")
        said = tracker("sinks", "replay", "archive", "--since", "2025-01-01")
        assert said.out.endswith("30 events brought to archive.\n"), said
        assert [json.loads(line)["id"] for line in lines()] == [event(n).id for n in range(30)]
        tracker("sinks", "pause", "archive")
        # What it began before it saw that would go on with what is ordered now.
        wait_for(lambda: "paused" in checked(office, "sink archive"), "the sink to be paused")
        path.unlink()
        again = tracker("sinks", "replay", "archive", "--since", "2025-01-01")
        assert "archive is paused: it begins once you say" in again.out
        assert not lines()
        tracker("sinks", "resume", "archive")
        wait_for(lambda: len(lines()) == 30)
        assert "a back office runs" in tracker("sinks", "forget", "archive", "--yes").err


def checked(office: Running, name: str) -> str:
    """Return what the office says of a part; once it says paused, nothing is under way there."""
    ready = httpx.get(f"http://{office.addresses[-1]}/readyz", timeout=PATIENCE)
    says: str = ready.json()["checks"][name]
    return says
