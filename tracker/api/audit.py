"""The audit log: `GET /v1/audit`, every change that was made by API or command, newest first."""

from typing import Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, answered
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.store.audit import MOST, Audit, Entry

DEFAULT_LIMIT: Final = 100
HIGHEST: Final = 1 << 53


class Log(msgspec.Struct, frozen=True):
    """Entries, and what to give as `before` for those made earlier; null where there are none."""

    items: list[Entry]
    next: int | None


async def log(request: Request) -> Answer:
    """Answer with a page of the log; 400 tells what is wrong, 503 to try later."""
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MOST)
    before = number(request, "before", HIGHEST, 1, HIGHEST)
    entries = await Audit(request.app.state.store).newest(limit, before)
    return answered(Log(entries, entries[-1].number if len(entries) == limit else None))


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/audit",
        log,
        "write",
        "See who changed what",
        parameters=(
            Parameter("before", "a `next` of before", {"type": "integer", "minimum": 1}),
            Parameter("limit", "entries", {"type": "integer", "minimum": 1, "maximum": MOST}),
        ),
        answers={200: Log},
    ),
)
