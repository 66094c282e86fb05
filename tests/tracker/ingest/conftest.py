from collections.abc import AsyncIterator

import httpx
import pytest

from tests.tracker.api.caller import calling, serving
from tracker.store.database import Store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """Open a store that doesn't wait for long: one that is locked is part of what is tried."""
    store = await Store.open(store_url, patience=0.5)
    yield store
    await store.close()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(serving(store)) as client:
        yield client
