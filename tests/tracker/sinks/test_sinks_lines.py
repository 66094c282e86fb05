"""The sinks that write lines."""

import asyncio
import io
import json
import os
from pathlib import Path

import pytest

from tests.tracker.forwarding.parts import largest_file
from tests.tracker.sinks.contract import event
from tracker.event import Event
from tracker.sinks import SinkUnavailable
from tracker.sinks import file as file_sink
from tracker.sinks.file import FileSink
from tracker.sinks.stdout import StdoutSink


def told(path: Path) -> list[tuple[int, int]]:
    """Return number and revision of every line of a file."""
    lines = map(json.loads, path.read_text().splitlines())
    return [(int(line["id"]), line["revision"]) for line in lines]


async def deliver(sink: FileSink, *events: Event) -> None:
    await sink.deliver(events)
    await sink.close()


def test_every_event_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asyncio.run(deliver(FileSink(path), event(1), event(2)))
    asyncio.run(deliver(FileSink(path), event(3)))
    assert told(path) == [(1, 0), (2, 0), (3, 0)]
    assert path.stat().st_mode & 0o077 == 0


def test_an_event_that_comes_again_after_a_restart_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asyncio.run(deliver(FileSink(path), event(1), event(2)))
    asyncio.run(deliver(FileSink(path), event(2), event(2, revision=1), event(3)))
    assert told(path) == [(1, 0), (2, 0), (2, 1), (3, 0)]


def test_an_event_that_comes_again_at_once_is_not_written_again(tmp_path: Path) -> None:
    async def twice() -> None:
        sink = FileSink(tmp_path / "events.jsonl")
        await sink.deliver([event(1), event(1)])
        await deliver(sink, event(1))

    asyncio.run(twice())
    assert told(tmp_path / "events.jsonl") == [(1, 0)]


def test_a_line_that_a_crash_tore_is_cut_off_and_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    asyncio.run(deliver(FileSink(path), event(1), event(2)))
    os.truncate(path, path.stat().st_size - 20)
    asyncio.run(deliver(FileSink(path), event(2)))
    assert told(path) == [(1, 0), (2, 0)]


def test_only_the_end_of_a_long_file_is_looked_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "events.jsonl"
    asyncio.run(deliver(FileSink(path), *map(event, range(20))))
    monkeypatch.setattr(file_sink, "LOOKED_THROUGH", path.stat().st_size // 2)
    asyncio.run(deliver(FileSink(path), event(19), event(20)))
    assert told(path) == [(number, 0) for number in range(21)]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"

    async def filling() -> None:
        sink = FileSink(path)
        await sink.deliver([event(1)])
        with largest_file(path.stat().st_size + 50), pytest.raises(SinkUnavailable):
            await sink.deliver([event(2)])
        assert told(path) == [(1, 0)]
        await deliver(sink, event(2))

    asyncio.run(filling())
    assert told(path) == [(1, 0), (2, 0)]


@pytest.mark.parametrize("content", ["127.0.0.1 localhost\n", "127.0.0.1 localhost", "{}\n"])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, content: str) -> None:
    path = tmp_path / "hosts"
    path.write_text(content)
    with pytest.raises(SinkUnavailable, match="no event"):
        asyncio.run(deliver(FileSink(path), event(1)))
    assert path.read_text() == content


def test_a_folder_that_is_missing_is_waited_for(tmp_path: Path) -> None:
    sink = FileSink(tmp_path / "later" / "events.jsonl")
    with pytest.raises(SinkUnavailable, match="No such file"):
        asyncio.run(deliver(sink, event(1)))
    (tmp_path / "later").mkdir()
    asyncio.run(deliver(sink, event(1)))
    assert told(tmp_path / "later" / "events.jsonl") == [(1, 0)]


def test_standard_output_gets_a_line_for_each_event() -> None:
    stream = io.BytesIO()
    asyncio.run(StdoutSink(stream).deliver([event(1), event(2)]))
    assert [int(json.loads(line)["id"]) for line in stream.getvalue().splitlines()] == [1, 2]


def test_a_pipe_that_nobody_reads_makes_the_sink_unavailable() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as stream, pytest.raises(SinkUnavailable):
        asyncio.run(StdoutSink(stream).deliver([event(1)]))
