"""A live API on loopback, over a store of its own with events of every kind in it."""

import asyncio
import contextlib
import secrets
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from certs.vault.database import Vault
from certs.vault.master import MasterKey
from rewriter.keyring import Keyring
from tests.patience import PATIENCE
from tests.tracker.api.caller import scoped, well
from tests.tracker.store.documents import document
from tracker import child
from tracker.api.app import api
from tracker.api.keys import ApiKeys, digest
from tracker.forwarding.ledger import Ledger
from tracker.recipients import Recipients
from tracker.store.access import KeyRecords, Scope
from tracker.store.database import Store
from tracker.store.row import row
from tracker.webhooks.client import Client

EVENTS = 200


@dataclass(frozen=True, slots=True)
class Live:
    """Where the API answers, a key that opens everything, and the store that it answers from."""

    url: str
    key: str
    store: Store

    def client(self, key: str = "") -> httpx.AsyncClient:
        """Return a client of the API, with a key of its own if one is given."""
        return httpx.AsyncClient(base_url=self.url, auth=("api", key or self.key), timeout=PATIENCE)

    async def key_for(self, scope: Scope, *domains: str) -> str:
        """Make a key for less than everything."""
        return (await scoped(self.store, scope, *domains))[1]


@contextlib.asynccontextmanager
async def live(folder: Path, events: int = EVENTS, where: str = "") -> AsyncIterator[Live]:
    """Run the API in this process until the block is left; its store may be elsewhere."""
    keyring = folder / "keyring.json"
    Keyring.new().save(keyring)
    # On a machine that is busy no call fails, and no page ends early, for want of time.
    store = await Store.open(where or folder / "store.db", patience=PATIENCE, within=PATIENCE)
    await store.insert([row(document(number)) for number in range(events)])
    ledger = Ledger.open(folder / "forward.db")
    recipients = Recipients.open(store, ledger, keyring)
    master = MasterKey.make(folder / "master.key")
    vault = await Vault.open(folder / "certs.db", master, patience=PATIENCE)
    key = secrets.token_urlsafe(8)

    keys = ApiKeys([digest(key)], KeyRecords(store))
    webhooks = Client()
    app = api(
        store,
        keys,
        well,
        bytes,
        keyring=keyring,
        recipients=recipients,
        vault=lambda: vault,
        webhooks=webhooks,
    )
    server = child.server(app, answer_within=10)
    listener = socket.create_server(("127.0.0.1", 0))
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield Live(f"http://127.0.0.1:{listener.getsockname()[1]}", key, store)
    finally:
        app.state.arrivals.close()
        server.should_exit = True
        await serving
        ledger.close()
        await vault.close()
        await webhooks.close()
        await store.close()
