"""The trace: `GET /v1/{domain}/report/events`, the events behind a figure of the report.

In: a figure's name and the report's period. Out: the events that it counts, a page at a time; of a
figure that counts recipients, the events that made each of them one.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, Refused, answered
from tracker.api.links import origin
from tracker.api.operation import Operation, Parameter
from tracker.api.period import PARAMETERS, Period, spanned
from tracker.api.report import TAG
from tracker.store.database import Store
from tracker.store.figures import Told
from tracker.store.page import Found
from tracker.store.pair import HOUR, Pair, key, shares
from tracker.store.query import Key, Walk
from tracker.store.row import ID_CHARACTERS, LATEST, exact, row
from tracker.store.stats import Stats
from tracker.store.tree import AllOf, AnyOf, Match, Tree

LIMIT: Final = 300
ROUNDS: Final = 10  # pages of the store that one answer looks through
EARLIER: Final = (
    24  # hours before its delivery that an open may be known, clocks being what they are
)

# Of figures that count recipients: the kinds of events, and what of its pair each must tell of.
SLOTS: Final = {
    "unique.opened": ("read", "fetched"),
    "unique.clicked": ("clicked", "followed"),
    "unique.unsubscribed": ("unsubscribed",),
    "unique.complained": ("complained",),
    "sent.delivered": ("delivered",),
    **{f"{cohort}.readers": ("read", "clicked") for cohort in ("sent", "stray")},
    **{f"{cohort}.hidden": ("fetched",) for cohort in ("sent", "stray")},
    **{f"{cohort}.clickers": ("clicked",) for cohort in ("sent", "stray")},
}
KINDS: Final = {"read": "opened", "fetched": "opened", "followed": "clicked"}  # others: as the slot


class Trace(msgspec.Struct, frozen=True):
    """Events, and the link to those behind them; null where there are none."""

    items: list[msgspec.Raw]
    next: str | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which figure's events, of which mail and which period."""

    domain: str
    tag: str
    figure: str
    period: Period

    def walk(self, start: Key | None) -> Walk:
        """Return the walk to all events that the figure may count. Raises Refused."""
        low, high = self.period.low * HOUR, (self.period.high + 1) * HOUR - 1
        if self.figure.startswith(("sent.", "stray.")):
            # What a recipient did counts at the hour of the delivery, whenever it was done.
            low, high = max(0, low - EARLIER * HOUR), LATEST
        parts: list[Tree] = [AnyOf(tuple(Match("event", kind) for kind in sorted(self._kinds())))]
        if self.tag:
            parts.append(Match("tags", self.tag))
        return Walk(self.domain, True, LIMIT, low, high, AllOf(tuple(parts)), start)

    async def behind(self, store: Store, page: Sequence[Found]) -> list[Found]:
        """Return the events of a page that the figure counts."""
        if self.figure not in SLOTS:
            return [one for one in page if self.figure in Told(one.document).names()]
        keys = {
            one.key: key(row(one.document, self.domain))
            for one in page
            if Told(one.document).slot() in SLOTS[self.figure]
        }
        pairs = await Stats(store).pairs([known for known in keys.values() if known is not None])
        counted = {known for known, pair in pairs.items() if self._counts(pair)}
        return [one for one in page if keys.get(one.key) in counted]

    def _counts(self, pair: Pair) -> bool:
        return any(
            (tag, name) == (self.tag, self.figure) and self.period.low <= hour <= self.period.high
            for tag, hour, name in shares(pair)
        )

    def _kinds(self) -> set[str]:
        if self.figure in SLOTS:
            return {KINDS.get(slot, slot) for slot in SLOTS[self.figure]}
        kind = self.figure.removeprefix("reason.").partition(".")[0]
        if kind not in {"opened", "clicked"}:
            raise Refused("`figure` is one of the report's, as its links have it")
        return {kind}


async def trace(request: Request) -> Answer:
    """Answer with the events behind a figure; 400 tells what is wrong, 503 to try later.

    A page may be empty and still have a `next`: each looks through so many events and no more.
    """
    query = request.query_params
    wanted = Wanted(
        exact(request.path_params["domain"]),
        exact(query.get("tag", "")),
        query.get("figure", ""),
        spanned(query, time.time_ns() // 1_000),
    )
    walk = wanted.walk(_place(query.get("after")))
    store: Store = request.app.state.store
    items: list[msgspec.Raw] = []
    for _ in range(ROUNDS):
        if not (page := await store.page(walk)):
            return answered(Trace(items, None))
        items += [msgspec.Raw(one.document) for one in await wanted.behind(store, page)]
        last = page[-1].key
        walk = replace(walk, start=last)
        if len(items) >= LIMIT:
            break
    onward = dict(query) | {"after": f"{last.at}.{last.id}"}
    return answered(Trace(items, f"{origin(request)}{request.url.path}?{urlencode(onward)}"))


def _place(after: str | None) -> Key | None:
    if after is None:
        return None
    at, _, id_ = after.partition(".")
    if not (at.isascii() and at.isdigit() and len(at) < 17 and len(id_) <= ID_CHARACTERS):
        raise Refused("`after` is that of a `next`, as it is")
    return Key(int(at), id_)


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/{domain}/report/events",
        trace,
        "read",
        "List the events behind a figure of the report",
        parameters=(
            Parameter("figure", "the figure's name, such as `clicked.machine`", required=True),
            *PARAMETERS,
            TAG,
            Parameter("after", "where the page begins, as a `next` has it"),
        ),
        answers={200: Trace},
    ),
)
