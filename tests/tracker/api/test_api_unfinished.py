"""A filter that no index knows, over more events than there is time to look at."""

import httpx
import pytest

from tests.tracker.api.caller import KEY
from tests.tracker.store.documents import DOMAIN, START, document
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.health import Health
from tracker.store.database import Store
from tracker.store.page import STRETCHES
from tracker.store.row import row

pytestmark = pytest.mark.anyio


async def test_nothing_found_in_time_is_no_empty_page_and_can_be_gone_on_with(
    store_url: str,
) -> None:
    store = await Store.open(store_url, within=0)
    last = STRETCHES[0] + 9
    subjects = {last: {"headers": {"message-id": "m", "subject": "needle"}}}
    await store.insert(
        [row(document(number, message=subjects.get(number, {}))) for number in range(last + 1)]
    )

    async def ready() -> Health:
        return Health("ok", {})

    app = api(store, ApiKeys.of(KEY), ready, lambda: b"")
    transport = httpx.ASGITransport(app)
    asked = {"begin": str(START), "ascending": "yes", "subject": "needle"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://api.test", auth=("api", KEY)
    ) as client:
        refused = await client.get(f"/v3/{DOMAIN}/events", params=asked)
        assert refused.status_code == 400
        begin = f"{START + STRETCHES[0] - 1}.000000"
        assert refused.json()["message"].endswith(f"or go on with begin={begin}")
        found = await client.get(f"/v3/{DOMAIN}/events", params=asked | {"begin": begin})
    assert [item["id"] for item in found.json()["items"]] == [f"id-{last:04}"]
    await store.close()
