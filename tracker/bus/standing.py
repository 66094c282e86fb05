"""How the bus does, in words: what the stream holds, who has it, and how far the store is."""

from collections.abc import Iterator

from tracker.bus import dead, durable, stream
from tracker.bus.address import Address
from tracker.bus.connection import Connection
from tracker.health import counted
from tracker.size import shown


async def standing(address: Address, follower: str) -> dict[str, str]:
    """Ask the bus of a stream and of the consumer that follows it. Raises BusUnavailable."""
    connection = await Connection.open(address, "tracker bus status")
    name = address.stream.name
    try:
        there = await stream.look(connection, name)
        if there is None:
            return {"stream": f"{name} isn't there yet: the first edge or consumer makes it"}
        follows = await durable.look(connection, name, follower)
        letters = await stream.look(connection, dead.graveyard(address.stream).name)
    finally:
        await connection.close()
    differs = "; it ".join(one.says for one in stream.compare(address.stream, there.config))
    return {
        "stream": f"{name}: it {differs}" if differs else f"{name}, as wanted",
        "holds": holds(there),
        "replicas": replicas(there),
        "store": _follows(follows),
        "set aside": counted(letters.state.messages if letters else 0, "dead letter"),
    }


def holds(there: stream.Found) -> str:
    """Say how much a stream holds, and of how much it may."""
    most = f" of {shown(there.config.max_bytes)}" if there.config.max_bytes > 0 else ""
    return f"{counted(there.state.messages, 'event')}, {shown(there.state.bytes)}{most}"


def replicas(there: stream.Found) -> str:
    """Say which servers have a stream, and whether they have all of it."""
    behind = list(_behind(there.cluster))
    led = f"led by {there.cluster.leader}" if there.cluster.leader else "without a leader"
    return "; ".join((f"{in_sync(there)} of {there.config.num_replicas} in sync, {led}", *behind))


def in_sync(there: stream.Found) -> int:
    """Count the replicas that have everything."""
    return there.config.num_replicas - len(list(_behind(there.cluster)))


def _behind(cluster: stream.Cluster) -> Iterator[str]:
    for one in cluster.replicas:
        if one.offline:
            yield f"{one.name} is away"
        elif not one.current:
            yield f"{one.name} is {counted(one.lag, 'event')} behind"


def _follows(follows: durable.Durable | None) -> str:
    if follows is None:
        return "no consumer has run yet"
    waiting = counted(follows.num_pending, "event")
    return f"{waiting} to be brought there, {follows.num_ack_pending} held by consumers"
