"""The report: `GET /v1/{domain}/report`, who read and who clicked, people told from machines.

Rates are of messages that were delivered in the period, each recipient once, whenever they read
them. Every figure has a link to the events that it counts: `GET /v1/{domain}/report/events`.
"""

import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request

from tracker.api.answer import Answer, answered
from tracker.api.honest import Estimate, Rate, estimate, rate
from tracker.api.links import origin
from tracker.api.operation import Operation, Parameter
from tracker.api.period import PARAMETERS, Period, spanned, written
from tracker.store.figures import WHO
from tracker.store.row import exact
from tracker.store.stats import Counts, Stats

HOUR_SECONDS: Final = 3600
REASON: Final = "reason."
TAG: Final = Parameter("tag", "only mail with this tag")


class Counted(msgspec.Struct, frozen=True):
    """A figure, and the link to the events that it counts."""

    count: int
    events: str


class Readers(msgspec.Struct, frozen=True):
    """The rate of those who read. Show all three together: none is true alone."""

    floor: Rate
    estimate: Estimate
    ceiling: Rate


class Recipients(msgspec.Struct, frozen=True):
    """Pairs of a message and a recipient: known readers, those hidden by machines, clickers."""

    readers: Counted
    hidden: Counted
    clickers: Counted


class Sent(Recipients, frozen=True):
    """Those whom the mail was delivered to."""

    delivered: Counted


class Report(msgspec.Struct, frozen=True):
    """What is known of a domain's, or a tag's, mail of a period.

    `stray` are those who opened or clicked though nobody told of their delivery; no rate has them.
    `opened` and `clicked` count events by who it was, `machines` those of machines by the reason.
    """

    domain: str
    tag: str
    start: str
    end: str
    readers: Readers
    click_to_open: Rate
    sent: Sent
    stray: Recipients
    opened: dict[str, Counted]
    clicked: dict[str, Counted]
    machines: dict[str, dict[str, Counted]]
    unique: dict[str, Counted]


async def report(request: Request) -> Answer:
    """Answer with the figures; 400 tells what is wrong, 503 to try later."""
    period = spanned(request.query_params, time.time_ns() // 1_000)
    domain = exact(request.path_params["domain"])
    tag = exact(request.query_params.get("tag", ""))
    counts = await Stats(request.app.state.store).totals(domain, tag, period.low, period.high)
    return answered(reported(domain, tag, period, counts, origin(request)))


def reported(domain: str, tag: str, period: Period, counts: Counts, base: str) -> Report:
    """Put the report together; its links begin with `base`."""

    def counted(name: str) -> Counted:
        asked = {
            "figure": name,
            "start": str(period.low * HOUR_SECONDS),
            "end": str(period.high * HOUR_SECONDS),
        } | ({"tag": tag} if tag else {})
        url = f"{base}/v1/{quote(domain, safe='')}/report/events?{urlencode(asked)}"
        return Counted(counts.get(name, 0), url)

    def recipients(cohort: str) -> Mapping[str, Counted]:
        names = ("readers", "hidden", "clickers")
        return {name: counted(f"{cohort}.{name}") for name in names}

    sent = Sent(**recipients("sent"), delivered=counted("sent.delivered"))
    delivered, read = sent.delivered.count, sent.readers.count
    return Report(
        domain=domain,
        tag=tag,
        start=written(period.low),
        end=written(period.high),
        readers=Readers(
            rate(read, delivered),
            estimate(delivered, read, sent.hidden.count),
            rate(read + sent.hidden.count, delivered),
        ),
        click_to_open=rate(sent.clickers.count, read),
        sent=sent,
        stray=Recipients(**recipients("stray")),
        opened={who: counted(f"opened.{who}") for who in WHO},
        clicked={who: counted(f"clicked.{who}") for who in WHO},
        machines={
            kind: {
                name.removeprefix(f"{REASON}{kind}."): counted(name)
                for name in sorted(counts)
                if name.startswith(f"{REASON}{kind}.") and counts[name]
            }
            for kind in ("opened", "clicked")
        },
        unique={
            kind: counted(f"unique.{kind}")
            for kind in ("opened", "clicked", "unsubscribed", "complained")
        },
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/{domain}/report",
        report,
        "read",
        "Tell how many people read and clicked, as far as it can be known",
        parameters=(*PARAMETERS, TAG),
        answers={200: Report},
    ),
)
