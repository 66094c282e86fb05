"""Opening: from the sinks of the settings to sinks that take events.

Each kind's module is loaded only if it is used: an installation that writes to a file alone loads
no client of a broker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module

from tracker.sinks import Sink
from tracker.sinks.known import KNOWN
from tracker.sinks.url import SinkUrl
from tracker.store.database import Store


@dataclass(frozen=True, slots=True)
class Opened:
    """What is open already, and a sink may use. Whoever opened it closes it.

    `allow` are networks that webhooks may lead to though they aren't public.
    """

    store: Store
    allow: Sequence[str] = ()


def sinks(urls: Sequence[SinkUrl], opened: Opened) -> list[Sink]:
    """Return the sinks, none of which has reached out yet. Raises Mistake."""
    return [_sink(url, opened) for url in urls]


def _sink(url: SinkUrl, opened: Opened) -> Sink:
    sink: Sink = import_module(KNOWN[url.scheme].module).sink(url, opened)
    return sink
