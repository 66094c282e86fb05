"""What each kind of sink is called in the settings, how it is written, and what it can be told.

This is data, and what checks it: a sink's own module, and the libraries it needs, are loaded only
where such a sink is used.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tracker.bus import address as bus

# A check returns what an option stands for, else raises ValueError: "should be …".
Check = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Known:
    """A kind of sink.

    `module` has a function `sink(url, opened)` that makes one. `address` is what may follow the
    scheme's name, its colon included.
    """

    module: str
    example: str
    address: re.Pattern[str] = re.compile("")
    checks: Mapping[str, Check] = field(default_factory=dict)


KNOWN: Final[Mapping[str, Known]] = {
    "store": Known("tracker.sinks.store", "store"),
    "stdout": Known("tracker.sinks.stdout", "stdout"),
    "file": Known(
        "tracker.sinks.file", "file:/path/of/events.jsonl", re.compile(r":(//)?/[^/].*|:[^/].*")
    ),
    "nats": Known("tracker.sinks.nats", bus.EXAMPLE, bus.WRITTEN, bus.CHECKS),
}
