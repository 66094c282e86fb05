"""Stats: `GET /v3/{domain}/stats/total`, figures by hour, day or month, in Mailgun's form.

They count every event, machines' too, as Mailgun does; who was a person is told by the report. A
figure's `unique`, beside Mailgun's `total`, counts each recipient of each message once.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.grant import Grant
from tracker.api.operation import Operation, Parameter
from tracker.api.period import PARAMETERS, RESOLUTION, Period, begun, requested, written
from tracker.store.figures import PERMANENT, WHO
from tracker.store.row import exact
from tracker.store.stats import Counts, Stats
from tracker.store.tally import ALL_MAIL

TEMPORARY: Final = ("espblock",)

# The figures that make up what Mailgun tells of a kind, by the name it gives them.
PARTS: Final[Mapping[str, Mapping[str, str]]] = {
    "accepted": {"incoming": "accepted.incoming", "outgoing": "accepted.outgoing"},
    "delivered": {"smtp": "delivered.smtp", "http": "delivered.http"},
    "opened": {who: f"opened.{who}" for who in WHO},
    "clicked": {who: f"clicked.{who}" for who in WHO},
    "unsubscribed": {"all": "unsubscribed"},
    "complained": {"all": "complained"},
    "stored": {"all": "stored"},
}
FAILED: Final[Mapping[str, Mapping[str, str]]] = {
    severity: {reason: f"failed.{severity}.{reason}" for reason in (*reasons, "other")}
    for severity, reasons in {"temporary": TEMPORARY, "permanent": PERMANENT}.items()
}
UNIQUE: Final = ("opened", "clicked", "unsubscribed", "complained")
SHOWN: Final = ("accepted", "delivered")  # the kinds whose parts Mailgun shows, not just their sum
KINDS: Final = ("accepted", "delivered", "failed", *list(PARTS)[2:])


async def total(request: Request) -> Answer:
    """Answer with a domain's figures; 400 tells what is wrong, 503 to try later."""
    domain = exact(request.path_params["domain"])
    return answered(await told(request, [domain], ALL_MAIL))


async def account(request: Request) -> Answer:
    """Answer with the figures of all domains together that the key is for."""
    grant: Grant = request.state.grant
    stats = Stats(request.app.state.store)
    return answered(await told(request, sorted(grant.domains) or await stats.domains(), ALL_MAIL))


async def told(request: Request, domains: list[str], tag: str) -> dict[str, Any]:
    """Return the figures that a request asks for, of domains together. Raises Refused."""
    query, kinds = request.query_params, request.query_params.getlist("event")
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise Refused(f"`event` is one of {', '.join(KINDS)}, and not {unknown[0][:80]!r}")
    if not kinds:
        raise Refused(f"`event` should name what to count: one or more of {', '.join(KINDS)}")
    period = requested(query, time.time_ns() // 1_000)
    names = [name for kind in kinds for name in names_of(kind)]
    stats, counts = Stats(request.app.state.store), Counter[tuple[int, str]]()
    for domain in domains:
        found = await stats.by_hour(domain, tag, period.low, period.high, names, step=period.step)
        counts.update(_by_point(found, period))
    return {
        "start": written(period.low),
        "end": written(begun(period.high, period.resolution)),
        "resolution": period.resolution,
        "stats": [
            {"time": written(hour)}
            | {kind: shaped(kind, {name: counts[hour, name] for name in names}) for kind in kinds}
            for hour in period.points()
        ],
    }


def names_of(kind: str) -> list[str]:
    """Return the names of the figures that a kind's counts are made of."""
    if kind == "failed":
        return [name for parts in FAILED.values() for name in parts.values()]
    return [*PARTS[kind].values(), *([f"unique.{kind}"] if kind in UNIQUE else ())]


def shaped(kind: str, counts: Counts) -> dict[str, Any]:
    """Write a kind's counts as Mailgun does."""
    if kind == "failed":
        return {severity: _shaped(FAILED[severity], counts, shown=True) for severity in FAILED}
    shape: dict[str, Any] = _shaped(PARTS[kind], counts, shown=kind in SHOWN)
    return shape | ({"unique": counts.get(f"unique.{kind}", 0)} if kind in UNIQUE else {})


def _shaped(parts: Mapping[str, str], counts: Counts, *, shown: bool) -> dict[str, int]:
    each = {part: counts.get(name, 0) for part, name in parts.items()}
    total = {"total": sum(each.values())}
    each.pop("other", None)  # in the total alone: Mailgun has no name for it
    return each | total if shown else total


def _by_point(found: Mapping[int, Counts], period: Period) -> Counter[tuple[int, str]]:
    counts: Counter[tuple[int, str]] = Counter()
    for hour, named in found.items():
        for name, count in named.items():
            counts[begun(hour, period.resolution), name] += count
    return counts


EVENT: Final = Parameter(
    "event", "what to count", {"enum": list(KINDS)}, required=True, repeated=True
)
ASKED: Final = (EVENT, *PARAMETERS, RESOLUTION)
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v3/{domain}/stats/total",
        total,
        "read",
        "Count a sending domain's events by hour, day or month",
        parameters=ASKED,
    ),
    Operation(
        "GET",
        "/v3/stats/total",
        account,
        "read",
        "Count the events of all sending domains by hour, day or month",
        parameters=ASKED,
        domainless=True,
    ),
)
