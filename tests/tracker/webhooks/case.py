"""A URL in the contract suite of all sinks: a receiver that keeps each event once, by its id."""

import json
from pathlib import Path
from typing import ClassVar

import msgspec

from tests.servers.receiver import HANG, Receiver
from tests.tracker.sinks.contract import Hanging, Leaving, Refusing, Told
from tracker.event import Event

PATH = "/events"
UNWANTED = "https://example.com/unwanted"


class WebhookCase(Leaving, Hanging, Refusing):
    """A URL: away while nobody listens, hanging while nobody answers."""

    parameters: ClassVar[str] = ""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._receiver = Receiver()
        self._receiver.refuse = lambda posted: UNWANTED.encode() in posted.body
        self.url = self._receiver.url(PATH) + self.parameters

    async def kept(self) -> Told:
        found: dict[tuple[str, int], None] = {}
        for posted in self._receiver.taken:
            body = json.loads(posted.body)
            for one in body if isinstance(body, list) else [body]:
                event = one["event-data"]
                found[event["id"], event["revision"]] = None
        return list(found)

    def refused(self, one: Event) -> Event:
        return msgspec.structs.replace(one, url=UNWANTED)

    async def leave(self) -> None:
        self._receiver.end()

    async def come_back(self) -> None:
        self._receiver.begin()

    async def hang(self) -> None:
        self._receiver.hang()
        self._receiver.answers(PATH, HANG)

    async def go_on(self) -> None:
        self._receiver.answers(PATH, 200)
        self._receiver.release()

    def close(self) -> None:
        self._receiver.close()


class BatchesCase(WebhookCase):
    """The same in batches."""

    parameters = "?batch=20"
