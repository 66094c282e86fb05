import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from certs.vault.database import Vault
from certs.vault.progress import Progress
from tests.tracker.api.caller import calling, serving
from tests.tracker.certificates import filled
from tests.tracker.certificates.filled import ACTIVE, EXPIRED, REJECTED, WAITING
from tracker.store.database import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
def opened(vault: Vault) -> dict[str, Vault | None]:
    """Hold the vault; a test takes it away."""
    return {"now": vault}


@pytest.fixture
async def client(
    vault: Vault, opened: dict[str, Vault | None], tmp_path: Path, migrated_file: Path
) -> AsyncIterator[httpx.AsyncClient]:
    await filled.fill(vault)
    shutil.copy(migrated_file, tmp_path / "store.db")
    store = await Store.open(tmp_path / "store.db")
    async with calling(serving(store, vault=lambda: opened["now"])) as client:
        yield client
    await store.close()


async def test_every_certificate_is_listed_without_any_key(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/certificates")
    found = {one["name"]: one for one in answer.json()["items"]}
    assert list(found) == [ACTIVE, EXPIRED, REJECTED, WAITING]
    assert found[EXPIRED]["stage"] == "expired"
    assert found[WAITING]["says"].startswith("It leads to")
    assert "key" not in " ".join(found[ACTIVE])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (ACTIVE, {"status": "active"}),
        (EXPIRED, {"status": "expired", "error": "The CA can't be reached."}),
        (REJECTED, {"status": "error", "error": "The CA refuses."}),
    ],
)
async def test_the_status_is_in_mailguns_words(
    client: httpx.AsyncClient, name: str, expected: dict[str, Any]
) -> None:
    answer = await client.get(f"/v2/x509/{name}/status")
    assert (answer.status_code, answer.json()) == (200, expected)


@pytest.mark.parametrize(
    ("method", "name", "status", "asked"),
    [
        ("POST", WAITING, 202, "renew 0"),
        ("POST", EXPIRED, 202, "renew 1"),
        ("POST", ACTIVE, 409, ""),
        ("PUT", ACTIVE, 202, "renew 1"),
        ("POST", "other.example.com", 404, ""),
        ("GET", "other.example.com", 404, ""),
        ("GET", "no%20name", 400, ""),
    ],
)
async def test_a_certificate_can_be_asked_for(
    client: httpx.AsyncClient, vault: Vault, method: str, name: str, status: int, asked: str
) -> None:
    where = f"/v2/x509/{name}" + ("/status" if method == "GET" else "")
    answer = await client.request(method, where)
    assert answer.status_code == status
    assert answer.json()["message"]
    assert await Progress(vault).request(name) == asked


async def test_while_the_vault_is_away_the_answer_says_so(
    client: httpx.AsyncClient, opened: dict[str, Vault | None]
) -> None:
    opened["now"] = None
    for path in ("/v1/certificates", f"/v2/x509/{ACTIVE}/status"):
        answer = await client.get(path)
        assert answer.status_code == 503
        assert "edge.tls_listen" in answer.json()["message"]
