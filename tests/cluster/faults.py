"""What can happen to an installation, each from its beginning to when it is over.

A fault is a function of the topology and the load that is on it meanwhile. It looks at what has to
go on all the same, and mends nothing but what it broke: the rest recovers by itself.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Final

from tests.cluster.load import Load
from tests.cluster.part import Part
from tests.cluster.topology import STREAM, Topology
from tests.patience import wait_for
from tracker.bus.address import Address
from tracker.bus.connection import BusUnavailable, Connection

IN_HANDS: Final = 20  # events; so many aren't all on their way at once

Fault = Callable[[Topology, Load], None]


class NotHere(Exception):
    """What a fault takes isn't to be had here; says what."""


def the_leader_of_the_stream_is_killed(topology: Topology, load: Load) -> None:
    leader = topology.bus.leader(STREAM)
    leader.kill()
    topology.stores_more()
    leader.start()
    load.goes_on()


def two_nodes_of_the_bus_stop(topology: Topology, load: Load) -> None:
    first, second, _ = topology.bus.nodes
    first.stop()
    second.stop()
    load.goes_on()
    first.start()
    second.start()


def the_stream_is_full(topology: Topology, load: Load) -> None:
    says = f"the stream {STREAM} takes nothing: maximum bytes exceeded"
    topology.stores_more()
    for edge in topology.edges:
        edge.forget()
    with _full(topology):
        wait_for(
            lambda: any(edge.logged("sink_unavailable", reason=says) for edge in topology.edges),
            "an edge to say that the stream takes nothing",
        )
        load.goes_on()
    topology.stores_more()


def a_consumer_is_killed_with_events_in_hand(topology: Topology, load: Load) -> None:
    network = topology.networks[1]
    topology.stores_more()
    _in_hands(topology)
    first, _ = topology.consumers
    first.kill()
    network.store.heal()
    topology.stores_more()
    first.start()


def acknowledgements_are_lost_of_what_was_stored(topology: Topology, load: Load) -> None:
    network = topology.networks[1]
    topology.stores_more()
    _in_hands(topology)
    for proxy in network.bus:
        proxy.hang()
    network.store.heal()
    topology.stores_more(1)
    for proxy in network.bus:
        proxy.cut()
    load.goes_on()
    for proxy in network.bus:
        proxy.heal()


def the_edges_lose_the_bus(topology: Topology, load: Load) -> None:
    topology.stores_more()  # whoever has yet to try again would notice nothing
    with _noticed(topology.edges, "sink_unavailable", sink="bus"):
        for proxy in topology.networks[0].bus:
            proxy.cut()
    load.goes_on()
    for proxy in topology.networks[0].bus:
        proxy.heal()


def the_bus_hangs_until_an_edge_gives_it_up(topology: Topology, load: Load) -> None:
    first, _ = topology.edges
    first.forget()
    for proxy in topology.networks[0].bus:
        proxy.hang()
    first.until("sink_unavailable", sink="bus")
    load.goes_on()
    for proxy in topology.networks[0].bus:
        proxy.heal()


def the_consumers_lose_the_store(topology: Topology, load: Load) -> None:
    topology.stores_more()
    with _noticed(topology.consumers, "consume_unavailable", end="store"):
        topology.networks[1].store.cut()
    load.goes_on()
    topology.networks[1].store.heal()


def the_store_hangs_for_a_moment(topology: Topology, load: Load) -> None:
    for network in topology.networks:
        network.store.hang()
    load.goes_on()
    for network in topology.networks:
        network.store.heal()


def the_store_hangs_until_a_consumer_gives_it_up(topology: Topology, load: Load) -> None:
    first, _ = topology.consumers
    first.forget()
    topology.networks[1].store.hang()
    first.until("consume_unavailable", 60, end="store")
    load.goes_on()
    topology.networks[1].store.heal()


def the_store_is_killed(topology: Topology, load: Load) -> None:
    topology.store.kill()
    load.goes_on()
    topology.store.start()


def the_disk_of_the_store_is_full(topology: Topology, load: Load) -> None:
    if topology.disk is None:
        raise NotHere("mounting a file system, to fill it up, takes root")
    topology.stores_more()
    for consumer in topology.consumers:
        consumer.forget()
    topology.disk.fill()
    wait_for(
        lambda: any(
            consumer.logged("consume_unavailable", end="store") for consumer in topology.consumers
        ),
        "a consumer to say that the store takes nothing",
    )
    load.goes_on()
    topology.disk.free()


def workers_and_offices_are_killed(topology: Topology, load: Load) -> None:
    for edge in topology.edges:
        assert edge.kill_children() == 2
        load.goes_on()


def a_machine_goes_down_and_comes_back_while_the_store_is_away(
    topology: Topology, load: Load
) -> None:
    first, _ = topology.edges
    topology.store.kill()
    first.kill()
    first.start()
    first.until("worker_started")
    load.goes_on()
    topology.store.start()


def everything_is_killed_and_started_again(topology: Topology, load: Load) -> None:
    for part in topology.parts:
        part.kill()
    for node in topology.bus.nodes:
        node.kill()
    topology.store.kill()
    starts = [part.start for part in topology.parts]
    starts += [node.start for node in topology.bus.nodes]
    starts.append(topology.store.start)
    Random(load.answered).shuffle(starts)
    for start in starts:
        start()
    load.goes_on()


def _in_hands(topology: Topology) -> None:
    """Have the store hang, until consumers hold events that they can't store.

    What the bus says that they hold may be on its way to them, or be stored already: only where it
    grows meanwhile is there something that came since.
    """
    topology.networks[1].store.hang()
    enough = topology.held() + IN_HANDS
    wait_for(lambda: topology.held() >= enough, "consumers to hold events")


@contextmanager
def _noticed(parts: Sequence[Part], event: str, **facts: object) -> Iterator[None]:
    """Wait until one of the parts has logged what the block brings about."""
    for part in parts:
        part.forget()
    yield
    wait_for(
        lambda: any(part.logged(event, **facts) for part in parts), f"{event} {facts} to be logged"
    )


@contextmanager
def _full(topology: Topology) -> Iterator[None]:
    """Have the stream take nothing more, as where its `max_bytes` are reached."""
    where = Address.of(f"//{topology.bus.hosts}/{STREAM}", {}, {})

    async def bound(most: int) -> bool:
        with suppress(BusUnavailable):
            connection = await Connection.open(where, "test")
            try:
                found = await connection.ask(f"STREAM.INFO.{STREAM}", None, dict)
                wanted = {**found["config"], "max_bytes": most}
                await connection.ask(f"STREAM.UPDATE.{STREAM}", wanted, dict)
                return True
            finally:
                await connection.close()
        return False

    try:
        wait_for(lambda: asyncio.run(bound(1)), "the stream to be full")
        yield
    finally:
        wait_for(lambda: asyncio.run(bound(-1)), "the stream to have room")


# Where nothing that answers recipients dies. What was held comes again while a leader is chosen.
BEHIND_THE_EDGES: Final[tuple[Fault, ...]] = (
    the_stream_is_full,
    a_consumer_is_killed_with_events_in_hand,
    acknowledgements_are_lost_of_what_was_stored,
    the_leader_of_the_stream_is_killed,
)
# What hangs comes first: whoever was cut off often waits longer before they try again.
BETWEEN: Final[tuple[Fault, ...]] = (
    the_bus_hangs_until_an_edge_gives_it_up,
    the_edges_lose_the_bus,
    the_consumers_lose_the_store,
    the_store_hangs_for_a_moment,
)
OF_THE_STORE: Final[tuple[Fault, ...]] = (the_store_is_killed, the_disk_of_the_store_is_full)
# Where some recipients are told nothing, since who should have told them is dead.
OF_THE_EDGES: Final[tuple[Fault, ...]] = (
    workers_and_offices_are_killed,
    a_machine_goes_down_and_comes_back_while_the_store_is_away,
    everything_is_killed_and_started_again,
)
# What a test has no time for.
SLOW: Final[tuple[Fault, ...]] = (
    two_nodes_of_the_bus_stop,
    the_store_hangs_until_a_consumer_gives_it_up,
)
ALL: Final = BEHIND_THE_EDGES + BETWEEN + OF_THE_STORE + OF_THE_EDGES + SLOW
