"""What waits for a sink is told in hits, bytes and time, from the files alone."""

from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Worker, click, token
from tracker.counters import Counter
from tracker.forwarding import lag
from tracker.forwarding.lag import Lag
from tracker.reader import START, SpoolReader


def test_hits_that_wait_are_counted_one_by_one(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    hits = [click(token(keyring)) for _ in range(5)]
    worker.write(*hits[:2])
    worker.write(*hits[2:])
    (stream,) = streams = SpoolReader(tmp_path / "spool").streams()
    found = lag.lag(streams, {})
    assert (found.hits, found.oldest, found.exact) == (5, hits[0].at, True)
    behind = stream.read(START, 1).position
    left = lag.lag(streams, {worker.name: behind})
    assert (left.hits, left.oldest, found.bytes > left.bytes > 0) == (3, hits[2].at, True)
    assert lag.lag(streams, {worker.name: stream.read(behind).position}) == Lag()


def test_many_hits_are_reckoned_from_their_bytes(
    tmp_path: Path, keyring: Keyring, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lag, "COUNTED", 0)
    hits = [click(token(keyring)) for _ in range(5)]
    worker.write(*hits)
    streams = SpoolReader(tmp_path / "spool").streams()
    written = lag.lag(streams, {}).bytes
    worker.counters.cells[Counter.WRITTEN], worker.counters.cells[Counter.BYTES] = 5, written
    found = lag.lag(streams, {})
    assert (found.hits, found.oldest, found.exact) == (5, hits[0].at, False)


def test_what_a_newer_version_wrote_is_told_by_its_bytes(tmp_path: Path, worker: Worker) -> None:
    worker.segments.write([b"\xc1"])
    found = lag.lag(SpoolReader(tmp_path / "spool").streams(), {})
    assert (found.bytes > 0, found.oldest, found.exact) == (True, 0, False)
