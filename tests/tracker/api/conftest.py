from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.applications import Starlette

from tests.tracker.api.caller import KEY, calling
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.health import Health
from tracker.store.database import Store


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
    async with calling(app) as client:
        yield client
