"""Servers that a whole session of tests shares, as fixtures; `tests/conftest.py` imports them.

Each worker of pytest-xdist is a session of its own. A test skips, and says what to install, where
a server is missing.
"""

from collections.abc import Iterator

import pytest

from tests.servers import nats as nats_servers
from tests.servers import postgresql
from tests.servers.nats import Nats
from tests.servers.postgresql import Postgres
from tests.servers.stores import (
    migrated_databases,
    migrated_file,
    patient_with_servers,
    store_url,
)

__all__ = [
    "migrated_databases",
    "migrated_file",
    "nats",
    "patient_with_servers",
    "postgres",
    "postgres_url",
    "store_url",
]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Run a server for all tests; who stops or breaks one takes `postgresql.running`."""
    try:
        with postgresql.running() as server:
            yield server
    except postgresql.Missing as error:
        pytest.skip(f"NO POSTGRESQL TO TEST WITH: {error}")


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """Make an empty database for one test; give its URL."""
    url = postgres.fresh()
    yield url
    postgres.drop(url)


@pytest.fixture(scope="session")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nats]:
    """Run one node for all tests, each with a stream of its own; who ends it takes `running`."""
    try:
        with nats_servers.running(tmp_path_factory.mktemp("nats")) as server:
            yield server
    except nats_servers.Missing as error:
        pytest.skip(f"NO NATS TO TEST WITH: {error}")
