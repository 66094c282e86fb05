"""Unsubscribes: `/v3/{domain}/unsubscribes`, in Mailgun's form.

A row is `{"address": "…", "tags": ["*"], "created_at": "…"}`; `*` stands for all mail of the
domain, `list:` and a name for a list. Pages are in the order of addresses.
"""

from email.utils import formatdate
from typing import Any, Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import fields
from tracker.api.grant import Grant
from tracker.api.links import Paging, around, listing
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.api.unsubscribes_given import Given, from_csv, from_form, from_json
from tracker.store.row import SECOND, exact
from tracker.store.suppressions import MOST, Place, Suppression, Suppressions

PATH: Final = "/v3/{domain}/unsubscribes"
DEFAULT_LIMIT: Final = 100
MOST_BYTES: Final = 26 << 20  # a CSV file of 25 MB and the form around it
JSON: Final = "application/json"
UNKNOWN: Final = "Address not found in unsubscribers table"


class Unsubscribe(msgspec.Struct, frozen=True):
    """One address, what it has unsubscribed from, and when."""

    address: str
    tags: list[str]
    created_at: str


class Page(msgspec.Struct, frozen=True):
    """A page of addresses."""

    items: list[Unsubscribe]
    paging: Paging


class Told(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done, and to which address where it was one."""

    message: str
    address: str = ""


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
    given = {"limit": str(limit), "term": prefix}
    paging = around(listing(request, "unsubscribes"), "address", ends, given)
    return answered(Page([_shown(one) for one in found], paging))


async def shown(request: Request) -> Answer:
    """Answer with one address; 404 if it may be written to."""
    found = await _suppressions(request).of(_domain(request), [request.path_params["address"]])
    for one in found.values():
        return answered(_shown(one))
    raise Refused(UNKNOWN, 404)


async def added(request: Request) -> Answer:
    """Add one address from a form, or up to 1,000 from JSON; 400 names what is wrong, adds none."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON:
        rows = from_json(await request.body())
        done = Told(f"{len(rows)} addresses have been added to the unsubscribes table")
    else:
        rows = [from_form(await fields(request))]
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


def _shown(one: Suppression) -> Unsubscribe:
    return Unsubscribe(one.address, list(one.tags), formatdate(one.at // SECOND, usegmt=True))


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
