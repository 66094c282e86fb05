"""A live API on loopback for Mailgun's own clients, with a day of mail in it.

`live` is all that a client needs: a URL, a key and a sending domain. Whatever the clients are to be
tried on is posted through the API, as `live.post` does.
"""

import asyncio
import json
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from tests.patience import PATIENCE
from tests.sdk import fetch
from tests.tracker.api.caller import well
from tests.tracker.ingest.samples import SAMPLES
from tests.tracker.stats.happenings import DOMAIN, happened
from tracker.api.app import api
from tracker.api.keys import ApiKeys
from tracker.store.database import Store
from tracker.webhooks.client import Client

KEY = "key-0123456789abcdef0123456789abcdef"
EVENTS = [
    *(
        happened(kind, hour, to=f"reader-{hour}@example.net", tags=("tides", "autumn"))
        for kind in ("delivered", "opened", "clicked")
        for hour in range(3)
    ),
    happened("opened", 5, who="machine", reason="burst: 4 links", tags=("other",)),
]


@dataclass(frozen=True)
class Live:
    """Where the API answers, and for whom."""

    url: str
    key: str
    domain: str

    def post(self, *documents: bytes) -> None:
        """Store events of the domain."""
        answer = httpx.post(
            f"{self.url}/v1/{self.domain}/events",
            content=b"\n".join(documents),
            headers={"Content-Type": "application/x-ndjson"},
            auth=("api", self.key),
            timeout=PATIENCE,
        )
        assert answer.json()["refused"] == 0

    def javascript(self, *calls: tuple[str, Sequence[Any]]) -> list[dict[str, Any]]:
        """Make calls of mailgun.js: the path of a method and its arguments each."""
        done = subprocess.run(
            ["node", Path(__file__).parent / "calls.cjs", fetch.FOLDER, self.url, self.key],
            input=json.dumps(calls),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        results: list[dict[str, Any]] = json.loads(done.stdout)
        return results


class Thread(threading.Thread):
    """The API in a thread of its own, so that clients may block."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.server: uvicorn.Server | None = None
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        # On a machine that is busy no call fails, and no page ends early, for want of time.
        where = self._folder / "store.db"
        store = await Store.open(where, patience=PATIENCE, within=PATIENCE)
        webhooks = Client([ip_network("127.0.0.0/8")])
        app = api(store, ApiKeys.of(KEY), well, bytes, webhooks=webhooks)
        # Clients use a connection again, however long a busy machine lets it rest.
        config = uvicorn.Config(app, lifespan="off", log_config=None, timeout_keep_alive=PATIENCE)
        self.server = uvicorn.Server(config)
        self.ready.set()
        await self.server.serve([self.listener])
        await webhooks.close()
        await store.close()


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    thread = Thread(tmp_path)
    port = thread.listener.getsockname()[1]
    thread.start()
    assert thread.ready.wait(PATIENCE)
    live = Live(f"http://127.0.0.1:{port}", KEY, DOMAIN)
    try:
        live.post(*(event.document for event in EVENTS), *map(json_of, SAMPLES.values()))
        yield live
    finally:
        assert thread.server is not None
        thread.server.should_exit = True
        thread.join(PATIENCE)


def json_of(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


@pytest.fixture
def node(live: Live) -> Live:
    """Skip, loudly, where mailgun.js isn't there; else be `live`."""
    if reason := fetch.missing():
        pytest.skip(f"NO MAILGUN.JS: {reason}")
    return live
