"""What tests of the tracker share: a store, empty, in each database that there is."""

from collections.abc import AsyncIterator

import pytest

from tracker.store.database import Store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = await Store.open(store_url)
    yield store
    await store.close()
