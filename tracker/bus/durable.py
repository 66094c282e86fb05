"""The durable consumer: what the bus remembers of what a store has, for all that feed that store.

In: a Connection and a name. Out: how far it is. Made where it is missing, compared where it is
there, never changed: somebody may have chosen otherwise for a reason.
"""

from typing import Final

import msgspec

from tracker.bus.connection import ApiError, BusUnavailable, Connection
from tracker.bus.stream import MADE_WITHIN, NANOSECONDS

NOT_FOUND: Final = 10014  # JetStream's number for a consumer that there isn't
ONE_ALONE: Final = frozenset({10099, 10100})  # and for a second one on a work queue
# Seconds after which what was neither stored nor asked time for goes to another consumer process.
ACK_WAIT: Final = 10
# Messages that all processes together may hold. Each holds some thousands; beyond this many the
# bus waits, so that a store that is away isn't offered the whole stream again and again.
MOST_HELD: Final = 50_000


class Config(msgspec.Struct, frozen=True):
    """What a consumer was made to be. Times are in nanoseconds."""

    ack_policy: str = "none"
    ack_wait: int = 0
    max_ack_pending: int = 0
    max_deliver: int = -1
    deliver_subject: str = ""
    filter_subject: str = ""


class Reached(msgspec.Struct, frozen=True):
    """A place in the stream."""

    stream_seq: int = 0


class Durable(msgspec.Struct, frozen=True):
    """A consumer as it is.

    `num_pending` weren't offered to anybody yet, `num_ack_pending` are held by a process, and
    `num_redelivered` of those were offered before. `num_waiting` processes wait for more.
    """

    name: str
    config: Config = Config()
    ack_floor: Reached = Reached()
    num_pending: int = 0
    num_ack_pending: int = 0
    num_redelivered: int = 0
    num_waiting: int = 0


async def look(connection: Connection, stream: str, name: str) -> Durable | None:
    """Return a consumer, None where there is none. Raises BusUnavailable."""
    try:
        return await connection.ask(f"CONSUMER.INFO.{stream}.{name}", None, Durable)
    except ApiError as error:
        if error.code == NOT_FOUND:
            return None
        raise


async def ensure(connection: Connection, stream: str, name: str) -> Durable:
    """Return a consumer that nothing gets lost by, made if it is missing. Raises BusUnavailable."""
    found = await look(connection, stream, name) or await _make(connection, stream, name)
    if wrong := _wrong(found.config):
        raise BusUnavailable(
            f"the consumer {name} of the stream {stream} {wrong}: choose another consume.durable,"
            f" or 'nats consumer rm {stream} {name}' has it made anew"
        )
    return found


def _wrong(config: Config) -> str:
    """Tell what of a consumer would lose events."""
    if config.deliver_subject:
        return "is one that messages are pushed to"
    if config.ack_policy != "explicit":
        return f"takes no acknowledgement of each message (ack_policy: {config.ack_policy})"
    if config.max_deliver > 0:
        return f"gives up after {config.max_deliver} deliveries"
    return ""


async def _make(connection: Connection, stream: str, name: str) -> Durable:
    question = {
        "stream_name": stream,
        "config": {
            "durable_name": name,
            "ack_policy": "explicit",
            "ack_wait": ACK_WAIT * NANOSECONDS,
            "max_ack_pending": MOST_HELD,
            "max_deliver": -1,
            "deliver_policy": "all",
        },
    }
    try:
        what = f"CONSUMER.DURABLE.CREATE.{stream}.{name}"
        return await connection.ask(what, question, Durable, MADE_WITHIN)
    except ApiError as error:
        if found := await look(connection, stream, name):
            return found  # another process was quicker
        if error.code in ONE_ALONE:
            raise BusUnavailable(
                f"the stream {stream} is a work queue and has another consumer already: several"
                " stores want a stream with retention=limits"
            ) from error
        raise BusUnavailable(f"the consumer {name} can't be made: {error}") from error
