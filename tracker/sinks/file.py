"""A file as a sink: one line of JSON for each event, appended.

Promise: when `deliver` returns, its lines survive a crash of the machine, each is whole, and none
is there twice. An event comes again only if the process died before it could note that the file has
it, so looking through the end of the file tells.
"""

import asyncio
import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from tracker.event import Event, encode
from tracker.segment import sync_folder
from tracker.sinks import SinkUnavailable
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl

# What may come again: a batch of every stream that was being forwarded when the process died.
LOOKED_THROUGH: Final = 64 << 20  # bytes of the file
REMEMBERED: Final = 100_000  # events

BEGINNING: Final = b'{"event":'  # of every line


class _Line(msgspec.Struct, frozen=True):
    """What tells an event from every other."""

    id: str
    revision: int = 0


_line = msgspec.json.Decoder(_Line).decode


def sink(url: SinkUrl, _: Opened) -> "FileSink":
    """Make the sink of a URL."""
    return FileSink(Path(url.address), name=url.name)


class FileSink:
    """Events go to the end of one file. A revision of an event is a line of its own."""

    def __init__(self, path: Path, *, name: str = "") -> None:
        self.name = name or f"file:{path}"
        self._path = path
        self._descriptor: int | None = None
        self._there: dict[_Line, None] = {}  # in the order in which they came

    async def deliver(self, events: Sequence[Event]) -> None:
        """Append a batch. Raises SinkUnavailable, and then the file is as it was."""
        try:
            await asyncio.to_thread(self._append, events)
        except OSError as error:
            raise SinkUnavailable(f"{self._path}: {error.strerror}") from error

    async def close(self) -> None:
        """Close the file."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _append(self, events: Sequence[Event]) -> None:
        if self._descriptor is None:
            self._descriptor = self._opened()
        lines = {_Line(event.id, event.revision): encode(event) for event in events}
        fresh = {line: text for line, text in lines.items() if line not in self._there}
        end = os.lseek(self._descriptor, 0, os.SEEK_END)
        try:
            _write(self._descriptor, b"".join(text + b"\n" for text in fresh.values()))
        except OSError:
            # Half a line must not stay, nor what a failed fsync may or may not have kept.
            os.ftruncate(self._descriptor, end)
            raise
        self._there.update(dict.fromkeys(fresh))
        for line in list(islice(self._there, max(0, len(self._there) - REMEMBERED))):
            del self._there[line]

    def _opened(self) -> int:
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._there = self._look_through(descriptor)
            sync_folder(self._path.parent)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _look_through(self, descriptor: int) -> dict[_Line, None]:
        """Return the events at the end of the file, and cut off a line that was never finished."""
        size = os.fstat(descriptor).st_size
        start = max(0, size - LOOKED_THROUGH)
        whole, newline, torn = os.pread(descriptor, size - start, start).rpartition(b"\n")
        lines = whole.split(b"\n")[1 if start else 0 :] if newline else []
        try:
            there = dict.fromkeys(map(_line, lines))
        except msgspec.MsgspecError as error:
            raise SinkUnavailable(f"{self._path} holds lines that are no events") from error
        if torn[: len(BEGINNING)] != BEGINNING[: len(torn)]:
            raise SinkUnavailable(f"{self._path} ends in what is no event")
        os.ftruncate(descriptor, size - len(torn))
        return there


def _write(descriptor: int, lines: bytes) -> None:
    left = memoryview(lines)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)
