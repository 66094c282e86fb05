"""An office of several that share a store works while that is away, and catches up by itself."""

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewriter.keyring import Keyring
from tests.patience import wait_for
from tests.servers.postgresql import Postgres
from tests.servers.proxy import Proxy, between
from tests.servers.stores import only_postgresql
from tests.tracker.forwarding.parts import Worker, click, token
from tests.tracker.office.process import first_event, working
from tracker.api.keys import fresh
from tracker.domains import OpenTracking
from tracker.published import FILE, Published
from tracker.store.access import KeyRecords
from tracker.store.database import Store
from tracker.store.domains import Domains
from tracker.store.suppressions import Suppression, Suppressions

pytestmark = only_postgresql
ANN = "ann@example.net"


@pytest.fixture
def proxy(postgres: Postgres) -> Iterator[Proxy]:
    with between(postgres.address) as proxy:
        yield proxy


@pytest.fixture
def shared(postgres: Postgres, store_url: str, proxy: Proxy, tmp_path: Path) -> dict[str, Any]:
    """Tell an office of the store by a way that can be cut."""
    through = postgres.url(store_url.rpartition("/")[2], proxy.address)
    return {"store": through, "shared": True, "master_key": str(tmp_path / "master.key")}


async def fill(where: str) -> str:
    """Register, suppress and make a key, as other machines do; return the key."""
    store = await Store.open(where)
    await Domains(store).change_sending("example.com", who="ann", open=OpenTracking(active=False))
    await Suppressions(store).add("example.com", [Suppression(ANN, ("*",), 5)], "account ann")
    key, record = fresh("sender", "send", ["example.com"], 1)
    await KeyRecords(store).add(record)
    await store.close()
    return key


def check(url: str, name: str) -> tuple[str, str]:
    found = httpx.get(f"{url}/readyz", timeout=60).json()
    return found["statuses"][name], found["checks"][name]


def asked(url: str, key: str) -> httpx.Response:
    where = f"{url}/v1/example.com/suppressed"
    return httpx.get(where, params={"address": ANN}, auth=("api", key), timeout=60)


def test_without_the_store_all_else_is_done_and_with_it_everything_catches_up(
    tmp_path: Path,
    keyring: Keyring,
    worker: Worker,
    proxy: Proxy,
    shared: dict[str, Any],
    store_url: str,
) -> None:
    proxy.cut()
    worker.write(click(token(keyring)))
    with working(tmp_path, "stdout", **shared) as (office, url):
        assert first_event(office)
        mine = (tmp_path / "api.key").read_text().strip()
        events = httpx.get(f"{url}/v3/example.com/events", auth=("api", mine), timeout=60)
        unknown = asked(url, "another key")
        assert (events.status_code, unknown.status_code) == (503, 503)
        assert events.json()["message"].startswith("cannot open the store postgresql://postgres@")
        assert "sesame" not in events.text + unknown.text
        assert check(url, "store")[0] == "degraded"
        assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200

        proxy.heal()
        key = asyncio.run(fill(store_url))
        wait_for(lambda: asked(url, key).status_code == 200, "the key to be known")
        wait_for(lambda: check(url, "shared")[0] == "ok", "everything to be copied")
        wait_for(lambda: check(url, "store")[0] == "ok", "the store to answer")
        assert asked(url, key).json() == {"address": ANN, "suppressed": True, "tags": ["*"]}
        wait_for(
            lambda: "example.com" in Published(tmp_path / FILE).current().sending,
            "it to be published",
        )

    proxy.cut()
    with working(tmp_path, "stdout", **shared) as (office, url):
        wait_for(lambda: check(url, "shared")[0] == "degraded", "it to be noticed")
        answer = asked(url, key)
        assert (answer.status_code, answer.json()["suppressed"]) == (200, True)
        assert answer.json()["as_of"] < time.time()
        says = check(url, "shared")[1]
        assert says.startswith("the store has been away since ")
        copied = says.partition("; until it is back, ")[2]
        assert all(part in copied for part in ("settings", "keyring", "suppressions", "API keys"))
        assert "not on this machine yet" not in copied
        assert not Published(tmp_path / FILE).current().records("example.com", "o")
        figures = httpx.get(f"{url}/metrics", timeout=60).text
    ages = dict(re.findall(r'tracker_shared_age_seconds{part="(.+)"} (\S+)', figures))
    assert set(ages) == {"settings", "keyring", "suppressions", "API keys"}
    assert all(float(age) > 0 for age in ages.values())
    assert Keyring.load(tmp_path / "keyring.json") == keyring
