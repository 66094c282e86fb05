"""Sinks: the places that events go to.

A sink is small. It takes a batch, keeps it, and returns; waiting, retrying, remembering how far it
has come and setting aside what it refuses are done by the forwarder, alike for every sink.
"""

from collections.abc import Sequence
from typing import Protocol

from tracker.event import Event


class SinkUnavailable(Exception):
    """The sink can't take events now; the same batch is offered again. The message says why."""


class EventRefused(Exception):
    """Something in the batch can never be taken. The message says why.

    A sink needn't tell which event it was: it is offered smaller and smaller parts of the batch
    until the one that it refuses stands alone and goes to the dead letters.
    """


class Sink(Protocol):
    """Where events go.

    `name` tells the sinks of one installation apart and stays the same over restarts.
    """

    @property
    def name(self) -> str:
        """What the sink is called in positions, metrics and logs."""

    async def deliver(self, events: Sequence[Event]) -> None:
        """Take events, and return only once all of them are safe there.

        The same event may come again after a crash and is then kept once; the same id with a
        higher `revision` replaces what is there. One call at a time. Raises SinkUnavailable, after
        which any part of the batch may have been taken, or EventRefused. A call that takes too long
        is cancelled.
        """

    async def close(self) -> None:
        """Let go of connections and files; no call follows."""
