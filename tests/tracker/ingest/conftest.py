from collections.abc import AsyncIterator

import httpx
import pytest

from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.health import Health
from tracker.store.database import Store

KEY = "a key for the tests"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    store = await Store.open(store_url, patience=0.5)
    yield store
    await store.close()


@pytest.fixture
async def client(store: Store) -> AsyncIterator[httpx.AsyncClient]:
    async def health() -> Health:
        return Health("ok", {})

    transport = httpx.ASGITransport(
        api(store, ApiKeys.of(KEY), health, lambda: b""), raise_app_exceptions=False
    )
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", auth=("api", KEY)
    ) as client:
        yield client
