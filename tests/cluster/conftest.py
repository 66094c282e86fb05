from collections.abc import Iterator

import pytest

from tests.cluster.topology import Topology, standing
from tests.servers import nats, postgresql


@pytest.fixture(scope="session")
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
