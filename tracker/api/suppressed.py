"""Suppressed: `/v1/{domain}/suppressed`, who is not to be written to, asked before sending.

While a store that machines share is away, it is answered from this machine's copy, which says as of
when it is.
"""

from typing import Annotated, Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.body import decoded
from tracker.api.operation import Operation, Parameter
from tracker.shared.lookup import Found, Lookup
from tracker.store.row import exact

PATH: Final = "/v1/{domain}/suppressed"
MOST: Final = 10_000
MOST_BYTES: Final = 4 << 20
JSON: Final = "application/json"
LINES: Final = "application/x-ndjson"


class Asked(msgspec.Struct, frozen=True):
    """Addresses, and the tags and lists (`list:` and a name) of the mail that they would get."""

    addresses: Annotated[list[str], msgspec.Meta(max_length=MOST)]
    tags: list[str] = []


class One(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether an address is not to be written to, and what it has unsubscribed from.

    `as_of` is there while the store is away: when that was so, in Unix seconds.
    """

    address: str
    suppressed: bool
    tags: list[str]
    as_of: float | None = None


class Many(msgspec.Struct, frozen=True, omit_defaults=True):
    """Of the addresses asked about, those that are not to be written to, as they were given.

    `as_of` is there while the store is away: when that was so, in Unix seconds.
    """

    suppressed: list[str]
    as_of: float | None = None


async def one(request: Request) -> Answer:
    """Answer about one address; a 503 says that it can't be told: nobody should send blindly."""
    address = request.query_params.get("address", "")
    if not exact(address):
        raise Refused("`address` is the one that is to be written to")
    found = await _of(request, [address])
    known = found.suppressions.get(exact(address))
    covered = known is not None and known.covers(_tags(request.query_params.getlist("tag")))
    tags = list(known.tags) if known else []
    return answered(One(exact(address), covered, tags, found.as_of))


async def many(request: Request) -> Answer:
    """Answer about up to 10,000 addresses at once; of JSON lines, each is one."""
    asked = _asked(request.headers.get("content-type", ""), await request.body())
    tags = _tags([*asked.tags, *request.query_params.getlist("tag")])
    found = await _of(request, asked.addresses)
    covered = {known.address for known in found.suppressions.values() if known.covers(tags)}
    suppressed = [given for given in asked.addresses if exact(given) in covered]
    return answered(Many(suppressed, found.as_of))


def _asked(declared: str, body: bytes) -> Asked:
    media = declared.partition(";")[0].strip().lower()
    if media == JSON:
        asked: Asked = decoded(body, Asked, "the addresses can't be read")
        return asked
    if media != LINES:
        raise Refused(f"the body should be {JSON} or {LINES}", 415)
    lines = [(number, line) for number, line in enumerate(body.splitlines(), 1) if line.strip()]
    if len(lines) > MOST:
        raise Refused(f"the addresses can't be read: these are {len(lines)}, and {MOST} are taken")
    return Asked([decoded(line, str, f"line {number} is no address") for number, line in lines])


async def _of(request: Request, addresses: list[str]) -> Found:
    lookup: Lookup = request.app.state.lookup
    return await lookup.of(exact(request.path_params["domain"]), addresses)


def _tags(given: list[str]) -> list[str]:
    return [exact(tag) for tag in given]


_TAG: Final = Parameter("tag", "a tag of the mail, or `list:` and a list's name", repeated=True)
OPERATIONS: Final = (
    Operation(
        "GET",
        PATH,
        one,
        "ask",
        "Ask whether an address is not to be written to",
        parameters=(Parameter("address", "the address", required=True), _TAG),
        answers={200: One},
    ),
    Operation(
        "POST",
        PATH,
        many,
        "ask",
        "Ask which addresses are not to be written to",
        parameters=(_TAG,),
        body={JSON: Asked, LINES: str},
        answers={200: Many},
        most=MOST_BYTES,
    ),
)
