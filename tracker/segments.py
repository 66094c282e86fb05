"""The segments of one worker: a folder that no other process ever adds to.

The back office writes zeros over what every sink has, behind the place where the worker writes.
The folder is locked once, at birth, by a lock that only tells readers whether the worker still
lives, so that neither side ever waits for the other.
"""

import contextlib
import fcntl
import os
import queue
import secrets
import shutil
import threading
import time
from pathlib import Path
from typing import Final

from tracker import segment
from tracker.segment import Segment, SegmentFull

ALIVE: Final = "alive"


class Segments:
    """A folder of segments that one process writes, each made ready before the last one is full."""

    def __init__(self, spool: Path, segment_bytes: int) -> None:
        """Remember where; nothing is made before `begin`, or the first write."""
        self.folder = spool / f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}"
        self.begun = False
        self._segment_bytes = segment_bytes
        self._number = 0
        self._segment: Segment | None = None
        self._next: queue.SimpleQueue[Segment | OSError] = queue.SimpleQueue()
        self._lock: int | None = None

    def begin(self) -> Path:
        """Make the stream's folder and return it; `prepare` comes next, or the first write.

        Raises OSError if there is no room for it.
        """
        self.folder.mkdir(mode=0o700, parents=True)
        try:
            segment.sync_folder(self.folder.parent)
            self._lock = _locked(self.folder / ALIVE)
        except OSError:
            shutil.rmtree(self.folder, ignore_errors=True)  # without its lock it passes for alive
            raise
        self.begun = True
        return self.folder

    def prepare(self) -> None:
        """Make the first segment ready, if there is room.

        Where there is none, trying takes the last of it for a moment: what else the folder is to
        hold goes before.
        """
        self._prepare_next()
        with contextlib.suppress(OSError):  # the first write tries again, and tells
            self._segment = self._take_next()

    def write(self, records: list[bytes]) -> int:
        """Write one frame durably and return its size. Raises OSError; the next call tries anew."""
        if not self.begun:
            self.begin()
        if not self._number:
            self.prepare()
        if self._segment is None:
            self._segment = self._take_next()
        try:
            return self._segment.write(records)
        except SegmentFull:
            self._abandon()
        except OSError:
            self._abandon()
            raise
        self._segment = self._take_next()
        return self._segment.write(records)

    def close(self) -> None:
        """Close the files and let readers know that nothing more will come."""
        self._abandon()
        if self._lock is not None:
            os.close(self._lock)

    def _abandon(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _take_next(self) -> Segment:
        ready = self._next.get()
        self._prepare_next()
        if isinstance(ready, OSError):
            raise ready
        return ready

    def _prepare_next(self) -> None:
        self._number += 1
        path = segment.path_of(self.folder, self._number)
        threading.Thread(target=self._prepare, args=(path,), name="segment", daemon=True).start()

    def _prepare(self, path: Path) -> None:
        try:
            self._next.put(Segment.prepare(path, self._segment_bytes))
        except OSError as error:
            self._next.put(error)


def _locked(path: Path) -> int:
    """Create a file that is locked by the time it can be seen under its name."""
    unborn = path.with_suffix(".unborn")
    descriptor = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    unborn.replace(path)
    return descriptor
