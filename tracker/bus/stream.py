"""The stream: made where it is missing, compared where it is there, never changed.

In: a Connection and what is Wanted. Out: what the stream says of itself, and how it differs from
what was asked for. A stream that would lose events is refused.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from tracker.bus.address import Wanted, spoken
from tracker.bus.connection import ApiError, BusUnavailable, Connection
from tracker.bus.message import subjects
from tracker.size import written

NANOSECONDS: Final = 1_000_000_000
# JetStream's numbers of what it refuses.
NOT_FOUND: Final = 10059
NAME_IN_USE: Final = 10058
SINGLE_SERVER: Final = 10074  # which can't hold several replicas, and never will
TOO_FEW_SERVERS: Final = 10005  # in a cluster, at present
MADE_WITHIN: Final = 5.0  # seconds
LED_WITHIN: Final = 5.0  # seconds until replicas have chosen who leads them
LOOK_EVERY: Final = 0.1
REPLICAS: Final = 3  # where nothing was asked for

logger = logging.getLogger(__name__)


class Config(msgspec.Struct, frozen=True):
    """What a stream was made to be. Times are in nanoseconds; -1 and 0 are no bound."""

    name: str
    subjects: list[str] = []
    retention: str = "limits"
    storage: str = "file"
    discard: str = "old"
    num_replicas: int = 1
    max_bytes: int = -1
    max_msgs: int = -1
    max_age: int = 0
    duplicate_window: int = 0


class State(msgspec.Struct, frozen=True):
    """What a stream holds."""

    messages: int = 0
    bytes: int = 0
    first_seq: int = 0
    last_seq: int = 0
    first_ts: str = ""
    consumer_count: int = 0


class Replica(msgspec.Struct, frozen=True):
    """A copy of a stream beside its leader's."""

    name: str
    current: bool = False
    offline: bool = False
    lag: int = 0


class Cluster(msgspec.Struct, frozen=True):
    """Which servers have a stream."""

    leader: str = ""
    replicas: list[Replica] = []


class Found(msgspec.Struct, frozen=True):
    """A stream as it is."""

    config: Config
    state: State = State()
    cluster: Cluster = Cluster()


@dataclass(frozen=True, slots=True)
class Differs:
    """How a stream isn't what was wanted. A `fatal` difference would lose events."""

    says: str
    fatal: bool = False


async def ensure(connection: Connection, wanted: Wanted) -> Found:
    """Return the stream, made if it is missing. Raises BusUnavailable, for one that loses events.

    What else isn't as a person asked for is logged.
    """
    found = await look(connection, wanted.name)
    if found is None:
        found = await _make(connection, wanted)
        await _led(connection, wanted.name)
    differences = list(compare(wanted, found.config))
    if fatal := [one.says for one in differences if one.fatal]:
        raise BusUnavailable(f"the stream {wanted.name} can't be used: it {'; it '.join(fatal)}")
    if differences:
        told = {"stream": wanted.name, "it": "; it ".join(one.says for one in differences)}
        logger.warning("stream_differs", extra=told)
    return found


async def look(connection: Connection, name: str) -> Found | None:
    """Return a stream, None where there is none. Raises BusUnavailable."""
    try:
        return await connection.ask(f"STREAM.INFO.{name}", None, Found)
    except ApiError as error:
        if error.code == NOT_FOUND:
            return None
        raise


def compare(wanted: Wanted, config: Config) -> Iterator[Differs]:
    """Tell how a stream differs: each says what it does, and what would be right."""
    subject = subjects(wanted.prefix)
    if not {subject, ">"} & set(config.subjects):
        taken = ", ".join(config.subjects) or "nothing"
        yield Differs(f"takes {taken}, not {subject}: see the parameter subject", fatal=True)
    if config.storage != "file":
        yield Differs("is kept in memory, and gone after a restart: make it anew", fatal=True)
    if config.retention == "interest":
        yield Differs("drops what nobody consumes yet (retention: interest)", fatal=True)
    bounded = config.max_bytes > 0 or config.max_msgs > 0
    if bounded and config.discard != "new":
        yield Differs(
            "drops the oldest events when it is full: 'nats stream edit"
            f" {config.name} --discard new' has it refuse new ones",
            fatal=True,
        )
    for name, (value, there) in _comparable(wanted, config).items():
        if name in wanted.asked and value != there:
            yield Differs(f"has {name}={there}, where {name}={value} was asked for")


def _comparable(wanted: Wanted, config: Config) -> Mapping[str, tuple[object, object]]:
    """Return each parameter, as it was wanted and as it is there."""
    age, window = config.max_age // NANOSECONDS, config.duplicate_window // NANOSECONDS
    return {
        "replicas": (wanted.replicas, config.num_replicas),
        "retention": (wanted.retention, config.retention),
        "max_bytes": (written(wanted.max_bytes), written(max(config.max_bytes, 0))),
        "max_age": (spoken(wanted.max_age), spoken(age)),
        "duplicates": (spoken(wanted.duplicates), spoken(window)),
    }


async def _make(connection: Connection, wanted: Wanted) -> Found:
    """Make a stream, on a server that is no cluster with the one replica that it can hold."""
    replicas = wanted.replicas or REPLICAS
    try:
        return await _created(connection, wanted, replicas)
    except ApiError as error:
        if error.code == SINGLE_SERVER and replicas > 1:
            return await _created(connection, wanted, 1)
        if error.code == NAME_IN_USE and (found := await look(connection, wanted.name)):
            return found  # another edge was quicker, with other parameters
        # One replica instead would be for ever, and a server may just be starting.
        few = f": there are fewer than {replicas} servers at present; or say replicas=1"
        raise BusUnavailable(
            f"the stream {wanted.name} can't be made: {error}"
            f"{few if error.code == TOO_FEW_SERVERS else ''}"
        ) from error


async def _led(connection: Connection, name: str) -> None:
    """Wait until a stream that was made takes messages. Raises BusUnavailable."""
    deadline = asyncio.get_running_loop().time() + LED_WITHIN
    while (found := await look(connection, name)) is None or not found.cluster.leader:
        if asyncio.get_running_loop().time() > deadline:
            raise BusUnavailable(f"the stream {name} has no leader within {LED_WITHIN:g} s")
        await asyncio.sleep(LOOK_EVERY)


async def _created(connection: Connection, wanted: Wanted, replicas: int) -> Found:
    question = _config(wanted, replicas)
    made = await connection.ask(f"STREAM.CREATE.{wanted.name}", question, Found, MADE_WITHIN)
    logger.info("stream_made", extra={"stream": wanted.name, "replicas": replicas})
    return made


def _config(wanted: Wanted, replicas: int) -> dict[str, Any]:
    return {
        "name": wanted.name,
        "subjects": [subjects(wanted.prefix)],
        "retention": wanted.retention,
        "storage": "file",
        # A full stream refuses, so that events wait in the spools; it must never drop the oldest.
        "discard": "new",
        "num_replicas": replicas,
        "max_bytes": wanted.max_bytes or -1,
        "max_age": wanted.max_age * NANOSECONDS,
        "duplicate_window": wanted.duplicates * NANOSECONDS,
    }
