from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import pytest

from tests.patience import PATIENCE
from tests.servers.fixtures import *  # noqa: F403 - fixtures, as __all__ there has them
from tests.servers.receiver import Receiver, receiving
from tests.tracker.operation.conftest import *  # noqa: F403 - a person at the command
from tracker.webhooks.client import Client

LOOPBACK = (ip_network("127.0.0.0/8"),)
BOUNDS = ("LOOKUP_WITHIN", "CONNECT_WITHIN", "lookup.PATIENCE")


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for names and connections for as long as it takes, on a machine that is busy too."""
    for bound in BOUNDS:
        monkeypatch.setattr(f"tracker.webhooks.dial.{bound}", float(PATIENCE))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(LOOPBACK, within=PATIENCE) as client:
        yield client
