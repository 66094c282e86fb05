"""The worker: what it tells of itself in its stream, read from the files alone.

In: a stream. Out: how its worker does, and what it has counted.
"""

from typing import Final

from tracker import counters
from tracker.counters import Counter
from tracker.health import WorkerFacts
from tracker.reader import Stream

# What a worker tells of itself, which makes no sense as a sum.
STATES: Final = frozenset((Counter.STARTED_AT, Counter.TOLD_AT, Counter.FAILING))
TORN: Final = "TORN_BYTES"  # counted once it is gone, beside what it counted


def facts(stream: Stream) -> WorkerFacts:
    """Tell how a worker does."""
    told = counters.read(stream.folder)
    return WorkerFacts(
        alive=stream.alive(), told_at=told[Counter.TOLD_AT], failing=bool(told[Counter.FAILING])
    )


def counted(stream: Stream) -> dict[str, int]:
    """Return what a worker has counted, by the counter's name."""
    return {
        counter.name: value
        for counter, value in counters.read(stream.folder).items()
        if counter not in STATES
    }
