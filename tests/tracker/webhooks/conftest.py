from collections.abc import AsyncIterator, Iterator
from ipaddress import ip_network

import pytest

from tests.servers.fixtures import *  # noqa: F403 - fixtures, as __all__ there has them
from tests.servers.receiver import Receiver, receiving
from tests.tracker.operation.conftest import *  # noqa: F403 - a person at the command
from tracker.webhooks.client import Client

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with Client(LOOPBACK) as client:
        yield client
