"""Progress: how the forwarder of one sink does, for metrics and health."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tracker.event import Event, Geolocation

UNKNOWN: Final = Geolocation().country


@dataclass(slots=True)
class Progress:
    """What has come of a forwarder's work. Counts begin with the process."""

    events: Counter[str] = field(default_factory=Counter)  # acknowledged, by kind
    without_place: int = 0
    failures: int = 0
    in_a_row: int = 0  # failures since it last took something
    trouble: str = ""
    retry_in: float = 0.0
    paused: bool = False
    waiting_since: dict[str, int] = field(default_factory=dict)  # by stream: its oldest hit's `at`
    unreadable: set[str] = field(default_factory=set)  # streams

    def acknowledge(self, events: Iterable[Event]) -> None:
        """Count what the sink has kept."""
        for event in events:
            self.events[event.event] += 1
            self.without_place += event.geolocation.country == UNKNOWN

    def lag(self, now: float) -> float:
        """Return for how many seconds the oldest hit that was read has waited for the sink."""
        return max((now - at / 1e6 for at in self.waiting_since.values()), default=0.0)
