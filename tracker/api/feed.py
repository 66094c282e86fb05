"""The feed: `GET /v1/events/feed?after=N`, events of every domain in the order of insertion.

Unlike a listing by time it can be followed without missing an event, however late one arrives. An
event whose verdict is revised comes up again, with its new revision. `wait` holds the answer back
until there is something to tell; with `Accept: text/event-stream` it never ends (server-sent
events, WHATWG HTML §9.2): each has its place in the feed as its id, so that a browser's EventSource
goes on where it was cut off.

Promise: whoever goes on from `next`, or from the last id, misses no event and sees none twice.
"""

from collections.abc import AsyncIterator
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tracker.api.answer import HEADERS, Refused, answered
from tracker.api.arrivals import Arrivals
from tracker.api.grant import Grant
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.store.database import Ingested, Store, StoreUnavailable

NOW: Final = "now"
DEFAULT_LIMIT: Final = 100
MOST: Final = 1_000
HIGHEST: Final = 1 << 53
LONGEST_WAIT: Final = 60  # seconds
BEAT_EVERY: Final = 15.0  # seconds; many proxies end a connection that is silent for 30 to 60
STREAM: Final = "text/event-stream"
AGAIN_AFTER: Final = 1_000  # milliseconds after which a client comes back
MOST_STREAMS: Final = 200


class Feed(msgspec.Struct, frozen=True):
    """Events, and what to give as `after` for those behind them."""

    items: list[msgspec.Raw]
    next: int


async def feed(request: Request) -> Response:
    """Answer with the events behind `after`; 400 tells what is wrong with it, 503 to try later.

    `after=now` gives none, and where the feed stands. A key for some domains sees theirs alone.
    """
    store: Store = request.app.state.store
    if STREAM in request.headers.get("accept", ""):
        return await _stream(request)
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MOST)
    wait = number(request, "wait", 0, 0, LONGEST_WAIT)
    if request.query_params.get("after") == NOW:
        return answered(Feed([], await store.last()))
    after = number(request, "after", 0, 0, HIGHEST)
    await _reached(store, after)
    found, place = await _behind(store, after, limit)
    if wait and not found:
        arrivals: Arrivals = request.app.state.arrivals
        await arrivals.beyond(place, wait)
        found, place = await _behind(store, place, limit)
    items = [msgspec.Raw(event.document) for event in _theirs(request, found)]
    return answered(Feed(items, place))


async def _stream(request: Request) -> Response:
    store: Store = request.app.state.store
    arrivals: Arrivals = request.app.state.arrivals
    if arrivals.streams >= MOST_STREAMS:
        raise Refused(f"{MOST_STREAMS} clients follow the feed already: try again later", 503)
    last = request.headers.get("last-event-id", "")
    if last:
        after = _place(last)
    elif request.query_params.get("after") == NOW:
        after = await store.last()
    else:
        after = number(request, "after", 0, 0, HIGHEST)
    await _reached(store, after)
    return StreamingResponse(_told(request, after), headers=HEADERS, media_type=STREAM)


async def _told(request: Request, after: int) -> AsyncIterator[bytes]:
    """Yield events as they come, and a comment where none has come for a while."""
    store: Store = request.app.state.store
    arrivals: Arrivals = request.app.state.arrivals
    arrivals.streams += 1
    try:
        yield b"retry: %d\n\n" % AGAIN_AFTER
        while not arrivals.closed.is_set():
            try:
                found, after = await _behind(store, after, DEFAULT_LIMIT)
            except StoreUnavailable:
                return  # the client comes back, and then is told
            for event in _theirs(request, found):
                yield b"id: %d\ndata: %b\n\n" % (event.sequence, event.document)
            if not found:
                await arrivals.beyond(after, BEAT_EVERY)
                yield b": %d\n\n" % after
    finally:
        arrivals.streams -= 1


async def _behind(store: Store, after: int, limit: int) -> tuple[list[Ingested], int]:
    """Return what stands behind a place, and the place behind that.

    Numbers have gaps, where events came twice or were erased: the last one is asked for first, so
    that the place behind nothing is behind every number that was given out by then.
    """
    last = await store.last()
    found = await store.feed(after, limit)
    return found, found[-1].sequence if found else max(after, last)


async def _reached(store: Store, after: int) -> None:
    """Raise Refused for a place that the feed hasn't come to: it is another store's.

    A store was set aside, or a copy put back. Who waited for the place to come up would miss all
    that comes in until then.
    """
    if after > (last := await store.last()):
        raise Refused(f"the feed of this store has come to {last}, not to {after} yet")


def _theirs(request: Request, found: list[Ingested]) -> list[Ingested]:
    grant: Grant = request.state.grant
    return [event for event in found if not grant.domains or event.domain in grant.domains]


def _place(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise Refused("`Last-Event-ID` is the id of an event of this feed")
    return int(text)


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/events/feed",
        feed,
        "read",
        "Follow events in the order in which they came in",
        parameters=(
            Parameter("after", f"a `next` of before, 0 for all, or `{NOW}`"),
            Parameter("limit", "events", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter(
                "wait",
                "seconds to wait for an event where there is none yet",
                {"type": "integer", "minimum": 0, "maximum": LONGEST_WAIT},
            ),
        ),
        answers={200: Feed},
        domainless=True,
    ),
)
