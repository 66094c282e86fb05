"""The spool is emptied of what every sink has, and of nothing else."""

import asyncio
import fcntl
import shutil
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Kept, Offices, Worker, click, ids, token
from tracker import segment
from tracker.counters import Counter
from tracker.forwarding.lag import backlog
from tracker.forwarding.worker import TORN
from tracker.hit import Hit
from tracker.reader import START, Position
from tracker.segments import ALIVE

Log = pytest.LogCaptureFixture


def fill(worker: Worker, keyring: Keyring, segments: int) -> list[Hit]:
    """Write until the worker is in its `segments`-th segment."""
    minted, hits = token(keyring), []
    while len(segment.numbers(worker.segments.folder)) <= segments:
        batch = [click(minted) for _ in range(40)]
        worker.write(*batch)
        hits += batch
    return hits


def test_a_segment_stays_until_every_sink_has_it(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    hits = fill(worker, keyring, 3)
    up, down = Kept("up"), Kept("down")
    down.down = True
    office = office_with(up, down)
    asyncio.run(office.drain())
    office.sweep.once()
    assert segment.path_of(worker.segments.folder, 1).exists()
    down.down = False
    asyncio.run(office.drain())
    office.sweep.once()
    assert not segment.path_of(worker.segments.folder, 1).exists()
    assert list(down.events) == ids(hits)


def test_the_stream_of_a_worker_that_is_gone_is_removed_and_its_counts_are_kept(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    office = office_with(Kept())
    asyncio.run(office.drain())
    office.sweep.once()
    assert worker.segments.folder.exists()
    worker.die()
    asyncio.run(office.drain())
    office.sweep.once()
    assert not worker.segments.folder.exists()
    assert office.sweep.survey.counted[Counter.CLICKED.name] == 1
    assert office.sweep.survey.workers == ()


def test_a_stream_that_was_looked_at_while_it_was_born_is_kept(
    tmp_path: Path, keyring: Keyring, office_with: Offices
) -> None:
    """Between making its file and locking it, a worker looks like one that is gone."""
    alive = tmp_path / "spool" / "newborn" / ALIVE
    alive.parent.mkdir(parents=True)
    with alive.open("w") as file:
        office = office_with(Kept())
        asyncio.run(office.drain())
        assert "newborn" in office.forwarders[0].finished
        fcntl.flock(file, fcntl.LOCK_EX)
        office.sweep.once()
        assert alive.exists()
        assert "newborn" not in office.forwarders[0].finished


def test_a_sink_that_lacks_the_last_hits_keeps_the_stream(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    worker.die()
    down = Kept("down")
    down.down = True
    office = office_with(Kept(), down)
    asyncio.run(office.drain())
    office.sweep.once()
    assert worker.segments.folder.exists()


def test_counts_are_added_once_even_if_the_stream_could_not_be_removed_at_first(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    worker.die()
    office = office_with(Kept())
    asyncio.run(office.drain())
    (stream,) = office.spool.streams()
    office.ledger.finish(stream.name, {Counter.CLICKED.name: 1})  # and then the power went
    again, sink = Kept(), Kept()
    restarted = office_with(sink)
    assert restarted.sweep.survey.counted[Counter.CLICKED.name] == 1
    asyncio.run(restarted.drain())
    restarted.sweep.once()
    assert restarted.sweep.survey.counted[Counter.CLICKED.name] == 1
    assert not stream.folder.exists()
    assert sink.calls == 0
    assert not office_with(again).ledger.finished()[0]


def test_a_spool_that_was_removed_by_hand_leaves_nothing_behind(
    tmp_path: Path, keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    asyncio.run(office_with(Kept()).drain())
    shutil.rmtree(worker.segments.folder)
    restarted = office_with(Kept())
    assert not restarted.ledger.positions("kept")


def test_a_sweep_that_fails_says_so_once_and_goes_on(
    tmp_path: Path, worker: Worker, keyring: Keyring, office_with: Offices, caplog: Log
) -> None:
    office = office_with(Kept())
    (tmp_path / "spool").rename(tmp_path / "elsewhere")
    asyncio.run(office.sweep.attempt())
    asyncio.run(office.sweep.attempt())
    assert office.sweep.failing
    assert [record.message for record in caplog.records] == ["sweep_failed"]
    (tmp_path / "elsewhere").rename(tmp_path / "spool")
    asyncio.run(office.sweep.attempt())
    assert not office.sweep.failing


def test_a_stream_that_was_half_removed_when_the_power_went_is_removed(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    worker.write(click(token(keyring)))
    worker.die()
    office = office_with(Kept())
    asyncio.run(office.drain())
    office.ledger.finish(worker.name, {})
    (worker.segments.folder / ALIVE).unlink()
    restarted = office_with(Kept())
    asyncio.run(restarted.drain())
    restarted.sweep.once()
    assert not worker.segments.folder.exists()


def test_the_last_sweep_comes_after_the_last_hit(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    async def end() -> None:
        ended = asyncio.Event()
        sweeping = asyncio.create_task(office.sweep.run(ended))
        await office.drain()
        ended.set()
        await sweeping

    worker.write(click(token(keyring)))
    worker.die()
    office = office_with(Kept())
    asyncio.run(end())
    assert not worker.segments.folder.exists()


def test_a_torn_tail_is_counted_and_told_once(
    keyring: Keyring, worker: Worker, office_with: Offices, caplog: Log
) -> None:
    hit = click(token(keyring))
    worker.write(hit)
    worker.die()
    path = segment.path_of(worker.segments.folder, 1)
    end = segment.FRAME.size
    with path.open("r+b") as file:
        content = file.read()
        used = len(content.rstrip(b"\0"))
        file.seek(used)
        file.write(b"\xff" * (end + 12))
    one, two = Kept("one"), Kept("two")
    office = office_with(one, two)
    asyncio.run(office.drain())
    office.sweep.once()
    office.sweep.once()
    assert list(one.events) == list(two.events) == ids([hit])
    assert office.sweep.survey.counted[TORN] == end + 12
    assert [record.message for record in caplog.records] == ["torn_tail"]


def test_the_backlog_is_what_lies_behind_a_position(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    fill(worker, keyring, 4)
    sink = Kept()
    office = office_with(sink)
    (stream,) = office.spool.streams()
    exact = stream.backlog(START)
    # What is left free at the end of a full segment is less than one frame.
    assert exact <= backlog(stream, START) < exact * 1.3
    assert backlog(stream, Position(2, 1000)) < backlog(stream, START)
    asyncio.run(office.drain())
    office.sweep.once()
    assert office.sweep.survey.backlog == {"kept": 0}


def test_hits_that_every_sink_has_are_written_over_while_their_worker_is_idle(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    first, second = click(token(keyring)), click(token(keyring))
    path = segment.path_of(worker.segments.folder, 1)
    worker.write(first)
    sink, down = Kept(), Kept("down")
    down.down = True
    office = office_with(sink, down)
    asyncio.run(office.drain())
    office.sweep.wipe()
    assert first.token.encode() in path.read_bytes(), "one sink has yet to get it"
    down.down = False
    asyncio.run(office.drain())
    office.sweep.wipe()
    assert first.token.encode() not in path.read_bytes()
    worker.write(second)
    asyncio.run(office.drain())
    assert list(sink.events) == list(down.events) == ids([first, second])


def test_a_sink_that_is_new_begins_behind_what_was_written_over(
    keyring: Keyring, worker: Worker, office_with: Offices
) -> None:
    first, second = click(token(keyring)), click(token(keyring))
    worker.write(first)
    office = office_with(Kept())
    asyncio.run(office.drain())
    office.sweep.wipe()
    worker.write(second)
    new = Kept("new")
    restarted = office_with(Kept(), new)
    asyncio.run(restarted.drain())
    worker.die()
    asyncio.run(restarted.drain())
    restarted.sweep.once()
    assert list(new.events) == ids([second])
    assert restarted.sweep.survey.counted[TORN] == 0
    assert not worker.segments.folder.exists()
