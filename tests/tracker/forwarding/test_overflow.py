"""What becomes of the spool's room: told long before the end; what goes can be brought back."""

import asyncio
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import (
    SEGMENT_BYTES,
    Kept,
    Office,
    Offices,
    Worker,
    click,
    token,
)
from tracker import health, segment
from tracker.forwarding import missed, roll
from tracker.forwarding.sweep import Sweep
from tracker.hit import Hit
from tracker.reader import START, Position
from tracker.room import LEAST, Bound, Filling, Growth, Held, given_up

Log = pytest.LogCaptureFixture


def fill(worker: Worker, minted: str, segments: int) -> list[Hit]:
    """Write until the worker has begun so many more segments."""
    until, hits = len(segment.numbers(worker.segments.folder)) + segments, []
    while len(segment.numbers(worker.segments.folder)) < until:
        batch = [click(minted) for _ in range(40)]
        worker.write(*batch)
        hits += batch
    return hits


def bounded(office: Office, limit: int, *spared: str) -> Sweep:
    """Sweep within a limit, as the office does with the limit of the settings."""
    bound = Bound(limit=limit, least=1)
    return Sweep(office.spool, office.ledger, office.forwarders, bound, spared)


def test_a_sink_that_holds_too_much_loses_its_turn_and_what_it_missed_is_noted(
    keyring: Keyring, worker: Worker, office_with: Offices, caplog: Log
) -> None:
    hits = fill(worker, token(keyring), 5)
    store, down = Kept("store"), Kept("down")
    down.down = True
    office = office_with(store, down)
    sweep = bounded(office, 3 * SEGMENT_BYTES, "store")
    asyncio.run(office.drain())
    sweep.once()
    assert sweep.survey.filling.share > 1
    asyncio.run(office.drain())
    sweep.once()
    assert sweep.survey.filling.share < 1
    (gap,) = missed.ranges(office.ledger)
    down.down = False
    asyncio.run(office.drain())
    lost = [hit for hit in hits if hit.id.hex() not in down.events]
    assert (gap.sink, gap.hits) == ("down", len(lost))
    assert lost == hits[: len(lost)]
    assert (gap.first, gap.last) == (lost[0].at, lost[-1].at)
    assert len(store.events) == len(hits)
    assert {"spool_filling", "sink_missed"} <= {record.message for record in caplog.records}


def test_what_is_missed_in_several_goes_is_all_noted(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    minted = token(keyring)
    store, down = Kept("store"), Kept("down")
    down.down = True
    office = office_with(store, down)
    sweep = bounded(office, 2 * SEGMENT_BYTES, "store")
    for _ in range(3):
        fill(worker, minted, 3)
        asyncio.run(office.drain())
        sweep.once()
        asyncio.run(office.drain())
        sweep.once()
    down.down = False
    asyncio.run(office.drain())
    assert len(missed.ranges(office.ledger)) == 3  # they don't touch: each is a time of its own
    assert sweep.survey.missed["down"].hits == len(store.events) - len(down.events)


def test_a_paused_sink_loses_its_turn_too(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    fill(worker, token(keyring), 5)
    office = office_with(Kept("store"), Kept("resting"))
    sweep = bounded(office, 2 * SEGMENT_BYTES, "store")
    roll.pause(office.ledger, "resting", 1)
    asyncio.run(office.drain())
    sweep.once()
    asyncio.run(office.drain())
    assert office.ledger.positions("resting")[worker.name] > Position(1, SEGMENT_BYTES)


def test_nothing_is_given_up_that_the_store_does_not_have(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    fill(worker, token(keyring), 5)
    store, down = Kept("store"), Kept("down")
    store.down = down.down = True
    office = office_with(store, down)
    sweep = bounded(office, SEGMENT_BYTES, "store")
    asyncio.run(office.drain())
    sweep.once()
    asyncio.run(office.drain())
    assert sweep.survey.filling.share > 1
    assert not office.ledger.positions("down")
    assert not missed.ranges(office.ledger)


def test_without_a_store_no_sink_loses_its_turn(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    fill(worker, token(keyring), 5)
    down = Kept("down")
    down.down = True
    office = office_with(Kept("up"), down)
    sweep = Sweep(office.spool, office.ledger, office.forwarders, Bound(limit=1, least=1))
    asyncio.run(office.drain())
    sweep.once()
    asyncio.run(office.drain())
    assert not office.ledger.positions("down")


def test_the_stream_of_a_worker_that_is_gone_is_given_up_whole(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = fill(worker, token(keyring), 2)
    worker.die()
    store, down = Kept("store"), Kept("down")
    down.down = True
    office = office_with(store, down)
    sweep = bounded(office, 1, "store")
    asyncio.run(office.drain())
    sweep.once()
    down.down = False
    asyncio.run(office.drain())
    sweep.once()
    assert (len(store.events), len(down.events)) == (len(hits), 0)
    assert not worker.segments.folder.exists()
    assert missed.by_sink(office.ledger) == {"down": missed.Gaps(1, len(hits))}


@pytest.mark.parametrize(
    ("bound", "held", "free", "capacity"),
    [
        (Bound(limit=10 * LEAST), LEAST, 50 * LEAST, 10 * LEAST),
        (Bound(limit=10 * LEAST), LEAST, 2 * LEAST, 3 * LEAST),
        (Bound(reserve=LEAST), LEAST, 5 * LEAST, 5 * LEAST),
        (Bound(limit=10 * LEAST, reserve=4 * LEAST), LEAST, 8 * LEAST, 5 * LEAST),
        (Bound(reserve=LEAST), 0, 0, LEAST),
    ],
)
def test_the_room_is_the_limit_or_what_the_disk_has_but_for_the_reserve(
    bound: Bound, held: int, free: int, capacity: int
) -> None:
    assert bound.capacity(held, free) == capacity


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=20),
    capacity=st.integers(1, 60),
)
def test_the_oldest_go_first_and_no_more_than_have_to(
    sizes: list[tuple[int, bool]], capacity: int
) -> None:
    held = [Held("s", number, size, spared) for number, (size, spared) in enumerate(sizes)]
    total = sum(one.size for one in held)
    upto = given_up(held, Filling(total, capacity)).get("s", START)
    gone = [one for one in held if one.number < upto.segment and not one.spared]
    assert bool(gone) <= (total >= capacity)
    if gone:
        assert total - sum(one.size for one in gone[:-1]) > 0.8 * capacity


def test_the_time_left_is_told_from_how_fast_it_fills() -> None:
    growth = Growth()
    assert growth.filling(0, 1_000, 0).seconds == math.inf
    assert growth.filling(50, 1_000, 10).seconds == math.inf, "too short a time to tell"
    assert growth.filling(100, 1_000, 100).seconds == 900
    assert growth.filling(1_000, 1_000, 110).seconds == 0
    assert growth.filling(100, 1_000, 10_000).seconds == math.inf


@pytest.mark.parametrize(
    ("filling", "status", "says"),
    [
        (Filling(10, 100), "ok", "hits that wait take 10% of their room"),
        (
            Filling(6_000_000_000, 10_000_000_000, 7_300),
            "degraded",
            "hits that wait for nats take 6 GB of 10 GB, full in 2 h",
        ),
        (Filling(95, 100), "down", "hits that wait for nats take 95 bytes of 100 bytes"),
    ],
)
def test_how_full_the_spool_is_is_told_long_before_it_is_full(
    filling: Filling, status: str, says: str
) -> None:
    assert health.backlog(filling, "nats") == health.Check(status, says)  # type: ignore[arg-type]  # a Status


def test_a_crash_between_giving_up_and_noting_it_gives_up_again(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    fill(worker, token(keyring), 4)
    store, down = Kept("store"), Kept("down")
    down.down = True
    office = office_with(store, down)
    asyncio.run(office.drain())
    bounded(office, 1, "store").once()  # and then the power went
    again = office_with(store, down)
    assert not missed.ranges(again.ledger)
    sweep = bounded(again, 1, "store")
    sweep.once()
    asyncio.run(again.drain())
    assert missed.by_sink(again.ledger)["down"].hits > 0
