"""A file as a sink: one line of JSON for each event, appended; closed files beside it, if wanted.

Promise: when `deliver` returns, its lines survive a crash of the machine, each is whole, and none
is there twice. An event comes again only if the process died before it could note that the file has
it, so looking through the end of the file, and of the one before it, tells. What somebody took out
of the file is written again when it is brought again.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from tracker.event import Event
from tracker.segment import sync_folder
from tracker.sinks import SinkUnavailable
from tracker.sinks.archive import Archive
from tracker.sinks.lines import BEGINNING, Line, Seen, read
from tracker.sinks.opening import Opened
from tracker.sinks.rotation import Rotation, kept
from tracker.sinks.thread import OwnThread, StillBusy
from tracker.sinks.url import SinkUrl

# What may come again is one batch, of at most a few thousand events.
LOOKED_THROUGH: Final = 64 << 20  # bytes of the file
ENOUGH: Final = 10_000  # lines; with fewer in the file, the end of the one before it is read too


def sink(url: SinkUrl, _: Opened) -> "FileSink":
    """Make the sink of a URL."""
    options = url.options
    return FileSink(
        Path(url.address),
        name=url.name,
        rotation=Rotation.parse(options["rotate"]) if "rotate" in options else Rotation(),
        compress="compress" in options,
        keep=kept(options["keep"]) if "keep" in options else 0,
    )


class FileSink:
    """Events go to the end of one file. A revision of an event is a line of its own."""

    def __init__(
        self,
        path: Path,
        *,
        name: str = "",
        rotation: Rotation = Rotation(),  # noqa: B008 - frozen
        compress: bool = False,
        keep: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.name = name or f"file:{path}"
        self._path = path
        self._rotation = rotation
        self._archive = Archive(path, compress=compress, keep=keep)
        self._clock = clock
        self._thread = OwnThread(self.name)
        self._descriptor: int | None = None
        self._size = 0
        self._seen = Seen()

    async def deliver(self, events: Sequence[Event]) -> None:
        """Append a batch. Raises SinkUnavailable, and then the file is as it was."""
        try:
            await self._thread.call(lambda: self._append(events))
        except StillBusy as error:
            raise SinkUnavailable(f"{self._path}: the disk has not answered yet") from error
        except OSError as error:
            raise SinkUnavailable(f"{self._path}: {error.strerror}") from error

    async def close(self) -> None:
        """Close the file, and leave the archive to the next start."""
        await asyncio.to_thread(self._thread.close)
        await asyncio.to_thread(self._archive.close)
        self._end()

    def _append(self, events: Sequence[Event]) -> None:
        if self._descriptor is not None and not self._untouched(self._descriptor):
            self._end()
        if self._descriptor is None:
            self._descriptor = self._opened()
        fresh = self._seen.fresh(events)
        lines = b"".join(fresh.values())
        found = os.fstat(self._descriptor)
        if self._rotation.due(self._size, len(lines), found.st_mtime, self._clock()):
            self._descriptor = self._rotated()
        try:
            _write(self._descriptor, lines)
        except OSError:
            # Half a line must not stay, nor what a failed fsync may or may not have kept.
            os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(lines)
        self._seen.add(fresh)

    def _untouched(self, descriptor: int) -> bool:
        """Tell whether nobody has moved the file away, as logrotate does, or cut it off."""
        found = os.fstat(descriptor)
        try:
            return found.st_size == self._size and os.path.samestat(self._path.stat(), found)
        except FileNotFoundError:
            return False

    def _rotated(self) -> int:
        """Close the file and begin another one. Raises OSError."""
        self._end()  # first: whatever fails from here on, nothing is appended to a closed file
        self._archive.add(self._clock())
        self._archive.tidy_soon()
        return self._begun()

    def _end(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _begun(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            sync_folder(self._path.parent)
            self._size = os.fstat(descriptor).st_size
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _opened(self) -> int:
        """Open the file that a process before this one may have left. Raises OSError."""
        descriptor = self._begun()
        try:
            lines = self._look_through(descriptor)
            if len(lines) < ENOUGH:
                lines = [*self._lines(self._archive.end(ENOUGH)), *lines]
        except BaseException:
            os.close(descriptor)
            raise
        # What else was written is no longer there: whoever took it away may want it again.
        self._seen = Seen()
        self._seen.add(lines)
        self._archive.tidy_soon()
        return descriptor

    def _look_through(self, descriptor: int) -> list[Line]:
        """Return the events at the end of the file, and cut off a line that was never finished."""
        size = self._size
        start = max(0, size - LOOKED_THROUGH)
        whole, newline, torn = os.pread(descriptor, size - start, start).rpartition(b"\n")
        lines = self._lines(whole.split(b"\n")[1 if start else 0 :] if newline else [])
        if torn[: len(BEGINNING)] != BEGINNING[: len(torn)]:
            raise SinkUnavailable(f"{self._path} ends in what is no event")
        if torn:  # else the time of the last write would be lost, which a rotation goes by
            os.ftruncate(descriptor, size - len(torn))
            self._size -= len(torn)
        return lines

    def _lines(self, lines: Sequence[bytes]) -> list[Line]:
        try:
            return list(map(read, lines))
        except msgspec.MsgspecError as error:
            raise SinkUnavailable(f"{self._path} holds lines that are no events") from error


def _write(descriptor: int, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
