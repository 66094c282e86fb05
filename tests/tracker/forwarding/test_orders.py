"""What a person orders of a sink: to rest, and to be brought again what it lost."""

import asyncio
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Kept, Office, Offices, Worker, click, ids, token
from tests.tracker.store.documents import document
from tracker.event import Event
from tracker.forwarding import missed, replays, roll
from tracker.forwarding.history import Passage, passage, share
from tracker.forwarding.missed import Missed
from tracker.forwarding.replays import Replay
from tracker.hit import Hit
from tracker.sinks.store import StoreSink
from tracker.store.database import Store, StoreUnavailable
from tracker.store.row import row

EVER = (0, 1 << 60)


def test_nothing_is_brought_to_a_paused_sink_and_everything_once_it_is_resumed(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = [click(token(keyring)) for _ in range(3)]
    sink, other = Kept(), Kept("other")
    office = office_with(sink, other)
    roll.pause(office.ledger, "kept", 1)
    worker.write(*hits)
    asyncio.run(office.drain())
    assert (list(sink.events), list(other.events)) == ([], ids(hits))
    assert office.forwarders[0].progress.lag(2e9) > 0
    restarted = office_with(sink, other)
    asyncio.run(restarted.drain())
    assert (sink.calls, restarted.forwarders[0].progress.paused) == (0, True)
    assert roll.resume(restarted.ledger, "kept")
    asyncio.run(restarted.drain())
    assert list(sink.events) == ids(hits)


def test_a_sink_gets_only_the_events_that_it_wants_and_its_place_moves_on(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    mine, others = click(token(keyring, "ann@example.org")), click(token(keyring))
    worker.write(others, mine, others)
    sink = Kept()
    office = office_with(sink, wants=lambda event: event.id == mine.id.hex())
    asyncio.run(office.drain())
    office.sweep.once()
    assert list(sink.events) == ids([mine])
    assert office.sweep.survey.backlog == {"kept": 0}


def test_a_sink_that_is_too_slow_for_a_batch_is_offered_smaller_ones(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    class Slow(Kept):
        async def deliver(self, events: Sequence[Event]) -> None:
            if len(events) > 3:
                await asyncio.get_running_loop().create_future()
            await super().deliver(events)

    hits = [click(token(keyring)) for _ in range(20)]
    worker.write(*hits)
    sink = Slow()
    office = office_with(sink, deliver_within=0.01)
    for _ in range(5):
        asyncio.run(office.drain())
    assert list(sink.events) == ids(hits)


def test_a_sink_that_comes_back_into_the_settings_is_told_what_it_may_have_missed(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    office = office_with(Kept("stays"), Kept("goes"))
    roll.begin(office.ledger, ["stays", "goes"], 1_000)
    roll.begin(office.ledger, ["stays"], 5_000)
    roll.pause(office.ledger, "new", 6_000)  # before it ever ran, which is no absence
    roll.begin(office.ledger, ["stays", "goes", "new"], 9_000)
    (gap,) = missed.ranges(office.ledger)
    assert (gap.sink, gap.last, gap.hits) == ("goes", 9_000_000_000, 0)


def test_gaps_that_touch_become_one_and_a_replay_that_has_ended_closes_them(
    office_with: Offices, keyring: Keyring, worker: Worker
) -> None:
    ledger = office_with().ledger
    with ledger.transaction() as connection:
        for first, last in ((10, 20), (30, 40), (15, 30), (90, 95)):
            missed.note(connection, Missed("s", first, last, 1, "why", 0))
    assert [(one.first, one.last, one.hits) for one in missed.ranges(ledger)] == [
        (10, 40, 3),
        (90, 95, 1),
    ]
    replays.ask(ledger, "s", 0, 50, 1)
    (order,) = replays.open_ones(ledger, "s")
    with ledger.transaction() as connection:
        replays.advance(connection, Replay(order.number, "s", 0, 50, 1, ended_at=2))
    assert [(one.first, one.last) for one in missed.ranges(ledger)] == [(90, 95)]


@pytest.fixture
def stored(tmp_path: Path, keyring: Keyring, worker: Worker) -> list[Hit]:
    """Have hits in the store, of two domains, and none left in the spool."""
    hits = [click(token(keyring)) for _ in range(6)]
    worker.write(*hits)
    worker.die()

    async def fill() -> None:
        store = await Store.open(tmp_path / "store.db")
        office = Office(tmp_path, StoreSink(store))
        await office.drain()
        office.sweep.once()
        office.ledger.close()
        await store.insert([row(document(1))])  # posted from elsewhere, of another domain
        await store.close()

    asyncio.run(fill())
    return hits


async def replayed(
    tmp_path: Path, office_with: Offices, sink: Kept, *orders: tuple[int, int]
) -> Office:
    """Run an office with a store and orders until there is nothing to do."""
    store = await Store.open(tmp_path / "store.db")
    try:
        office = office_with(sink, history=partial(passage, store))
        for first, last in orders:
            replays.ask(office.ledger, sink.name, first, last, 1)
        await office.drain()
        return office
    finally:
        await store.close()


def test_a_sink_is_brought_the_events_of_a_time_out_of_the_store(
    tmp_path: Path, stored: list[Hit], office_with: Offices
) -> None:
    sink = Kept()
    span = (stored[1].at, stored[3].at)
    office = asyncio.run(replayed(tmp_path, office_with, sink, span))
    assert list(sink.events) == ids(stored[1:4])
    assert not replays.open_ones(office.ledger, "kept")


def test_events_that_were_posted_from_elsewhere_are_not_replayed(
    tmp_path: Path, stored: list[Hit], office_with: Offices
) -> None:
    sink = Kept()
    asyncio.run(replayed(tmp_path, office_with, sink, EVER))
    assert list(sink.events) == ids(stored)


def test_a_replay_goes_on_where_a_crash_left_it(
    tmp_path: Path, stored: list[Hit], office_with: Offices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tracker.forwarding.history.PAGE", 2)
    sink, coming = Kept(), iter(["fine", "crash"])

    def mishap() -> None:
        if next(coming, "fine") == "crash":
            raise asyncio.CancelledError

    sink.trouble = mishap
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(replayed(tmp_path, office_with, sink, EVER))
    calls = sink.calls
    asyncio.run(replayed(tmp_path, office_with, sink))
    assert list(sink.events) == ids(stored)
    assert (calls, sink.calls) == (2, 4)  # the second page once more, and the third


def test_a_store_that_is_away_delays_the_replay_and_no_fresh_event(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    async def away(first: int, last: int, after: str) -> Passage:
        raise StoreUnavailable("it is away")

    fresh = click(token(keyring))
    worker.write(fresh)
    sink = Kept()
    office = office_with(sink, history=away)
    replays.ask(office.ledger, "kept", *EVER, 1)
    asyncio.run(office.drain())
    assert list(sink.events) == ids([fresh])
    assert len(replays.open_ones(office.ledger, "kept")) == 1


@pytest.mark.parametrize(
    ("reached", "ended", "done"),
    [("", 0, 0.0), ('["a",150,"x"]', 0, 0.25), ('["b",200,"x"]', 0, 1.0), ("", 1, 1.0)],
)
def test_how_far_a_replay_is_is_told_over_all_domains(
    reached: str, ended: int, done: float
) -> None:
    order = Replay(1, "s", 100, 200, 0, reached=reached, ended_at=ended)
    assert share(order, ["a", "b"]) == done


def test_a_sink_keeps_its_place_under_another_name_and_leaves_none_when_forgotten(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hit = click(token(keyring))
    worker.write(hit)
    office = office_with(Kept("old"))
    asyncio.run(office.drain())
    roll.rename(office.ledger, "old", "new")
    sink = Kept("new")
    renamed = office_with(sink)
    asyncio.run(renamed.drain())
    assert sink.calls == 0
    roll.forget(renamed.ledger, "new")
    assert not renamed.ledger.positions("new")
    assert not roll.entries(renamed.ledger)
