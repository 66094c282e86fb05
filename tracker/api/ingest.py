"""Ingestion: `POST /v1/{domain}/events`, events of any kind from elsewhere, in Mailgun's form.

One event as JSON, or one a line (`application/x-ndjson`). The answer has a verdict for each, in
their order, given once those that are accepted are on disk: a request that breaks off is repeated
whole, and what was there already is a duplicate then.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.operation import Operation
from tracker.store.change import Change
from tracker.store.database import Store
from tracker.store.posted import posted
from tracker.store.row import NotAnEvent, Row, exact

JSON: Final = "application/json"
LINES: Final = ("application/x-ndjson", "application/jsonl", "application/x-jsonlines")
MOST_BYTES: Final = 16 << 20
MOST_LINES: Final = 10_000


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an event. `line` counts from 1; an `id` is given once the event has one."""

    line: int
    status: Literal["accepted", "revised", "duplicate", "refused"]
    id: str = ""
    reason: str = ""


class Ingested(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of all events that were posted together; a `message` if none could be taken."""

    accepted: int
    revised: int
    duplicate: int
    refused: int
    events: list[Verdict]
    message: str = ""


async def ingest(request: Request) -> Answer:
    """Store events; 400 if none of them is one, 413 and 415 for the body, 503 to try later.

    One that is refused leaves the others alone. After a 503 none was stored.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in {JSON, *LINES}:
        raise Refused(f"the body should be {JSON}, or {LINES[0]} with an event a line", 415)
    body = await request.body()
    lines = [body] if media == JSON else body.split(b"\n")
    told = [(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if len(told) > MOST_LINES:
        raise Refused(f"a request takes {MOST_LINES} events", 413)
    if not told:
        raise Refused("the body should hold at least one event")
    store: Store = request.app.state.store
    domain = exact(request.path_params["domain"])
    rows = {number: _row(line, domain) for number, line in told}
    changes = await store.insert([row for row in rows.values() if isinstance(row, Row)])
    verdicts = list(judged(rows.items(), changes))
    outcome = _outcome(verdicts)
    return answered(outcome, 400 if outcome.message else 200)


def judged(
    rows: Iterable[tuple[int, Row | NotAnEvent]], changes: Sequence[Change]
) -> Iterator[Verdict]:
    """Tell of each line what became of it."""
    changed = {_place(change.row): change for change in changes}
    for line, row in rows:
        if isinstance(row, NotAnEvent):
            yield Verdict(line, "refused", reason=str(row))
            continue
        # Of two alike in one request the first is accepted.
        change = changed.get(_place(row))
        if change is None or change.row is not row:
            yield Verdict(line, "duplicate", row.id)
        else:
            yield Verdict(line, "accepted" if change.before is None else "revised", row.id)


def _outcome(verdicts: list[Verdict]) -> Ingested:
    counts = {
        status: sum(verdict.status == status for verdict in verdicts)
        for status in ("accepted", "revised", "duplicate", "refused")
    }
    nothing = counts["refused"] == len(verdicts)
    return Ingested(**counts, events=verdicts, message=verdicts[0].reason if nothing else "")


def _row(line: bytes, domain: str) -> Row | NotAnEvent:
    try:
        return posted(line, "api", domain)
    except NotAnEvent as error:
        return error


def _place(row: Row) -> tuple[str, int, str]:
    return row.domain, row.at, row.id


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/{domain}/events",
        ingest,
        "write",
        "Store events of any kind from elsewhere, in Mailgun's form",
        body={JSON: dict, LINES[0]: bytes},
        answers={200: Ingested, 400: Ingested},
        most=MOST_BYTES,
    ),
)
