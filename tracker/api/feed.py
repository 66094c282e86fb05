"""The feed: `GET /v1/events/feed?after=N`, every event of every domain in the order of insertion.

Unlike a listing by time it can be followed without missing an event, however late one arrives. An
event whose verdict is revised comes up again, with its new revision.
"""

from typing import Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, answered
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.store.database import Store

NOW: Final = "now"
DEFAULT_LIMIT: Final = 100
MOST: Final = 1_000
HIGHEST: Final = 1 << 53


class Feed(msgspec.Struct, frozen=True):
    """Events, and what to give as `after` for those behind them."""

    items: list[msgspec.Raw]
    next: int


async def feed(request: Request) -> Answer:
    """Answer with the events behind `after`; 400 tells what is wrong with it, 503 to try later.

    `after=now` gives none, and where the feed stands.
    """
    store: Store = request.app.state.store
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MOST)
    if request.query_params.get("after") == NOW:
        return answered(Feed([], await store.last()))
    after = number(request, "after", 0, 0, HIGHEST)
    found = await store.feed(after, limit)
    items = [msgspec.Raw(event.document) for event in found]
    return answered(Feed(items, found[-1].sequence if found else after))


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/events/feed",
        feed,
        "read",
        "Follow the events of every domain in the order in which they came in",
        parameters=(
            Parameter("after", f"a `next` of before, 0 for all, or `{NOW}`"),
            Parameter("limit", "events", {"type": "integer", "minimum": 1, "maximum": MOST}),
        ),
        answers={200: Feed},
    ),
)
