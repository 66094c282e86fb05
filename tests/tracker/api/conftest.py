from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

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
    store = await Store.open(store_url)
    yield store
    await store.close()


@pytest.fixture
def health() -> dict[str, Health]:
    """Hold what `/readyz` is told; a test puts another state in its place."""
    return {"now": Health("ok", {"edge": "2 edge workers alive"})}


@pytest.fixture
def app(store: Store, health: dict[str, Health]) -> Starlette:
    async def now() -> Health:
        return health["now"]

    return api(store, ApiKeys.of("an older key", KEY), now, lambda: b"tracker_hits_total 3\n")


@pytest.fixture
async def client(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test:8026", auth=("api", KEY)
    ) as client:
        yield client
