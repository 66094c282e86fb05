"""What tests of the tracker share: a store, empty, in each database that there is."""

from collections.abc import AsyncIterator

import pytest

from tests.patience import PATIENCE
from tracker.store.database import Store


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    # On a machine that is busy no call fails, and no page ends early, for want of time.
    store = await Store.open(store_url, patience=PATIENCE, within=PATIENCE)
    yield store
    await store.close()
