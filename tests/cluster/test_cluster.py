"""What was answered is stored exactly once, whichever part of an installation breaks meanwhile."""

import warnings

import pytest

from tests.cluster.books import Balance
from tests.cluster.faults import BEHIND_THE_EDGES, BETWEEN, OF_THE_EDGES, OF_THE_STORE, NotHere
from tests.cluster.load import KINDS
from tests.cluster.topology import Topology

ROUNDS = {
    "what_is_behind_the_edges_dies": BEHIND_THE_EDGES,
    "connections_break": BETWEEN,
    "the_store_fails": OF_THE_STORE,
    "edges_die": OF_THE_EDGES,
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize("happening", ROUNDS)
def test_every_answer_is_stored_once_when(happening: str, topology: Topology) -> None:
    faults = ROUNDS[happening]
    with topology.load() as load:
        for fault in faults:
            try:
                fault(topology, load)
            except NotHere as error:
                warnings.warn(f"{fault.__name__} WAS NOT TRIED: {error}", stacklevel=1)
    assert load.refused == {}
    assert {visit.kind for visit in load.done} == set(KINDS)
    assert faults == OF_THE_EDGES or load.cut_off == set()
    topology.arrived(load.done)
    assert topology.books.balance(load) == Balance()
