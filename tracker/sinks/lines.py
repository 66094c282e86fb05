"""Lines: events as lines of JSON, and which of them are there already."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

import msgspec

from tracker.event import Event, encode

REMEMBERED: Final = 100_000  # events; a batch has at most a few thousand
BEGINNING: Final = b'{"event":'  # of every line


class Line(msgspec.Struct, frozen=True):
    """What tells an event from every other."""

    id: str
    revision: int = 0


read = msgspec.json.Decoder(Line).decode


class Seen:
    """The lines that were written last."""

    def __init__(self) -> None:
        self._lines: dict[Line, None] = {}  # in the order in which they came

    def fresh(self, events: Sequence[Event]) -> dict[Line, bytes]:
        """Return the lines of those events that aren't there."""
        lines = {Line(event.id, event.revision): event for event in events}
        return {
            line: encode(event) + b"\n" for line, event in lines.items() if line not in self._lines
        }

    def add(self, lines: Iterable[Line]) -> None:
        """Remember lines that were written."""
        self._lines.update(dict.fromkeys(lines))
        for line in list(islice(self._lines, max(0, len(self._lines) - REMEMBERED))):
            del self._lines[line]
