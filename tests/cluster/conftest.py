from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cluster.topology import Topology, standing
from tests.servers import nats, postgresql


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Have one process run all of these: two installations at once would crowd a small machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("cluster"))


# Not for the session: what idles beside other tests takes a third of a core from them.
@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Topology]:
    try:
        with standing(tmp_path_factory.mktemp("cluster")) as topology:
            yield topology
    except (nats.Missing, postgresql.Missing) as error:
        pytest.skip(f"NO CLUSTER TO BREAK: {error}")


@pytest.fixture
def topology(installation: Topology) -> Iterator[Topology]:
    """Give an installation that is whole, and leave it so."""
    yield installation
    installation.mend()
