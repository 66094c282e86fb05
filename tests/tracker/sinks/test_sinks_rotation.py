"""Files that are closed, compressed and removed, with nothing lost and nothing twice."""

import asyncio
import gzip
import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tracker.sinks.contract import event, told
from tracker.event import Event
from tracker.sinks import SinkUnavailable
from tracker.sinks.archive import UNFINISHED, Archive, Stopped
from tracker.sinks.file import FileSink
from tracker.sinks.rotation import Rotation
from tracker.sinks.url import BadSink, SinkUrl

DAY = 86_400.0
NOON = 20_000.5 * DAY


async def deliver(sink: FileSink, *batches: Sequence[Event]) -> None:
    for batch in batches:
        await sink.deliver(batch)
    await sink.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def content(folder: Path) -> list[int]:
    """Return the numbers of all events, each file in both forms counted once."""
    there = [path for path in sorted(folder.iterdir()) if path.suffix != UNFINISHED]
    whole = {path.name.removesuffix(".gz"): path for path in there}
    closed = sorted((path for path in whole.values() if "-" in path.name), key=number)
    found = [one for path in closed for one in lines(path)]
    return [int(id_) for id_, _ in told([*found, *lines(folder / "events.jsonl")])]


def number(path: Path) -> int:
    return int(path.name.partition(".")[0].rpartition("-")[2])


def lines(path: Path) -> list[bytes]:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if path.suffix == ".gz" else raw).splitlines()


@pytest.mark.parametrize(
    ("text", "rotation"),
    [
        ("100MB", Rotation(bytes=100_000_000)),
        ("daily", Rotation(period=86_400)),
        ("hourly, 1kB", Rotation(1_000, 3_600)),
    ],
)
def test_a_rotation_is_read_as_people_write_it(text: str, rotation: Rotation) -> None:
    assert Rotation.parse(text) == rotation


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ("rotate=weekly", "rotate=weekly of the sink 'file' should be a size such as 100MB, daily"),
        ("rotate=0", "should be a size"),
        ("rotate=1kB,2kB", "should be a size"),
        ("rotate=daily&compress=zip", "compress=zip of the sink 'file' should be gzip"),
        ("rotate=daily&keep=0", "keep=0 of the sink 'file' should be a number of files, from 1 on"),
        ("keep=3", "the parameter 'keep' of the sink 'file' needs 'rotate' too"),
        ("compress=gzip", "the parameter 'compress' of the sink 'file' needs 'rotate' too"),
    ],
)
def test_a_rotation_that_cannot_be_is_refused(parameters: str, sentence: str) -> None:
    with pytest.raises(BadSink) as caught:
        SinkUrl.parse(f"file:events.jsonl?{parameters}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("held", "written", "now", "due"),
    [
        (0, NOON - DAY, NOON, False),
        (50, NOON, NOON + 60, False),
        (51, NOON, NOON + 60, True),
        (1, NOON, NOON + DAY / 2, True),
        (1, NOON + DAY, NOON, False),
    ],
)
def test_a_file_ends_when_it_is_full_or_its_day_is_over(
    held: int, written: float, now: float, due: bool
) -> None:
    assert Rotation(100, 86_400).due(held, 50, written, now) == due


def test_a_full_file_is_closed_under_a_name_of_its_own(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "events.jsonl", rotation=Rotation(1_000), clock=lambda: NOON)
    asyncio.run(deliver(sink, *([event(number)] for number in range(4))))
    assert names(tmp_path) == [
        "events-20241004T120000Z-000001.jsonl",
        "events-20241004T120000Z-000002.jsonl",
        "events-20241004T120000Z-000003.jsonl",
        "events.jsonl",
    ]
    assert content(tmp_path) == [0, 1, 2, 3]
    assert {path.stat().st_mode & 0o077 for path in tmp_path.iterdir()} == {0}


def test_a_file_of_yesterday_is_closed_before_today_begins(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    daily = Rotation(period=86_400)
    asyncio.run(deliver(FileSink(path, rotation=daily), [event(1)]))
    os.utime(path, (NOON - DAY, NOON - DAY))
    today = FileSink(path, rotation=daily, clock=lambda: NOON)
    asyncio.run(deliver(today, [event(2)], [event(3)]))
    assert [int(id_) for id_, _ in told(lines(path))] == [2, 3]
    assert content(tmp_path) == [1, 2, 3]


@pytest.mark.parametrize("compress", [False, True])
def test_an_event_that_comes_again_behind_a_rotation_is_not_written_again(
    tmp_path: Path, compress: bool
) -> None:
    """The process died between the write and the note of it, and the file was closed meanwhile."""
    path = tmp_path / "events.jsonl"
    asyncio.run(deliver(FileSink(path), [event(1), event(2)]))
    archive = Archive(path, compress=compress)
    archive.add(NOON)
    archive.tidy()
    again = FileSink(path, rotation=Rotation(10_000), compress=compress)
    asyncio.run(deliver(again, [event(1), event(2)], [event(3)]))
    assert content(tmp_path) == [1, 2, 3]


def test_what_is_closed_is_compressed_and_only_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asyncio.run(
        deliver(FileSink(path, rotation=Rotation(1_000)), *([event(each)] for each in range(6)))
    )
    Archive(path, compress=True, keep=2).tidy()
    assert [name.partition("Z-")[2] for name in names(tmp_path)] == [
        "000004.jsonl.gz",
        "000005.jsonl.gz",
        "",
    ]
    assert content(tmp_path) == [3, 4, 5]


STEPS = ["nothing", "half a .gz", "both forms"]


@pytest.mark.parametrize("left", STEPS)
def test_compressing_goes_on_wherever_a_crash_left_it(tmp_path: Path, left: str) -> None:
    path = tmp_path / "events.jsonl"
    archive = Archive(path, compress=True)
    path.write_bytes(b'{"event":"opened","id":"1"}\n')
    archive.add(NOON)
    (closed,) = archive.closed()
    packed = gzip.compress(closed.path.read_bytes())
    if left == "half a .gz":
        closed.path.with_name(f"{closed.path.name}.part").write_bytes(packed[:9])
    if left == "both forms":
        closed.path.with_name(f"{closed.path.name}.gz").write_bytes(packed)
    archive.tidy()
    assert names(tmp_path) == ["events-20241004T120000Z-000001.jsonl.gz"]
    assert archive.end(10) == [b'{"event":"opened","id":"1"}\n']


def test_compressing_that_is_stopped_leaves_the_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    archive = Archive(path, compress=True)
    path.write_bytes(b"x" * 10)
    archive.add(NOON)
    archive.close()
    with pytest.raises(Stopped):
        archive.tidy()
    (closed,) = archive.closed()
    assert (closed.compressed, closed.path.read_bytes()) == (False, b"x" * 10)


def test_a_disk_without_room_for_compressing_delays_no_event(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "events.jsonl"

    # What a folder of that name is to opening it, a full disk is to writing it.
    archive = Archive(path, compress=True)
    path.write_bytes(b'{"event":"opened","id":"0"}\n')
    archive.add(NOON)
    (closed,) = archive.closed()
    closed.path.with_name(f"{closed.path.name}.part").mkdir()
    sink = FileSink(path, rotation=Rotation(1_000), compress=True)
    asyncio.run(deliver(sink, [event(1)], [event(2)]))
    assert "archive_failed" in [record.message for record in caplog.records]
    assert [int(id_) for id_, _ in told(lines(closed.path))] == [0]
    assert [int(id_) for id_, _ in told(lines(path))] == [2]


def test_a_file_that_logrotate_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def act() -> None:
        sink = FileSink(path)
        await sink.deliver([event(1)])
        path.rename(tmp_path / "events.jsonl.1")
        await deliver(sink, [event(2)])

    asyncio.run(act())
    assert content(tmp_path) == [2]
    assert [int(id_) for id_, _ in told(lines(tmp_path / "events.jsonl.1"))] == [1]


def test_what_somebody_took_out_of_a_file_is_written_when_it_comes_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def act() -> None:
        sink = FileSink(path)
        await sink.deliver([event(1), event(2)])
        os.truncate(path, 0)
        await deliver(sink, [event(1), event(2)])

    asyncio.run(act())
    assert content(tmp_path) == [1, 2]


def test_a_file_that_cannot_be_closed_takes_nothing_until_it_can(tmp_path: Path) -> None:
    path = tmp_path / "out" / "events.jsonl"
    path.parent.mkdir()

    async def act() -> None:
        sink = FileSink(path, rotation=Rotation(1_000))
        await sink.deliver([event(1)])
        path.parent.rename(tmp_path / "elsewhere")
        with pytest.raises(SinkUnavailable, match="No such file or directory"):
            await sink.deliver([event(2)])
        (tmp_path / "elsewhere").rename(path.parent)
        await deliver(sink, [event(2)])

    asyncio.run(act())
    assert content(path.parent) == [1, 2]


def test_rotated_files_hold_every_event_once_however_often_the_office_restarts(
    tmp_path: Path,
) -> None:
    batches = [[event(number) for number in range(at, at + 5)] for at in range(0, 50, 5)]

    async def act() -> None:
        for first, second in itertools.pairwise(batches):
            sink = FileSink(tmp_path / "events.jsonl", rotation=Rotation(4_000), compress=True)
            await deliver(sink, first, second)

    asyncio.run(act())
    assert content(tmp_path) == list(range(50))
