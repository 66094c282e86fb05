"""Export: `GET /v1/{domain}/events/export`, all events of a range in one answer."""

import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tracker.api.answer import HEADERS, Refused
from tracker.api.events import LISTED
from tracker.api.listing import requested
from tracker.api.operation import Operation, Parameter
from tracker.export.forms import FORMS, MEDIA_TYPES, Form, FormUnavailable
from tracker.export.walk import Range, pages
from tracker.store.database import Store
from tracker.store.row import exact

FORMAT: Final = "format"
NOT_TAKEN: Final = ("ascending", "limit")


async def export(request: Request) -> Response:
    """Answer with events, oldest first; 400 tells what is wrong, 501 that a form isn't installed.

    A store that fails meanwhile breaks the connection: half an export never looks like a whole one.
    """
    name = request.query_params.get(FORMAT, "jsonl")
    if name not in FORMS:
        raise Refused(f"`{FORMAT}` is one of {', '.join(FORMS)}")
    if given := [one for one in NOT_TAKEN if one in request.query_params]:
        raise Refused(f"an export takes no `{given[0]}`: it holds all events, oldest first")
    pairs = [pair for pair in request.query_params.multi_items() if pair[0] != FORMAT]
    listing = requested([*pairs, ("ascending", "yes")], time.time_ns() // 1_000)
    wanted = Range(exact(request.path_params["domain"]), listing.low, listing.high, listing.tree())
    try:
        form = FORMS[name]()
    except FormUnavailable as error:
        raise Refused(str(error), 501) from error
    return StreamingResponse(
        written(request.app.state.store, wanted, form),
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="events.{name}"'},
        media_type=MEDIA_TYPES[name],
    )


async def written(store: Store, wanted: Range, form: Form) -> AsyncIterator[bytes]:
    """Yield the file. Raises StoreUnavailable."""
    yield form.begin()
    async with contextlib.aclosing(pages(store, wanted)) as found:
        async for page in found:
            yield form.feed(page.documents)
    yield form.end()


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/{domain}/events/export",
        export,
        "read",
        "Get all events of a range as one file",
        parameters=(
            *(one for one in LISTED if one.name not in NOT_TAKEN),
            Parameter(FORMAT, "the file's form", {"enum": list(FORMS)}),
        ),
        answers={200: "application/x-ndjson", 501: dict},
        more=True,
    ),
)
