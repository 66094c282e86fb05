"""Tags: `/v3/{domain}/tags`, which there are, what they are for, and their figures.

A tag comes with the first event that has it; upper and lower case are alike. A tag that is deleted
leaves the list, and comes back with the next event that has it: events and figures stay.
"""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.form import URLENCODED, once
from tracker.api.grant import Grant
from tracker.api.links import Paging, around, listing
from tracker.api.number import number
from tracker.api.operation import Operation, Parameter
from tracker.api.stats import ASKED, told
from tracker.store import audit
from tracker.store.row import SECOND, exact
from tracker.store.stats import KnownTag, Stats, TagPage

DEFAULT_LIMIT: Final = 100
MOST: Final = 1_000
PAGES: Final = ("first", "next", "previous", "last")
DESCRIPTION_CHARACTERS: Final = 1_000
LISTS: Final = {"countries": "country", "providers": "provider", "devices": "device"}
COUNTED: Final = (
    *("accepted", "delivered", "opened", "unique_opened", "clicked", "unique_clicked"),
    *("unsubscribed", "complained"),
)


class Tag(msgspec.Struct, frozen=True, rename="kebab"):
    """A tag; the times are those of its first and its last event."""

    tag: str
    description: str
    first_seen: str
    last_seen: str


class Tags(msgspec.Struct, frozen=True):
    """A page of tags, in the order of their names."""

    items: list[Tag]
    paging: Paging


class Said(msgspec.Struct, frozen=True):
    """What was done."""

    message: str


async def listed(request: Request) -> Answer:
    """Answer with a page of tags; an empty one is the end."""
    query = request.query_params
    page, pivot, prefix = query.get("page", "first"), query.get("tag"), query.get("prefix", "")
    if page not in PAGES:
        raise Refused(f"`page` is one of {', '.join(PAGES)}")
    if page in {"next", "previous"} and pivot is None:
        raise Refused("`page` needs the `tag` that it is behind or before")
    wanted = TagPage(
        number(request, "limit", DEFAULT_LIMIT, 1, MOST),
        exact(prefix),
        after=exact(pivot) if pivot is not None and page == "next" else None,
        before=exact(pivot) if pivot is not None and page == "previous" else None,
        last=page == "last",
    )
    found = await _stats(request).tags(_domain(request), wanted)
    edges = (found[0].tag, found[-1].tag) if found else (pivot or "", pivot or "")
    given = {"limit": str(wanted.limit), "prefix": prefix}
    paging = around(listing(request, "tags"), "tag", edges, given)
    return answered(Tags([_written(tag) for tag in found], paging))


async def one(request: Request) -> Answer:
    """Answer with a tag; 404 if no event had it."""
    return answered(_written(await _known(request)))


async def describe(request: Request) -> Answer:
    """Give a tag a description; 404 if no event had it, 400 and 415 for the form."""
    description = (await once(request)).get("description")
    if description is None or len(description) > DESCRIPTION_CHARACTERS:
        raise Refused(f"`description` should be there, in {DESCRIPTION_CHARACTERS} characters")
    known = await _known(request)
    if not await _stats(request).describe(_domain(request), known.tag, description):
        raise _missing()
    changed = {"before": {"description": known.description}, "after": {"description": description}}
    await _log(request, "tag.describe", **changed)
    return answered(Said("Tag updated"))


async def drop(request: Request) -> Answer:
    """Take a tag off the list; 404 if it isn't there."""
    if not await _stats(request).drop(_domain(request), _tag(request)):
        raise _missing()
    await _log(request, "tag.remove")
    return answered(Said("Tag deleted"))


async def counted(request: Request) -> Answer:
    """Answer with a tag's figures, as `stats/total` does for all mail."""
    known = await _known(request)
    figures = await told(request, [_domain(request)], known.tag)
    return answered({"tag": known.tag, "description": known.description} | figures)


async def aggregated(request: Request) -> Answer:
    """Answer with a tag's figures by country, provider or device, over all time."""
    known, asked = await _known(request), request.path_params["list"]
    if asked not in LISTS:
        raise Refused(f"there are no such aggregates; there are {', '.join(LISTS)}", 404)
    dimension = LISTS[asked]
    found = await _stats(request).aggregates(_domain(request), known.tag, dimension)
    values: dict[str, Any] = {
        value: {name: counts.get(name, 0) for name in COUNTED} for value, counts in found.items()
    }
    return answered({"tag": known.tag, dimension: values})


def _written(tag: KnownTag) -> Tag:
    return Tag(tag.tag, tag.description, _time(tag.first_seen), _time(tag.last_seen))


def _time(at: int) -> str:
    return datetime.fromtimestamp(at // SECOND, UTC).isoformat().replace("+00:00", "Z")


async def _known(request: Request) -> KnownTag:
    known = await _stats(request).tag(_domain(request), _tag(request))
    if known is None:
        raise _missing()
    return known


def _stats(request: Request) -> Stats:
    return Stats(request.app.state.store)


def _domain(request: Request) -> str:
    return exact(request.path_params["domain"])


def _tag(request: Request) -> str:
    """Return the tag that a path names, or the query of Mailgun's other form, `/tag?tag=`."""
    named = request.path_params.get("tag") or request.query_params.get("tag")
    if not named:
        raise Refused("`tag` is missing: the tag that is meant, as in `?tag=sale`")
    return exact(named)


async def _log(request: Request, action: str, **changed: Any) -> None:
    grant: Grant = request.state.grant
    subject = f"{_domain(request)} {_tag(request)}"
    entry = audit.entry(grant.who, action, subject, **changed)
    await audit.Audit(request.app.state.store).add(entry)


def _missing() -> Refused:
    return Refused("no event had such a tag", 404)


NAMED: Final = Parameter("tag", "the tag, which here may hold a slash", required=True)
FORM: Final = {URLENCODED: dict[str, str]}


def _of_one(path: str, *named: Parameter) -> tuple[Operation, ...]:
    """Return what can be done with one tag, under a path that names it or asks for `?tag=`."""
    return (
        Operation("GET", path, one, "read", "Tell of a tag", parameters=named, answers={200: Tag}),
        Operation(
            "PUT",
            path,
            describe,
            "write",
            "Describe a tag",
            parameters=named,
            body=FORM,
            answers={200: Said},
        ),
        Operation(
            "DELETE",
            path,
            drop,
            "write",
            "Take a tag off the list",
            parameters=named,
            answers={200: Said},
        ),
        Operation(
            "GET",
            f"{path}/stats",
            counted,
            "read",
            "Count a tag's events by hour, day or month",
            parameters=(*named, *ASKED),
        ),
        Operation(
            "GET",
            f"{path}/stats/aggregates/{{list}}",
            aggregated,
            "read",
            f"Count a tag's events by one of {', '.join(LISTS)}",
            parameters=named,
        ),
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v3/{domain}/tags",
        listed,
        "read",
        "List a sending domain's tags",
        parameters=(
            Parameter("prefix", "what the tags begin with"),
            Parameter("limit", "tags a page", {"type": "integer", "minimum": 1, "maximum": MOST}),
            Parameter("page", "which page", {"enum": list(PAGES)}),
            Parameter("tag", "the tag that the page is behind or before"),
        ),
        answers={200: Tags},
    ),
    *_of_one("/v3/{domain}/tags/{tag}"),
    *_of_one("/v3/{domain}/tag", NAMED),
)
