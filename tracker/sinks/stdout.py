"""Standard output as a sink: one line of JSON for each event, for whatever reads the pipe."""

import asyncio
import sys
from collections.abc import Sequence
from typing import BinaryIO

from tracker.event import Event, encode
from tracker.sinks import SinkUnavailable
from tracker.sinks.opening import Opened
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

    async def deliver(self, events: Sequence[Event]) -> None:
        """Write a batch. Raises SinkUnavailable if nobody reads."""
        try:
            await asyncio.to_thread(self._write, b"".join(encode(one) + b"\n" for one in events))
        except OSError as error:
            raise SinkUnavailable(f"standard output: {error.strerror}") from error

    async def close(self) -> None:
        """Do nothing: standard output isn't this sink's own."""

    def _write(self, lines: bytes) -> None:
        self._stream.write(lines)
        self._stream.flush()
