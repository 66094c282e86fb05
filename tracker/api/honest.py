"""Honest figures: how many read, as far as anybody can know it.

In: how many recipients got the mail (D), how many are known to have read it (H), and how many only
a machine opened it for (M). Out: a floor, an estimate with its interval, a ceiling. Among the M may
be readers, whom Apple's proxy and gateways hide: the floor counts none of them, the ceiling all.
"""

import math
from typing import Final

import msgspec

Z: Final = 1.959964  # of 95 %
FEWEST: Final = 100  # recipients who aren't hidden: below, an interval says next to nothing
MOST_HIDDEN: Final = 0.7  # of all recipients: above, those who are left are too unlike them
ASSUMES: Final = "that those whom machines hide read as often as the others do"


class Rate(msgspec.Struct, frozen=True):
    """A part of a whole; `rate` is null where the whole is nothing."""

    count: int
    of: int
    rate: float | None


class Estimate(msgspec.Struct, frozen=True):
    """A rate with the ends of its 95 % interval, or why there is none."""

    rate: float | None
    low: float | None
    high: float | None
    assumes: str
    withheld: str


def rate(count: int, of: int) -> Rate:
    """Return a part of a whole."""
    return Rate(count, of, round(count / of, 6) if of else None)


def estimate(delivered: int, readers: int, hidden: int) -> Estimate:
    """Estimate the rate of readers among all recipients from those who aren't hidden."""
    seen = delivered - hidden
    if why := _withheld(delivered, hidden):
        return Estimate(None, None, None, ASSUMES, why)
    low, high = wilson(readers, seen)
    return Estimate(round(readers / seen, 6), round(low, 6), round(high, 6), ASSUMES, "")


def wilson(count: int, of: int) -> tuple[float, float]:
    """Return the 95 % interval of a rate (E. B. Wilson, JASA 22, 1927, pp. 209-212)."""
    share = count / of
    middle = share + Z * Z / (2 * of)
    reach = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    scale = 1 + Z * Z / of
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def _withheld(delivered: int, hidden: int) -> str:
    if not delivered:
        return (
            "no delivery is known: post `delivered` events, or run `tracker ingest postfix`;"
            " a tag's must have the tag"
        )
    if delivered - hidden < FEWEST:
        return f"of {delivered - hidden} recipients it could be seen; below {FEWEST} that is chance"
    if hidden > MOST_HIDDEN * delivered:
        return f"machines hide {hidden} of {delivered} recipients; above 70 % the rest says little"
    return ""
