"""Events: `GET /v3/{domain}/events`, in Mailgun's form.

A page is `{"items": […], "paging": {"next": "…", "previous": "…"}}`, its links always there. An
empty page is the end, for now: the `next` of an open ascending range can be asked again later.
"""

import time
from typing import Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, answered
from tracker.api.links import listing
from tracker.api.listing import requested
from tracker.api.operation import Operation, Parameter
from tracker.api.paging import Cursor, opened, sealed
from tracker.store.database import Store
from tracker.store.row import exact

PAGE: Final = "page"


class Paging(msgspec.Struct, frozen=True):
    """The links to the pages beside this one."""

    next: str
    previous: str


class Page(msgspec.Struct, frozen=True):
    """Events in the listing's order, as the documents they were stored as."""

    items: list[msgspec.Raw]
    paging: Paging


async def first_page(request: Request) -> Answer:
    """Answer with a listing's first page; 400 tells what is wrong with it, 503 to try later."""
    if (page := request.query_params.get(PAGE)) is not None:
        return await _page(request, opened(page))
    now = time.time_ns() // 1_000
    return await _page(request, Cursor(requested(request.query_params.multi_items(), now)))


async def further_page(request: Request) -> Answer:
    """Answer with the page that an earlier page's link leads to; 400 if it is no such link."""
    return await _page(request, opened(request.path_params["page"]))


async def _page(request: Request, cursor: Cursor) -> Answer:
    store: Store = request.app.state.store
    walk = cursor.walk(exact(request.path_params["domain"]))
    found = await store.page(walk) if walk else []
    if cursor.back:
        found.reverse()
    onward, backward = cursor.around([event.key for event in found])
    paging = Paging(_link(request, onward), _link(request, backward))
    return answered(Page([msgspec.Raw(event.document) for event in found], paging))


def _link(request: Request, cursor: Cursor) -> str:
    """Write a link with its cursor in the path, as Mailgun does, and once more behind it.

    Mailgun's Ruby client follows a link by its path alone, the Python one's `stream` by its query.
    """
    page = sealed(cursor)
    return f"{listing(request, 'events')}/{page}?{PAGE}={page}"


TIME: Final = "a time as in RFC 2822, or in seconds since 1970"
FILTER: Final = "a filter expression: words, AND, OR, NOT, parentheses, quotes"
FILTERS: Final = (
    *("event", "list", "attachment", "from", "message-id", "subject", "to"),
    *("recipient", "recipients", "tags", "severity"),
)
LISTED: Final = (
    Parameter("begin", f"where the listing begins: {TIME}"),
    Parameter("end", f"where the listing ends: {TIME}"),
    Parameter("ascending", "`yes` for the oldest first", {"enum": ["yes", "no"]}),
    Parameter("limit", "events a page", {"type": "integer", "minimum": 1, "maximum": 300}),
    *(Parameter(name, FILTER, repeated=True) for name in FILTERS),
    Parameter("size", "a number of bytes, or a bound such as `>10000`", repeated=True),
)
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v3/{domain}/events",
        first_page,
        "read",
        "List the events of a sending domain",
        parameters=LISTED,
        answers={200: Page},
    ),
    Operation(
        "GET",
        "/v3/{domain}/events/{page}",
        further_page,
        "read",
        "Go on with a listing, by a link of its `paging`",
        answers={200: Page},
    ),
)
