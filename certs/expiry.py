"""Expiry: what there is to shout about a certificate. Pure: times in, an alert's kind out.

A renewal is tried long before any of this; each stage means that it failed all the while.
"""

from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from certs.renewal import DAY, HOUR, MINUTE, life_left_at_renewal

Kind = Literal[
    "renewal-missed", "expires-7", "expires-3", "expires-1", "expired", "rejected", "suspended"
]
Severity = Literal["warning", "error"]

EXPIRED_EVERY: Final = 300.0  # seconds between two shouts while a certificate is expired


class Alert(msgspec.Struct, frozen=True):
    """What happened to a name, and what the operator should do. Times are in Unix seconds.

    The same name, kind and `occasion` are one alert: a certificate's generation, or when a state
    began.
    """

    kind: Kind
    name: str
    severity: Severity
    says: str
    fix: str
    occasion: int
    at: float
    not_after: int = 0


@dataclass(frozen=True, slots=True)
class Stage:
    """Reached when less than `left` seconds, and less than `share` of the life, are left."""

    kind: Kind
    severity: Severity
    left: float
    share: float


# The shares are of the 45 days that Let's Encrypt's certificates live: what lives shorter is
# alerted of later.
STAGES: Final = (
    Stage("expired", "error", 0, 0),
    Stage("expires-1", "error", 1 * DAY, 1 / 45),
    Stage("expires-3", "error", 3 * DAY, 3 / 45),
    Stage("expires-7", "warning", 7 * DAY, 7 / 45),
)
# How much of its life a certificate may live on after it should have been renewed.
MISSED: Final = Stage("renewal-missed", "warning", 0, 1 / 15)


def stage(not_before: float, not_after: float, now: float) -> Stage | None:
    """Return the worst stage that a certificate has reached; None while all is well."""
    life, left = not_after - not_before, not_after - now
    for each in STAGES:
        if left <= min(each.left, each.share * life):
            return each
    missed = life_left_at_renewal(not_before, not_after) - MISSED.share * life
    return MISSED if left <= missed else None


def sentence(not_after: float, now: float) -> str:
    """Say how long a certificate still has."""
    left = not_after - now
    if left <= 0:
        return f"The certificate expired {_span(-left)} ago, and is served all the same."
    return f"The certificate expires in {_span(left)} and was not renewed."


def _span(seconds: float) -> str:
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if (number := int(seconds // unit)) >= 1:
            return f"{number} {name}" + ("" if number == 1 else "s")
    return "less than a minute"
