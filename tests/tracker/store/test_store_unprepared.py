"""A store that isn't there yet: whoever has other work begins with that, and it joins in later."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.tracker.store.documents import document
from tracker.store import database
from tracker.store.database import Store, StoreError, StoreUnavailable
from tracker.store.row import row

pytestmark = pytest.mark.anyio


async def test_naming_a_store_touches_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    assert store.name == str(tmp_path / "store.db")
    await store.close()
    assert not os.listdir(tmp_path)  # noqa: PTH208 - in an async test


async def test_the_first_call_prepares_the_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    assert await store.last() == 0
    await store.insert([row(document(1))])
    assert await store.last() == 1
    await store.close()


async def test_every_call_says_what_is_in_the_way_until_it_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "AGAIN_AFTER", 0)
    path = tmp_path / "store.db"
    path.write_bytes(b"no database " * 1000)
    store = Store(path)
    for call in (store.last, lambda: store.insert([row(document(1))]), lambda: store.feed(0, 1)):
        with pytest.raises(StoreUnavailable, match=r"^cannot open the store .*put back a copy"):
            await call()
    with pytest.raises(StoreError, match="cannot open the store "):
        await store.prepare()
    path.unlink()
    assert await store.last() == 0
    await store.close()


async def test_many_who_wait_for_a_store_hear_at_once_that_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each try may take seconds, where a server doesn't answer."""
    monkeypatch.setattr(database, "AGAIN_AFTER", PATIENCE)
    store = Store(tmp_path / "gone" / "store.db")
    heard = await asyncio.gather(*(store.last() for _ in range(5)), return_exceptions=True)
    assert {str(each) for each in heard} == {
        f"cannot open the store {tmp_path}/gone/store.db: No such file or directory"
    }
    tried = [each for each in heard if isinstance(each, StoreUnavailable) and each.__cause__]
    assert len(tried) == 1
    await store.close()
