"""Standard output as a sink: one line of JSON for each event, for whatever reads the pipe."""

import asyncio
import sys
from collections.abc import Sequence
from typing import BinaryIO

from tracker.event import Event
from tracker.sinks import SinkUnavailable
from tracker.sinks.lines import Seen
from tracker.sinks.opening import Opened
from tracker.sinks.thread import OwnThread, StillBusy
from tracker.sinks.url import SinkUrl


def sink(url: SinkUrl, _: Opened) -> "StdoutSink":
    """Make the sink of a URL."""
    return StdoutSink(name=url.name)


class StdoutSink:
    """Events go down a pipe, which can't tell what it already had: after a crash lines may repeat.

    Whoever must have each event once tells them apart by `id` and `revision`.
    """

    def __init__(self, stream: BinaryIO | None = None, *, name: str = "stdout") -> None:
        self.name = name
        self._stream = stream or sys.stdout.buffer
        self._seen = Seen()
        self._thread = OwnThread(name)

    async def deliver(self, events: Sequence[Event]) -> None:
        """Write a batch. Raises SinkUnavailable if nobody reads."""
        try:
            await self._thread.call(lambda: self._write(events))
        except StillBusy as error:
            raise SinkUnavailable("standard output: nobody reads on") from error
        except OSError as error:
            raise SinkUnavailable(f"standard output: {error.strerror}") from error

    async def close(self) -> None:
        """Leave standard output open: it isn't this sink's own."""
        await asyncio.to_thread(self._thread.close)

    def _write(self, events: Sequence[Event]) -> None:
        fresh = self._seen.fresh(events)
        self._stream.write(b"".join(fresh.values()))
        self._stream.flush()
        self._seen.add(fresh)
