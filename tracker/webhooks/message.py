"""A message: what one request holds, signed in both ways.

In: events as JSON, with ids, and the keys. Out: bytes and headers. One event has Mailgun's form,
`{"signature": …, "event-data": …}`. Several together are a JSON array of such objects under a media
type of its own, which isn't Mailgun's form: only who asked for batches gets it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from tracker.store.webhook_keys import SigningKey
from tracker.webhooks import signature

JSON: Final = "application/json"
BATCH: Final = "application/vnd.tracking-edge.events+json"


@dataclass(frozen=True, slots=True)
class Item:
    """An event, and what tells it from every other: the same each time that it is posted."""

    id: str
    document: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted."""

    body: bytes
    headers: Mapping[str, str]


def message(items: Sequence[Item], keys: Sequence[SigningKey], now: int, *, batch: bool) -> Message:
    """Write one event in Mailgun's form, or a batch, however many are in it."""
    objects = [_object(item, keys, now) for item in items]
    body = b"[" + b",".join(objects) + b"]" if batch else objects[0]
    id_ = signature.hashed(*(item.id for item in items)) if batch else items[0].id
    media = {"Content-Type": BATCH if batch else JSON}
    return Message(body, {**media, **signature.headers(keys, id_, body, now)})


def event_id(id_: str, revision: int) -> str:
    """Name an event as it is: another revision of it is another message."""
    return f"{id_}/{revision}" if revision else id_


def _object(item: Item, keys: Sequence[SigningKey], now: int) -> bytes:
    signed = msgspec.json.encode(signature.signed(keys, now))
    return b'{"signature":' + signed + b',"event-data":' + item.document + b"}"
