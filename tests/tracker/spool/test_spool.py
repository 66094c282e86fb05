"""The spool: what was acknowledged is on disk and is read once, whatever happened in between."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.patience import PATIENCE, wait_for
from tracker import segment
from tracker.counters import FILE, Counter, Counters, read
from tracker.edge.worker import begun
from tracker.hit import Hit, HitIds, encode
from tracker.reader import START, Position, SpoolReader, Stream
from tracker.segment import Segment, SegmentFull
from tracker.segments import Segments
from tracker.spool import MAX_BATCH, Spool, SpoolUnavailable

SMALL = 64 * 1024


def record(number: int, size: int = 100) -> bytes:
    token = f"{number}.".ljust(size, "x")
    return encode(Hit(number.to_bytes(16, "big"), "o", number, "a.example", token, "GET", "", ""))


def numbers(stream: Stream, after: Position = START, limit: int = 1 << 20) -> list[int]:
    """Read a stream to its end."""
    found = []
    while (batch := stream.read(after, limit)).hits:
        found += [int.from_bytes(hit.id, "big") for hit in batch.hits]
        after = batch.position
    return found


async def written(spool: Spool, records: list[bytes]) -> None:
    """Return once every record's waiter was called."""
    left = len(records)
    done = asyncio.Event()

    def one_less() -> None:
        nonlocal left
        left -= 1
        if not left:
            done.set()

    for each in records:
        spool.add(each, one_less)
    await done.wait()


def run(folder: Path, act: Callable[[Spool, Segments], Awaitable[None]], **given: int) -> None:
    """Let a test act on a spool that calls nobody late, however slow the disk of the machine."""

    async def acted() -> None:
        segments = Segments(folder, given.pop("segment_bytes", SMALL))
        segments.begin()
        segments.prepare()
        spool = Spool(segments, Counters.create(segments.folder), **{"late_after": 60} | given)
        try:
            await act(spool, segments)
        finally:
            await spool.close(5)

    asyncio.run(acted())


def only(folder: Path) -> Stream:
    (stream,) = SpoolReader(folder).streams()
    return stream


def test_a_hit_can_be_read_when_its_waiter_is_called(tmp_path: Path) -> None:
    async def act(spool: Spool, _: Segments) -> None:
        await written(spool, [record(1)])
        assert numbers(only(tmp_path)) == [1]

    run(tmp_path, act)


def test_a_worker_counts_where_losses_are_read_on_a_disk_without_room_for_a_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segment that is tried takes all the room there is, and the counters would find none."""
    segments = Segments(tmp_path, SMALL)
    found: list[bool] = []

    def prepare(path: Path, size: int) -> Segment:
        found.append((path.parent / FILE).exists())
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Segment, "prepare", prepare)
    counters = begun(segments)
    counters.cells[Counter.LOST] = 3
    assert read(segments.folder)[Counter.LOST] == 3
    assert found[0]
    segments.close()


def test_hits_that_arrive_together_share_one_write(tmp_path: Path) -> None:
    async def act(spool: Spool, segments: Segments) -> None:
        await written(spool, [record(number) for number in range(100)])
        assert read(segments.folder)[Counter.BATCHES] == 1

    run(tmp_path, act)


def test_no_batch_is_larger_than_the_smallest_segment_takes(tmp_path: Path) -> None:
    async def act(spool: Spool, segments: Segments) -> None:
        await written(spool, [record(number) for number in range(2 * MAX_BATCH + 1)])
        assert read(segments.folder)[Counter.BATCHES] == 3
        assert numbers(only(tmp_path)) == list(range(2 * MAX_BATCH + 1))

    run(tmp_path, act, segment_bytes=1 << 20)


@pytest.mark.parametrize("limit", [1, 1000, 1 << 20])
def test_hits_are_read_in_order_across_segments(tmp_path: Path, limit: int) -> None:
    async def act(spool: Spool, segments: Segments) -> None:
        for number in range(0, 3000, 100):
            await written(spool, [record(number + n) for n in range(100)])
        assert len(segment.numbers(segments.folder)) > 5
        assert numbers(only(tmp_path), limit=limit) == list(range(3000))

    run(tmp_path, act)


def test_a_reader_goes_on_where_it_stopped(tmp_path: Path) -> None:
    async def act(spool: Spool, _: Segments) -> None:
        position, found = START, []
        for number in range(0, 2000, 100):
            await written(spool, [record(number + n) for n in range(100)])
            batch = only(tmp_path).read(position)
            found += [int.from_bytes(hit.id, "big") for hit in batch.hits]
            position = batch.position
            assert not batch.finished
        assert found == list(range(2000))
        assert only(tmp_path).backlog(position) == 0

    run(tmp_path, act)


def test_only_segments_before_a_position_are_removed(tmp_path: Path) -> None:
    async def act(spool: Spool, segments: Segments) -> None:
        for number in range(0, 2000, 100):
            await written(spool, [record(number + n) for n in range(100)])
        stream = only(tmp_path)
        before = stream.backlog(START)
        half = stream.read(Position(2)).position
        stream.forget(half)
        assert min(segment.numbers(segments.folder)) == half.segment
        assert stream.backlog(START) < before
        assert numbers(stream)[-1] == 1999

    run(tmp_path, act)


def test_a_stream_is_finished_once_its_worker_is_gone_and_all_is_read(tmp_path: Path) -> None:
    async def act(spool: Spool, _: Segments) -> None:
        await written(spool, [record(1)])
        assert only(tmp_path).alive()
        assert not only(tmp_path).read(only(tmp_path).read().position).finished

    run(tmp_path, act)
    stream = only(tmp_path)
    wait_for(lambda: not stream.alive(), "whoever held the stream to be gone")
    batch = stream.read()
    assert (len(batch.hits), batch.finished) == (1, False)
    rest = stream.read(batch.position)
    assert (rest.hits, rest.finished, rest.torn) == ((), True, 0)
    stream.remove()
    assert SpoolReader(tmp_path).streams() == []


# A segment that was cut, torn or damaged.


def segment_of(folder: Path, batches: int) -> tuple[Path, list[int]]:
    """Write a segment and return it with the offsets behind each of its frames."""
    path = segment.path_of(folder, 1)
    made = Segment.prepare(path, 4096)
    ends, end = [], segment.HEADER
    for number in range(batches):
        end += made.write([record(number * 2), record(number * 2 + 1)])
        ends.append(end)
    made.close()
    return path, ends


@pytest.mark.parametrize("length", [100, 255, 256, 512, 32_768])
def test_what_stands_behind_zeros_is_found_again(tmp_path: Path, length: int) -> None:
    written = Segment.prepare(segment.path_of(tmp_path, 1), SMALL)
    before = segment.HEADER + written.write([b"x" * 100])
    written.write([b"y" * (length - 5)])  # a frame's own length, of which low bytes may be zero
    written.close()
    stream = Stream(tmp_path)
    assert stream.unwiped() == START
    stream.wipe(Position(1, before))
    assert stream.unwiped() == Position(1, before)


@pytest.mark.parametrize("how", ["cut off", "zeros", "noise"])
def test_whole_frames_are_read_wherever_the_rest_was_torn(tmp_path: Path, how: str) -> None:
    path, ends = segment_of(tmp_path, 4)
    whole = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        for place in reversed(range(ends[-1])):
            file.truncate(place)
            if how == "zeros":
                file.truncate(len(whole))
            elif how == "noise":
                file.seek(place)
                file.write(bytes(byte ^ 0x55 for byte in whole[place:]))
            expected = 2 * sum(end <= place for end in ends)
            assert numbers(Stream(tmp_path)) == list(range(expected)), place


@pytest.fixture(scope="module")
def written_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, list[int]]:
    """Write a segment; give its path, what it holds, and the offsets behind its frames."""
    path, ends = segment_of(tmp_path_factory.mktemp("segment"), 4)
    return path, path.read_bytes(), ends


@given(st.integers(0, 4095), st.integers(1, 255))
@settings(max_examples=200)
def test_a_flipped_byte_ends_the_segment_there(
    written_once: tuple[Path, bytes, list[int]], place: int, flip: int
) -> None:
    path, whole, ends = written_once
    content = bytearray(whole)
    content[place] ^= flip
    path.write_bytes(content)
    intact = 0 if place < len(segment.MAGIC) + 16 else sum(end <= place for end in ends)
    # The header's filling carries nothing, and behind the last frame there is nothing to damage.
    if len(segment.MAGIC) + 16 <= place < segment.HEADER or place >= ends[-1]:
        intact = len(ends)
    assert numbers(Stream(path.parent)) == list(range(2 * intact))


def test_what_was_never_finished_is_counted_as_torn(tmp_path: Path) -> None:
    path, ends = segment_of(tmp_path, 2)
    content = bytearray(path.read_bytes())
    content[ends[1] - 1] ^= 1
    path.write_bytes(content)
    (tmp_path / "alive").touch()
    batch = Stream(tmp_path).read()
    assert len(batch.hits) == 2
    rest = Stream(tmp_path).read(batch.position)
    assert (rest.torn, rest.finished) == (ends[1] - ends[0], True)


def test_frames_of_another_segment_are_none_of_this_one(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    path, ends = segment_of(tmp_path, 1)
    stale, _ = segment_of(other, 3)
    with path.open("r+b") as file:
        file.seek(ends[0])
        file.write(stale.read_bytes()[ends[0] :])
    assert numbers(Stream(tmp_path)) == [0, 1]


@pytest.mark.parametrize("content", [b"", b"x", bytes(4096), b"no segment" * 400])
def test_a_file_that_is_no_segment_holds_no_hits(tmp_path: Path, content: bytes) -> None:
    segment.path_of(tmp_path, 1).write_bytes(content)
    assert numbers(Stream(tmp_path)) == []


def test_a_full_segment_says_so_before_it_writes(tmp_path: Path) -> None:
    made = Segment.prepare(segment.path_of(tmp_path, 1), 512)
    made.write([record(1)])
    with pytest.raises(SegmentFull):
        made.write([record(2, 400)])
    made.close()
    assert numbers(Stream(tmp_path)) == [1]


# A disk that fails.


def failing(monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
    """Let a system call fail some times, then work."""
    working, calls = getattr(os, name), 0

    def call(*arguments: object) -> object:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise OSError(28, "No space left on device")
        return working(*arguments)

    monkeypatch.setattr(os, name, call)


@pytest.mark.parametrize("times", [1, 3])
def test_after_failed_writes_a_new_segment_takes_the_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    async def act(spool: Spool, segments: Segments) -> None:
        await written(spool, [record(1)])
        failing(monkeypatch, "pwritev", times)
        await written(spool, [record(2)])
        assert numbers(only(tmp_path)) == [1, 2]
        assert read(segments.folder)[Counter.WRITE_FAILURES] == times
        assert read(segments.folder)[Counter.FAILING] == 0

    run(tmp_path, act)


def test_a_write_whose_failure_was_only_reported_is_seen_twice_under_one_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working, failed = os.pwritev, False

    def write_and_fail(*arguments: object) -> int:
        nonlocal failed
        size = working(*arguments)  # type: ignore[arg-type]  # handed on as they came
        if not failed:
            failed = True
            raise OSError(5, "Input/output error")
        return size

    async def act(spool: Spool, _: Segments) -> None:
        monkeypatch.setattr(os, "pwritev", write_and_fail)
        await written(spool, [record(1)])
        assert numbers(only(tmp_path)) == [1, 1]

    run(tmp_path, act)


def test_a_short_write_is_a_failed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    working, shortened = os.pwritev, False

    def write_half(descriptor: int, buffers: tuple[bytes], *rest: int) -> int:
        nonlocal shortened
        if not shortened:
            shortened = True
            return working(descriptor, [buffers[0][: len(buffers[0]) // 2]], *rest)
        return working(descriptor, buffers, *rest)

    async def act(spool: Spool, _: Segments) -> None:
        monkeypatch.setattr(os, "pwritev", write_half)
        await written(spool, [record(1), record(2)])
        assert numbers(only(tmp_path)) == [1, 2]

    run(tmp_path, act)


def test_a_disk_without_room_for_the_next_segment_delays_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(spool: Spool, _: Segments) -> None:
        await written(spool, [record(0)])
        working = Segment.prepare.__func__  # type: ignore[attr-defined]  # a class method's
        refused = 0

        def prepare(cls: type[Segment], path: Path, size: int) -> Segment:
            nonlocal refused
            if refused < 2:
                refused += 1
                raise OSError(28, "No space left on device")
            return working(cls, path, size)  # type: ignore[no-any-return]  # a segment

        monkeypatch.setattr(Segment, "prepare", classmethod(prepare))
        for number in range(1, 2000, 100):
            await written(spool, [record(number + n) for n in range(100)])
        assert numbers(only(tmp_path)) == list(range(2001))
        assert refused == 2

    run(tmp_path, act, queue_limit=10_000)


def test_an_unsubscription_says_when_it_is_not_durable_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(spool: Spool, _: Segments) -> None:
        with monkeypatch.context() as broken:
            failing(broken, "pwritev", 1_000)  # until it is told: a second try may be quicker
            with pytest.raises(SpoolUnavailable):
                await spool.durable(record(1), within=0.001)
        await spool.durable(record(2), within=PATIENCE)
        assert numbers(only(tmp_path)) == [1, 2]

    run(tmp_path, act)


def test_what_cannot_be_written_before_the_end_is_counted_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def acted() -> int:
        segments = Segments(tmp_path, SMALL)
        segments.begin()
        segments.prepare()
        counters = Counters.create(segments.folder)
        spool = Spool(segments, counters)
        failing(monkeypatch, "pwritev", 1000)
        spool.add(record(1), lambda: None)
        spool.add(record(2), lambda: None)
        await spool.close(0.01)
        return counters.cells[Counter.LOST]

    assert asyncio.run(acted()) == 2


# Processes that die.

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.tracker.spool.test_spool import record
from tracker.counters import Counters
from tracker.segments import Segments
from tracker.spool import Spool

async def main():
    segments = Segments(Path(sys.argv[1]), 1 << 20)
    segments.begin()
    segments.prepare()
    spool = Spool(segments, Counters.create(segments.folder))
    number = 0
    def add(number):
        spool.add(record(number), lambda: sys.stdout.write(f"{number}\\n"))
    while True:
        for _ in range(50):
            add(number)
            number += 1
        while not spool.idle:
            await asyncio.sleep(0)
        sys.stdout.flush()

asyncio.run(main())
"""


@pytest.mark.parametrize("lines", [1, 700, 9000])
def test_every_hit_that_was_answered_is_read_after_kill_9(tmp_path: Path, lines: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )
    assert process.stdout is not None
    answered = [int(process.stdout.readline()) for _ in range(lines)]
    process.send_signal(signal.SIGKILL)
    answered += [int(line) for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    stream = only(tmp_path)
    found = numbers(stream)
    assert found == list(range(len(found)))
    assert set(answered) <= set(found)
    assert not stream.alive()
    assert read(stream.folder)[Counter.WRITTEN] <= len(found)


def test_a_stream_that_is_being_born_is_alive(tmp_path: Path) -> None:
    (tmp_path / "born").mkdir()
    batch = only(tmp_path).read()
    assert (batch.hits, batch.finished) == ((), False)


def test_ids_are_unique_and_grow() -> None:
    ids = HitIds()
    made = [ids.next(1_795_000_000_000_000 + n) for n in range(5000)]
    assert len(set(made)) == 5000
    assert made == sorted(made)
    assert all(len(each) == 16 for each in made)
    assert HitIds().next(1)[6:12] != HitIds().next(1)[6:12]
