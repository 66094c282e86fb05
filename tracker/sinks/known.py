"""What each kind of sink is called in the settings, how it is written, and what it can be told.

This is data, and what checks it: a sink's own module, and the libraries it needs, are loaded only
where such a sink is used.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracker.bus import address as bus
from tracker.sinks.rotation import Rotation, compression, kept

# A check returns what an option stands for, else raises ValueError: "should be …".
Check = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Known:
    """A kind of sink.

    `module` has a function `sink(url, opened)` that makes one. `address` is what may follow the
    scheme's name, its colon included. `needs` names, for some parameters, another one without
    which they make no sense.
    """

    module: str
    example: str
    address: re.Pattern[str] = re.compile("")
    checks: Mapping[str, Check] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)


def batch(text: str) -> int:
    """Read how many events go into one request of a webhook."""
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MOST_BATCH):
        raise ValueError(f"should be a number from 1 to {MOST_BATCH}")
    return int(text)


MOST_BATCH: Final = 500
WEBHOOK: Final = Known(
    "tracker.sinks.webhook",
    "https://app.example.com/events",
    re.compile(r"://[^\s@/]+(/\S*)?"),
    {"batch": batch},
)

KNOWN: Final[Mapping[str, Known]] = {
    "store": Known("tracker.sinks.store", "store"),
    "stdout": Known("tracker.sinks.stdout", "stdout"),
    "file": Known(
        "tracker.sinks.file",
        "file:/path/of/events.jsonl",
        re.compile(r":(//)?/[^/].*|:[^/].*"),
        {"rotate": Rotation.parse, "compress": compression, "keep": kept},
        {"compress": "rotate", "keep": "rotate"},
    ),
    "https": WEBHOOK,
    "http": WEBHOOK,
    "nats": Known("tracker.sinks.nats", bus.EXAMPLE, bus.WRITTEN, bus.CHECKS),
}
