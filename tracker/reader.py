"""The spool's other side: what reads hits off the disk while edge workers write them.

It takes no lock that a worker ever waits for. It sees a hit as soon as the worker does, in the
order of the stream, and removes a segment, or what lies in it before a place, once its caller says
that nobody needs it any more.
"""

import contextlib
import fcntl
import math
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from tracker import segment
from tracker.hit import Hit
from tracker.segments import ALIVE

READ_BYTES: Final = 1 << 20

_decode = msgspec.msgpack.Decoder(list[Hit]).decode


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a stream: the number of a segment and the offset in it, in bytes."""

    segment: int = 0
    offset: int = 0


START: Final = Position()


@dataclass(frozen=True, slots=True)
class Batch:
    """Some hits and the position behind them.

    `finished` says that the worker is gone and nothing is left; `torn` how many bytes at the end of
    what it left were never finished, and so never answered.
    """

    hits: tuple[Hit, ...]
    position: Position
    finished: bool = False
    torn: int = 0


@dataclass(frozen=True, slots=True)
class Passage:
    """What lies between two positions: how many hits, and the times of the first and the last."""

    hits: int
    first: int = 0
    last: int = 0


class SpoolReader:
    """All the streams in a spool's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def streams(self) -> list["Stream"]:
        """Return every stream that has files left, the oldest worker's first."""
        if not self.folder.is_dir():
            return []
        return [Stream(path) for path in sorted(self.folder.iterdir()) if path.is_dir()]


class Stream:
    """What one worker wrote."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name

    def read(self, after: Position = START, limit: int = READ_BYTES) -> Batch:
        """Return the next hits, about `limit` bytes of them; none where there are none yet.

        Raises OSError, and msgspec.DecodeError for a frame that checks but holds no hits.
        """
        # In this order: what is dead or has a successor by now writes nothing more to what we read.
        alive = self.alive()
        present = segment.numbers(self.folder)
        left = [number for number in present if number >= after.segment]
        torn = 0
        for place, number in enumerate(left, 1):
            # Not the next one alone: a worker whose disk fails leaves several that hold nothing.
            over = not alive or any(map(self._begun, left[place:]))
            offset = after.offset if number == after.segment else 0
            with self._opened(number) as descriptor:
                bodies, end = segment.frames(descriptor, offset, limit)
                if not bodies and over:
                    torn += segment.torn(descriptor, end)
            after = Position(number, end)
            if bodies:
                hits = tuple(hit for body in bodies for hit in _decode(body))
                return Batch(hits, after, torn=torn)
            if not over:
                return Batch((), after, torn=torn)
        return Batch((), after, finished=not alive, torn=torn)

    def alive(self) -> bool:
        """Tell whether the worker that writes this stream still lives."""
        try:
            descriptor = os.open(self.folder / ALIVE, os.O_RDONLY)
        except FileNotFoundError:
            return True  # being born: the folder comes before the lock
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def backlog(self, after: Position) -> int:
        """Return how many bytes of hits lie behind a position."""
        left = [number for number in segment.numbers(self.folder) if number >= after.segment]
        return sum(
            self._used(number, after.offset if number == after.segment else 0) for number in left
        )

    def between(self, after: Position, before: Position) -> Passage:
        """Count the hits between two positions. Raises OSError, msgspec.DecodeError."""
        hits, first, last = 0, b"", b""
        for number in segment.numbers(self.folder):
            if not after.segment <= number <= before.segment:
                continue
            offset = after.offset if number == after.segment else 0
            end = before.offset if number == before.segment else math.inf
            with self._opened(number) as descriptor:
                while offset < end:
                    room = READ_BYTES if end == math.inf else int(end) - offset
                    bodies, offset = segment.frames(descriptor, offset, min(READ_BYTES, room))
                    if not bodies:
                        break
                    hits += sum(map(segment.count, bodies))
                    first, last = first or bodies[0], bodies[-1]
        if not hits:
            return Passage(0)
        return Passage(hits, _decode(first)[0].at, _decode(last)[-1].at)

    def forget(self, before: Position) -> None:
        """Remove the segments that lie wholly before a position."""
        for number in segment.numbers(self.folder):
            if number < before.segment:
                segment.path_of(self.folder, number).unlink(missing_ok=True)

    def wipe(self, before: Position) -> None:
        """Write zeros over what lies before a position in its segment.

        A worker that still writes there writes further behind, and takes no notice. Raises OSError.
        """
        path = segment.path_of(self.folder, before.segment)
        with contextlib.suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
            at = segment.HEADER
            while at < before.offset:
                at += os.pwrite(file.fileno(), segment.ZEROS[: before.offset - at], at)
            os.fdatasync(file.fileno())

    def unwiped(self) -> Position:
        """Return where what was not written over begins, START if all is there. Raises OSError."""
        for number in segment.numbers(self.folder)[:1]:
            with self._opened(number) as descriptor:
                begins = segment.unwiped(descriptor)
            return Position(number, begins) if begins > segment.HEADER else START
        return START

    def remove(self) -> None:
        """Remove the stream of a worker that is gone, with everything in it."""
        shutil.rmtree(self.folder)

    def _begun(self, number: int) -> bool:
        """Tell whether a segment holds a frame: then its worker has left the ones before it."""
        with self._opened(number) as descriptor:
            return bool(segment.frames(descriptor, 0, 0)[0])

    def _used(self, number: int, offset: int) -> int:
        with self._opened(number) as descriptor:
            start = end = max(offset, segment.HEADER)
            while (following := segment.frames(descriptor, end, READ_BYTES)[1]) > end:
                end = following
            return end - start

    @contextlib.contextmanager
    def _opened(self, number: int) -> Iterator[int]:
        descriptor = os.open(segment.path_of(self.folder, number), os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
