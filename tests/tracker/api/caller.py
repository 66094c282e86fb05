"""A caller of the API, in the process that serves it: no port, no server."""

from typing import Any

import httpx
from starlette.applications import Starlette

from tracker.api.app import api
from tracker.api.keys import ApiKeys, digest, fresh
from tracker.health import Health
from tracker.store.access import KeyRecords, Scope
from tracker.store.database import Store

KEY = "a key for the tests"
URL = "http://api.test:8026"


async def well() -> Health:
    """Tell `/readyz` that all is well."""
    return Health("ok", {})


def serving(store: Store, **parts: Any) -> Starlette:
    """Return the API over a store, opened by KEY and by the keys in the store."""
    return api(store, ApiKeys([digest(KEY)], KeyRecords(store)), well, bytes, **parts)


def calling(app: Starlette, key: str = KEY, url: str = URL) -> httpx.AsyncClient:
    """Return who calls an API with a key, by the URL at which they know it."""
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url=url, auth=("api", key))


async def scoped(store: Store, scope: Scope, *domains: str) -> tuple[str, str]:
    """Make a key for some domains; return what a client authenticates with."""
    key, record = fresh("test", scope, domains, 1)
    await KeyRecords(store).add(record)
    return "api", key
