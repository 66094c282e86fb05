"""A period: from which hour to which, and in what steps, a request wants figures.

In: `start`, `end`, `resolution` and `duration` as Mailgun's stats take them. Out: a Period, or
Refused. Hours are counted from 1970; days and months begin at midnight UTC.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from tracker.api.answer import Refused
from tracker.api.listing import moment
from tracker.api.operation import Parameter
from tracker.store.pair import HOUR

HOURS: Final = {"hour": 1, "day": 24, "month": 24}  # what the store adds up; months are days' sums
UNITS: Final = {"h": ("hour", 1), "d": ("day", 24), "m": ("month", 30 * 24)}
DURATION = re.compile(r"([0-9]{1,6})([mdh])")
WEEK: Final = 7 * 24
MOST_POINTS: Final = 2_000

PARAMETERS: Final = (
    Parameter("start", "a time as in RFC 2822, or in seconds since 1970; else a week ago"),
    Parameter("end", "the same; else now"),
    Parameter("duration", "instead of `start`: hours, days or months before `end`, such as `30d`"),
)
RESOLUTION: Final = Parameter(
    "resolution", "what one figure stands for", {"enum": ["hour", "day", "month"]}
)


@dataclass(frozen=True, slots=True)
class Period:
    """The hours from `low` to `high`, both included, in steps of a resolution."""

    low: int
    high: int
    resolution: str

    @property
    def step(self) -> int:
        """The hours that the store adds up to one figure."""
        return HOURS[self.resolution]

    def points(self) -> list[int]:
        """Return the hours that the period's steps begin with."""
        hours = range(self.low, self.high + 1, self.step)
        return list(dict.fromkeys(begun(hour, self.resolution) for hour in hours))


def requested(query: Mapping[str, str], now: int) -> Period:
    """Read a request's parameters; `now` is in microseconds. Raises Refused."""
    span, implied = _span(query, now)
    resolution = query.get("resolution", implied)
    if resolution not in HOURS:
        raise Refused("`resolution` is hour, day or month")
    period = Period(begun(span.low, resolution), span.high, resolution)
    if (span.high - span.low) // period.step > MOST_POINTS and resolution != "month":
        raise Refused(
            f"these are more than {MOST_POINTS} figures:"
            " take a shorter period or a coarser `resolution`"
        )
    return period


def spanned(query: Mapping[str, str], now: int) -> Period:
    """Read a request's parameters but for its resolution, to the hour. Raises Refused."""
    return _span(query, now)[0]


def _span(query: Mapping[str, str], now: int) -> tuple[Period, str]:
    end = moment("end", query["end"]) // HOUR if "end" in query else now // HOUR
    start, implied = max(0, end - WEEK), "day"
    if "duration" in query:
        start, implied = _before(end, query["duration"])
    elif "start" in query:
        start = moment("start", query["start"]) // HOUR
    if start > end:
        raise Refused("`start` is later than `end`")
    return Period(start, end, "hour"), implied


def begun(hour: int, resolution: str) -> int:
    """Return the hour in which the hour, day or month of an hour began."""
    if resolution == "month":
        days = moment_of(hour).day - 1
        return hour - hour % 24 - days * 24
    return hour - hour % HOURS[resolution]


def moment_of(hour: int) -> datetime:
    """Return when an hour begins."""
    return datetime.fromtimestamp(hour * 3600, UTC)


def written(hour: int) -> str:
    """Write when an hour begins, as RFC 2822 does and Mailgun's clients read it."""
    return format_datetime(moment_of(hour)).replace("+0000", "UTC")


def _before(end: int, duration: str) -> tuple[int, str]:
    found = DURATION.fullmatch(duration)
    if found is None:
        raise Refused("`duration` is a number with h, d or m: hours, days or months, such as `30d`")
    resolution, hours = UNITS[found[2]]
    return max(0, end - int(found[1]) * hours), resolution
