import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.certs.issuing.world import Shared, World, serving_https
from tests.servers import dns, pebble
from tests.servers.answers import answering
from tests.servers.pebble import PEBBLE, PEBBLE_UNSTABLE, Missing


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One CA, one resolver and one web server for all tests: each test has a name of its own."""
    zone = dns.Zone()
    zone.add("edge.test", "A", "127.0.0.1")
    folder = tmp_path_factory.mktemp("pebble")
    server = PEBBLE_UNSTABLE if PEBBLE_UNSTABLE.program.exists() else PEBBLE
    with dns.serving(zone) as resolver, answering() as answers:
        try:
            with pebble.running(
                folder,
                resolver.address,
                http_port=answers.http_port,
                tls_port=answers.tls_port,
                server=server,
            ) as ca:
                yield Shared(zone, resolver, answers, ca)
        except Missing as error:
            pytest.skip(f"NO CA TO TEST WITH: {error}")


@pytest.fixture
async def world(shared: Shared, tmp_path: Path) -> AsyncIterator[World]:
    name = f"click.d{secrets.token_hex(4)}.test"
    shared.zone.add(name, "CNAME", "edge.test")
    made = World(shared, shared.facts(), tmp_path, name)
    async with serving_https(made, shared):
        yield made
