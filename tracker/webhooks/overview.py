"""The overview: how webhooks are, as far as an office knows from its own memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracker.store.webhook_queue import Waiting
from tracker.store.webhooks import Hook


@dataclass(frozen=True, slots=True)
class Overview:
    """How webhooks are, from memory. `at` is in Unix seconds; `posted` counts by outcome."""

    at: float = 0
    trouble: str = ""
    hooks: Sequence[Hook] = ()
    waiting: Mapping[int, Waiting] = field(default_factory=dict)
    posted: Mapping[str, int] = field(default_factory=dict)
