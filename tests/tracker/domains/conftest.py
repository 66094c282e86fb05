from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tracker.store.database import Store
from tracker.store.domains import Domains


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path / "store.db")
    yield store
    await store.close()


@pytest.fixture
def domains(store: Store) -> Domains:
    return Domains(store)
