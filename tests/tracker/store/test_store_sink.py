import sqlite3
from pathlib import Path

import msgspec
import pytest

from tracker.event import ClientInfo, Domain, Event, Geolocation, LinkInfo, Message, Verdict, encode
from tracker.sinks import EventRefused, Sink, SinkUnavailable
from tracker.sinks.store import StoreSink
from tracker.store.database import Store
from tracker.store.query import Walk
from tracker.store.tree import Match

pytestmark = pytest.mark.anyio

CLICK = Event(
    event="clicked",
    id="AZq5cXcAAAAAAAAAAAAAAA",
    timestamp=1_763_688_423.123456,
    domain=Domain("news.example"),
    recipient="Ann@Example.com",
    recipient_domain="example.com",
    ip="192.0.2.1",
    geolocation=Geolocation(),
    client_info=ClientInfo(),
    message=Message({"message-id": "20261121.1@news.example"}),
    verdict=Verdict(),
    tags=["Sale"],
    url="https://example.com/",
    link=LinkInfo(3),
)


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("event", "clicked"),
        ("recipient", "ann@example.com"),
        ("tags", "sale"),
        ("message-id", "20261121.1@news.example"),
    ],
)
async def test_an_event_that_was_delivered_is_found(store: Store, field: str, text: str) -> None:
    sink: Sink = StoreSink(store)
    await sink.deliver([CLICK, CLICK])
    walk = Walk("news.example", ascending=True, limit=10, tree=Match(field, text))
    assert [found.document for found in await store.page(walk)] == [encode(CLICK)]


async def test_an_event_of_no_domain_is_refused_for_good(store: Store) -> None:
    homeless = msgspec.structs.replace(CLICK, domain=Domain(""))
    with pytest.raises(EventRefused, match="its sending domain is missing"):
        await StoreSink(store).deliver([CLICK, homeless])
    assert await store.last() == 0


async def test_a_store_that_is_locked_is_tried_again(tmp_path: Path) -> None:
    store = await Store.open(tmp_path / "store.db", patience=0.01)
    sink = StoreSink(store)
    other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SinkUnavailable, match="database is locked"):
        await sink.deliver([CLICK])
    other.execute("ROLLBACK")
    other.close()
    await sink.deliver([CLICK])
    await sink.close()
    assert len(await store.feed(0, 10)) == 1
    await store.close()
