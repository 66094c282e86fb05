"""An office that posts, over a store and a clock of the test's own."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.patience import PATIENCE, until
from tests.servers.receiver import Receiver
from tests.tracker.stats.happenings import DOMAIN, happened
from tests.tracker.webhooks.conftest import LOOPBACK
from tracker.store.database import Store
from tracker.store.row import Row
from tracker.store.webhook_history import Delivery, History
from tracker.store.webhook_keys import SigningKeys
from tracker.store.webhooks import Kind, Webhook, Webhooks
from tracker.webhooks.client import Client
from tracker.webhooks.posting import Posting

HOUR = 3_600.0


class World:
    """A store, a receiver, and time that passes when the test says so."""

    def __init__(self, store: Store, receiver: Receiver) -> None:
        self.store = store
        self.receiver = receiver
        self.passed = 0.0

    def clock(self) -> float:
        return time.time() + self.passed

    async def register(self, path: str, kind: Kind = "opened", **options: Any) -> None:
        webhook = Webhook((self.receiver.url(path),), **options)
        await Webhooks(self.store).add(DOMAIN, kind, webhook, who="test")

    async def secret(self) -> bytes:
        return (await SigningKeys(self.store).of(DOMAIN))[0].secret

    async def deliveries(self) -> list[Delivery]:
        """Return the history, oldest first."""
        return (await History(self.store).newest(DOMAIN, 1_000))[::-1]

    @asynccontextmanager
    async def office(self, within: float = PATIENCE, lease: int = 60) -> AsyncIterator[Posting]:
        """Post until the block ends, and then in order."""
        async with Client(LOOPBACK, within=within) as client:
            options = {"look_every": 0.02, "lease": lease, "clock": self.clock}
            posting = Posting(self.store, client, **options)  # type: ignore[arg-type]  # each of its own type
            stopping = asyncio.Event()
            running = asyncio.create_task(posting.run(stopping))
            try:
                yield posting
            finally:
                stopping.set()
                await running

    async def settled(self, count: int) -> list[Delivery]:
        """Wait until so many deliveries were tried; return them all."""

        async def tried() -> bool:
            return sum(one.status > 0 or one.said != "" for one in await self.deliveries()) >= count

        await until(tried)
        return await self.deliveries()


def opens(count: int, start: int = 0) -> list[Row]:
    return [happened("opened", number=number) for number in range(start, start + count)]
