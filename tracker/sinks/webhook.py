"""A URL as a sink: every event posted to it, in order, in Mailgun's form or in batches.

Promise: when `deliver` returns, the other side has answered 2xx for each event. What it took before
it failed isn't posted again, unless the process died meanwhile: then it comes again under the same
`webhook-id`.
"""

import time
from collections.abc import Sequence
from ipaddress import ip_network
from typing import Final

from tracker.event import Event, encode
from tracker.mistake import Exit, Mistake
from tracker.sinks import EventRefused, SinkUnavailable
from tracker.sinks.opening import Opened
from tracker.sinks.url import SinkUrl
from tracker.store.change import parts
from tracker.store.database import StoreUnavailable
from tracker.store.webhook_keys import EVERY, SigningKey, SigningKeys
from tracker.webhooks.client import BadTarget, Client, Unanswered, readable
from tracker.webhooks.message import Item, event_id, message
from tracker.webhooks.target import Target

# Nothing is wrong with the other side, but with what it got: RFC 9110 §15.5, and Mailgun's 406.
REFUSALS: Final = frozenset((400, 406, 413, 422))
FRESH_FOR: Final = 60.0  # seconds for which keys needn't be asked for again


def sink(url: SinkUrl, opened: Opened) -> "WebhookSink":
    """Make the sink of a URL. Raises Mistake."""
    address = f"{url.scheme}:{url.address}"
    try:
        Target.parse(address)
    except BadTarget as error:
        raise Mistake(f"the sink {url.name}: {error}", Exit.CONFIG) from error
    client = Client([ip_network(network) for network in opened.allow])
    batch = int(url.options.get("batch", "1"))
    return WebhookSink(url.name, address, client, SigningKeys(opened.store), batch)


class WebhookSink:
    """Events go to one URL, one request at a time."""

    def __init__(
        self, name: str, url: str, client: Client, keys: SigningKeys, batch: int = 1
    ) -> None:
        self.name = name
        self._url = url
        self._client = client
        self._keys = keys
        self._batch = batch
        self._living: Sequence[SigningKey] = ()
        self._looked_at = 0.0
        self._taken: set[str] = set()  # of a delivery that isn't at its end

    async def deliver(self, events: Sequence[Event]) -> None:
        """Post events. Raises SinkUnavailable, or EventRefused if one of a request is."""
        items = [Item(event_id(event.id, event.revision), encode(event)) for event in events]
        left = [item for item in items if item.id not in self._taken]
        for some in parts(left, self._batch):
            await self._post(some)
            self._taken.update(item.id for item in some)
        self._taken.clear()

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _post(self, items: Sequence[Item]) -> None:
        posted = message(items, await self._signing(), int(time.time()), batch=self._batch > 1)
        try:
            answer = await self._client.post(self._url, posted.body, posted.headers)
        except (BadTarget, Unanswered) as error:
            raise SinkUnavailable(f"{self.name}: {error}") from error
        if 200 <= answer.status < 300:
            return
        said = f"{self.name} answers {answer.status} {readable(answer.beginning)}".rstrip()
        if answer.status in REFUSALS:
            raise EventRefused(said)
        raise SinkUnavailable(said)

    async def _signing(self) -> Sequence[SigningKey]:
        """Return the keys that sign; while the store is away, those that were known last."""
        if not self._living or time.monotonic() - self._looked_at > FRESH_FOR:
            try:
                self._living = await self._keys.of(EVERY)
            except StoreUnavailable as error:
                if not self._living:
                    why = f"{self.name} waits for the key that signs: {error}"
                    raise SinkUnavailable(why) from error
            self._looked_at = time.monotonic()
        return self._living
