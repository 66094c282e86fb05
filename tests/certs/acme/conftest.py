"""CAs that serve a whole run of tests; every name under example.test leads to the answers."""

from collections.abc import Iterator

import pytest

from tests.servers import dns
from tests.servers.answers import Answers, answering
from tests.servers.dns import Resolver, Zone
from tests.servers.faulty import Faulty, between
from tests.servers.fetch import PEBBLE, PEBBLE_UNSTABLE, Server
from tests.servers.fixtures import Pebbles, pebbles, starting
from tests.servers.pebble import Pebble

__all__ = ["pebbles"]

DAY = 86400


@pytest.fixture(scope="session")
def zone() -> Zone:
    zone = Zone()
    zone.add("*.example.test", "CNAME", "edge.example.test")
    zone.add("edge.example.test", "A", "127.0.0.1")
    zone.fail("lame.example.test", "SERVFAIL")
    return zone


@pytest.fixture(scope="session")
def resolver(zone: Zone) -> Iterator[Resolver]:
    with dns.serving(zone) as serving:
        yield serving


@pytest.fixture(scope="session")
def answers() -> Iterator[Answers]:
    with answering() as answers:
        yield answers


@pytest.fixture(scope="session")
def lasting(
    tmp_path_factory: pytest.TempPathFactory, resolver: Resolver, answers: Answers
) -> Iterator[Pebbles]:
    """Start CAs that live as long as the tests do."""
    with starting(tmp_path_factory.mktemp("pebbles"), resolver, answers) as start:
        yield start


@pytest.fixture(scope="session")
def pebble(lasting: Pebbles) -> Pebble:
    """Start the CA of this machine's release: neither profiles nor renewal information."""
    return lasting(PEBBLE_ALTERNATE_ROOTS=1, blocked=["refused.example.test"])


@pytest.fixture(scope="session")
def newer_pebble(lasting: Pebbles) -> Pebble:
    """Start the CA of the unstable release, with two profiles and renewal information."""
    profiles = {"lasting": 90 * DAY, "shortlived": 6 * DAY}
    return lasting(
        server=PEBBLE_UNSTABLE,
        profiles=profiles,
        PEBBLE_ALTERNATE_ROOTS=1,
        blocked=["refused.example.test"],
    )


@pytest.fixture(params=[PEBBLE, PEBBLE_UNSTABLE], ids=["pebble", "newer_pebble"])
def each_pebble(request: pytest.FixtureRequest) -> Pebble:
    server: Server = request.param
    wanted = "newer_pebble" if server.unstable else "pebble"
    found: Pebble = request.getfixturevalue(wanted)
    return found


@pytest.fixture
def faulty(pebble: Pebble) -> Iterator[Faulty]:
    with between(pebble) as faulty:
        yield faulty
