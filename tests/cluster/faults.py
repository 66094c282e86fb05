"""What can happen to an installation, each from its beginning to when it is over.

A fault is a function of the topology and the load that is on it meanwhile. It looks at what has to
go on all the same, and mends nothing but what it broke: the rest recovers by itself.
"""

from collections.abc import Callable
from random import Random
from typing import Final

import pytest

from tests.cluster.load import Load
from tests.cluster.topology import STREAM, Topology

Fault = Callable[[Topology, Load], None]


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
    load.goes_on(200)
    first.start()
    second.start()


def a_consumer_is_killed(topology: Topology, load: Load) -> None:
    first, _ = topology.consumers
    first.kill()
    topology.stores_more()
    first.start()


def workers_and_offices_are_killed(topology: Topology, load: Load) -> None:
    for edge in topology.edges:
        assert edge.kill_children() == 2
        load.goes_on()


def a_machine_goes_down_and_comes_back(topology: Topology, load: Load) -> None:
    first, _ = topology.edges
    first.kill()
    topology.stores_more()
    first.start()
    load.goes_on()


def the_edges_lose_the_bus(topology: Topology, load: Load) -> None:
    for proxy in topology.networks[0].bus:
        proxy.cut()
    load.goes_on(200)
    for proxy in topology.networks[0].bus:
        proxy.heal()


def the_bus_hangs_for_the_edges(topology: Topology, load: Load) -> None:
    for proxy in topology.networks[0].bus:
        proxy.hang()
    load.goes_on(200)
    for proxy in topology.networks[0].bus:
        proxy.heal()


def the_consumers_lose_the_store(topology: Topology, load: Load) -> None:
    topology.networks[1].store.cut()
    load.goes_on(200)
    topology.networks[1].store.heal()


def the_store_hangs_for_the_consumers(topology: Topology, load: Load) -> None:
    topology.networks[1].store.hang()
    load.goes_on(200)
    topology.networks[1].store.heal()


def the_store_is_killed(topology: Topology, load: Load) -> None:
    topology.store.kill()
    load.goes_on(400)
    topology.store.start()


def the_disk_of_the_store_is_full(topology: Topology, load: Load) -> None:
    if topology.disk is None:
        pytest.skip("NO DISK TO FILL: mounting a file system takes root")
    topology.disk.fill()
    load.goes_on(400)
    topology.disk.free()


def everything_is_killed_and_started_again(topology: Topology, load: Load) -> None:
    for part in topology.parts:
        part.kill()
    for node in topology.bus.nodes:
        node.kill()
    topology.store.kill()
    starts = [part.start for part in topology.parts]
    starts += [node.start for node in topology.bus.nodes]
    starts.append(topology.store.start)
    Random(load.answered).shuffle(starts)  # noqa: S311 - an order, no secret
    for start in starts:
        start()
    load.goes_on()


FAULTS: Final[tuple[Fault, ...]] = (
    the_leader_of_the_stream_is_killed,
    two_nodes_of_the_bus_stop,
    a_consumer_is_killed,
    workers_and_offices_are_killed,
    a_machine_goes_down_and_comes_back,
    the_edges_lose_the_bus,
    the_bus_hangs_for_the_edges,
    the_consumers_lose_the_store,
    the_store_hangs_for_the_consumers,
    the_store_is_killed,
    the_disk_of_the_store_is_full,
    everything_is_killed_and_started_again,
)
# After these, some recipients were told nothing, since who should have told them was dead.
CUTTING_OFF: Final = frozenset(
    {
        workers_and_offices_are_killed,
        a_machine_goes_down_and_comes_back,
        everything_is_killed_and_started_again,
    }
)
