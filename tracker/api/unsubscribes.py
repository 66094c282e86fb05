"""Unsubscribes: `/v3/{domain}/unsubscribes`, in Mailgun's form.

A row is `{"address": "…", "tags": ["*"], "created_at": "…"}`; `*` stands for all mail of the
domain, `list:` and a name for a list. Pages are in the order of addresses.
"""

import csv
import io
import time
from collections.abc import Iterable, Iterator
from email.utils import formatdate
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.body import decoded
from tracker.api.form import fields
from tracker.api.grant import Grant
from tracker.api.links import origin
from tracker.api.listing import moment
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.store.decision import ALL
from tracker.store.row import SECOND, exact
from tracker.store.suppressions import MOST, Place, Suppression, Suppressions

PATH: Final = "/v3/{domain}/unsubscribes"
DEFAULT_LIMIT: Final = 100
MOST_POSTED: Final = 1_000
MOST_BYTES: Final = 26 << 20  # a CSV file of 25 MB and the form around it
MOST_CHARACTERS: Final = 320  # of an address, RFC 3696 §3
MOST_TAG_CHARACTERS: Final = 128
TOLD_WRONG: Final = 5  # lines of a file that are told to be wrong
JSON: Final = "application/json"
UNKNOWN: Final = "Address not found in unsubscribers table"


class Unsubscribe(msgspec.Struct, frozen=True):
    """One address, what it has unsubscribed from, and when."""

    address: str
    tags: list[str]
    created_at: str


class Paging(msgspec.Struct, frozen=True):
    """The links to other pages."""

    first: str
    next: str
    previous: str
    last: str


class Page(msgspec.Struct, frozen=True):
    """A page of addresses."""

    items: list[Unsubscribe]
    paging: Paging


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done, and to which address where it was one."""

    message: str
    address: str = ""


class Given(msgspec.Struct, frozen=True):
    """One address of a JSON list."""

    address: str
    tags: Annotated[list[str], msgspec.Meta(max_length=100)] = []
    tag: str = ""
    created_at: str = ""


async def listed(request: Request) -> Answer:
    """Answer with a page; 400 tells what is wrong, 503 to try later."""
    limit = number(request, "limit", DEFAULT_LIMIT, 1, MOST)
    asked = request.query_params
    way, address = asked.get("page", "first"), exact(asked.get("address", ""))
    prefix = asked.get("term", "")
    places = {
        "first": Place(),
        "next": Place("after", address),
        "previous": Place("before", address),
        "last": Place("before"),
    }
    if way not in places:
        raise Refused(f"`page` is one of {', '.join(places)}")
    found = await _suppressions(request).page(_domain(request), places[way], limit, prefix)
    ends = (found[0].address, found[-1].address) if found else (address, address)
    return answered(Page([_shown(one) for one in found], _paging(request, limit, prefix, ends)))


async def shown(request: Request) -> Answer:
    """Answer with one address; 404 if it may be written to."""
    found = await _suppressions(request).of(_domain(request), [request.path_params["address"]])
    for one in found.values():
        return answered(_shown(one))
    raise Refused(UNKNOWN, 404)


async def added(request: Request) -> Answer:
    """Add one address from a form, or up to 1,000 from JSON; 400 names what is wrong, adds none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON:
        rows = _from_json(await request.body())
        done = Told(f"{len(rows)} addresses have been added to the unsubscribes table")
    else:
        rows = [_from_form(await fields(request))]
        done = Told("Address has been added to the unsubscribes table", rows[0].address)
    await _suppressions(request).add(_domain(request), rows, _who(request))
    return answered(done)


async def imported(request: Request) -> Answer:
    """Add the addresses of a CSV file; 400 names the lines that are wrong, and none is added."""
    # Mailgun's documents call the field `file`, and the examples of its clients otherwise.
    files = [value for _, value in await fields(request)]
    if len(files) != 1:
        raise Refused("the form should hold one file, of CSV: address, tags, created_at")
    await _suppressions(request).add(_domain(request), from_csv(files[0]), _who(request))
    return answered(Told("file uploaded successfully for processing. standby"), 202)


async def removed(request: Request) -> Answer:
    """Let an address be written to again, or mail of one `tag`; 404 if it could be."""
    address, tag = request.path_params["address"], request.query_params.get("tag")
    suppressions = _suppressions(request)
    if not await suppressions.remove(
        _domain(request), address, _who(request), exact(tag) if tag else None
    ):
        raise Refused(UNKNOWN, 404)
    return answered(Told("Unsubscribe event has been removed", exact(address)))


def _from_form(form: list[tuple[str, str]]) -> Suppression:
    given = dict(form)
    tags = [value for name, value in form if name in {"tag", "tags"}]
    return _suppression(given.get("address", ""), tags, given.get("created_at", ""))


def _from_json(body: bytes) -> list[Suppression]:
    given = decoded(body, list[Given] | Given, "the body should be a list of addresses")
    rows = [given] if isinstance(given, Given) else given
    if len(rows) > MOST_POSTED:
        raise Refused(f"one request adds up to {MOST_POSTED} addresses; a file takes more")
    found = []
    for place, one in enumerate(rows, 1):
        try:
            tags = [*one.tags, *([one.tag] if one.tag else [])]
            found.append(_suppression(one.address, tags, one.created_at))
        except Refused as error:
            raise Refused(f"address {place}: {error.message}") from error
    return found


def from_csv(text: str) -> list[Suppression]:
    """Read `address, tags, created_at` in the order of a header line, or addresses alone.

    Raises Refused with the lines that are wrong.
    """
    found, wrong = [], []
    for line, given in _lines(text):
        try:
            tags = [tag for tag in given.get("tags", given.get("tag", "")).split(" ") if tag]
            address, created = given.get("address", ""), given.get("created_at", "")
            found.append(_suppression(address, tags, created))
        except Refused as error:
            wrong.append(f"line {line}: {error.message}")
    if wrong:
        more = f", and {len(wrong) - TOLD_WRONG} more" if len(wrong) > TOLD_WRONG else ""
        raise Refused(f"nothing was added; {'; '.join(wrong[:TOLD_WRONG])}{more}")
    return found


def _lines(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    header: list[str] = []
    try:
        for cells in reader:
            values = [cell.strip() for cell in cells]
            if not any(values):
                continue
            if not header:
                lower = [value.lower() for value in values]
                header = lower if "address" in lower else ["address"]
                if header is lower:
                    continue
            yield reader.line_num, dict(zip(header, values, strict=False))
    except csv.Error as error:
        raise Refused(f"line {reader.line_num}: {error}") from error


def _suppression(address: str, tags: Iterable[str], created: str) -> Suppression:
    known = exact(address)
    local, at, host = known.rpartition("@")
    if not (local and at and host and len(known) <= MOST_CHARACTERS and known.isprintable()):
        raise Refused(f"`address` should be one such as ann@example.com, not {address[:80]!r}")
    if " " in known:
        raise Refused(f"`address` should be the address alone, not {address[:80]!r}")
    kept = tuple(dict.fromkeys(exact(tag) for tag in tags)) or (ALL,)
    if any(not tag or len(tag) > MOST_TAG_CHARACTERS for tag in kept):
        raise Refused(f"a tag has 1 to {MOST_TAG_CHARACTERS} characters")
    return Suppression(known, kept, _when(created))


def _when(created: str) -> int:
    now = time.time_ns() // 1_000
    return min(moment("created_at", created), now) if created else now


def _shown(one: Suppression) -> Unsubscribe:
    return Unsubscribe(one.address, list(one.tags), formatdate(one.at // SECOND, usegmt=True))


def _paging(request: Request, limit: int, prefix: str, ends: tuple[str, str]) -> Paging:
    domain = quote(request.path_params["domain"], safe="")
    here = f"{origin(request)}/v3/{domain}/unsubscribes"
    first, last = ends

    def link(page: str, address: str = "") -> str:
        asked = {"page": page, "address": address, "limit": str(limit), "term": prefix}
        return f"{here}?{urlencode({name: value for name, value in asked.items() if value})}"

    return Paging(link("first"), link("next", last), link("previous", first), link("last"))


def _suppressions(request: Request) -> Suppressions:
    return Suppressions(request.app.state.store)


def _domain(request: Request) -> str:
    return exact(request.path_params["domain"])


def _who(request: Request) -> str:
    grant: Grant = request.state.grant
    return grant.who


_PAGE: Final[dict[str, Any]] = {"enum": ["first", "next", "previous", "last"]}
OPERATIONS: Final = (
    Operation(
        "GET",
        PATH,
        listed,
        "read",
        "List who has unsubscribed",
        parameters=(
            Parameter("limit", "a page", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter("page", "which page", _PAGE),
            Parameter("address", "what the page is beside"),
            Parameter("term", "what addresses begin with"),
        ),
        answers={200: Page},
    ),
    Operation(
        "POST",
        PATH,
        added,
        "write",
        "Add addresses",
        body={
            "application/x-www-form-urlencoded": dict[str, str],
            "multipart/form-data": dict[str, str],
            JSON: list[Given],
        },
        answers={200: Told},
    ),
    Operation(
        "POST",
        f"{PATH}/import",
        imported,
        "write",
        "Add the addresses of a CSV file",
        body={"multipart/form-data": dict[str, str]},
        answers={202: Told},
        most=MOST_BYTES,
    ),
    Operation(
        "GET",
        f"{PATH}/{{address}}",
        shown,
        "read",
        "See what an address has unsubscribed from",
        answers={200: Unsubscribe},
    ),
    Operation(
        "DELETE",
        f"{PATH}/{{address}}",
        removed,
        "write",
        "Let an address be written to again",
        parameters=(Parameter("tag", "of mail with this tag alone"),),
        answers={200: Told},
    ),
)
