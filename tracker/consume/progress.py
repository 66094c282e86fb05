"""How consuming goes: what health and metrics tell of it. Numbers of this process, in memory."""

from dataclasses import dataclass, field

from tracker.bus.durable import Durable
from tracker.bus.stream import Found


@dataclass(slots=True)
class Part:
    """One of the two ends: what troubles it, and for how many seconds it is left alone then."""

    trouble: str = ""
    retry_in: float = 0.0
    failures: int = 0
    in_a_row: int = 0

    def fail(self, trouble: str, retry_in: float) -> bool:
        """Note a failure; tell whether it is another one than before."""
        news = trouble != self.trouble
        self.trouble, self.retry_in = trouble, retry_in
        self.failures += 1
        self.in_a_row += 1
        return news

    def recover(self) -> bool:
        """Note a success; tell whether there was trouble before."""
        news = bool(self.trouble)
        self.trouble, self.retry_in, self.in_a_row = "", 0.0, 0
        return news


@dataclass(slots=True)
class Progress:
    """What this process has done, and what the bus said last.

    `behind` is how many seconds the newest event that was stored had waited on the bus.
    """

    bus: Part = field(default_factory=Part)
    store: Part = field(default_factory=Part)
    host: str = ""  # where it is connected to; empty while it isn't
    events: int = 0
    batches: int = 0
    dead_letters: int = 0
    late: int = 0  # events that came behind the erasure of their recipients, and weren't stored
    seconds: float = 0.0  # spent in the store
    behind: float = 0.0
    durable: Durable | None = None
    stream: Found | None = None

    def took(self, events: int, seconds: float, behind: float) -> None:
        """Note that the store took events."""
        self.events += events
        self.batches += 1
        self.seconds += seconds
        self.behind = behind
