from collections.abc import AsyncIterator

import httpx
import pytest

from tests.tracker.api.caller import calling, serving
from tracker.store.database import Store


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serving(store)) as client:
        yield client
