"""The budget: the CA's limits, kept to before the CA has to say so. Pure.

In: when what a limit counts happened. Out: when there is room again. The limits are Let's Encrypt's
(letsencrypt.org/docs/rate-limits, November 2026); what the CA itself says overrules them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from certs.renewal import DAY, HOUR
from certs.vault.attempts import What


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` of `what` within `seconds`, counted for each `by`.

    `always` counts renewals too that the CA was told of and therefore doesn't count.
    """

    what: What
    by: Literal["directory", "registered", "name"]
    most: int
    seconds: float
    says: str
    always: bool = False


LIMITS: Final = (
    Limit("ordered", "directory", 300, 3 * HOUR, "300 orders of an account within 3 hours"),
    Limit("issued", "registered", 50, 7 * DAY, "50 certificates of a domain within 7 days"),
    Limit("issued", "name", 5, 7 * DAY, "5 certificates of the same name within 7 days"),
    Limit("unproven", "name", 5, HOUR, "5 failed validations of a name within an hour", True),
    # Our own: a CA that says "renew now" of each new certificate must not be obeyed for ever.
    Limit("issued", "name", 8, DAY, "8 certificates of the same name within a day", True),
)

# Second-level labels beneath which registries of two-letter countries register names. It needn't
# be whole as the public suffix list is: where it errs, the CA's own answer decides.
# fmt: off
SHARED: Final = frozenset((
    "ac", "asn", "co", "com", "edu", "go", "gob", "gov", "gr", "ltd", "me", "mil", "ne", "net",
    "nom", "or", "org", "plc", "sch",
))
# fmt: on


def free_at(limit: Limit, times: Sequence[float], now: float) -> float:
    """Return when one more fits in, `now` if it does already; `times` are those that count."""
    within = sorted(at for at in times if now - limit.seconds < at <= now)
    if len(within) < limit.most:
        return now
    return within[-limit.most] + limit.seconds


def registered(name: str) -> str:
    """Return the domain that a host name was registered under."""
    labels = name.split(".")
    shared = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SHARED
    return ".".join(labels[-3:] if shared else labels[-2:])
