"""Renewal: when to renew, and when to try again. Pure: times in, times out, in Unix seconds.

What is random elsewhere is drawn from a name here, so that a restart doesn't draw anew and all
names aren't renewed at once.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Final

MINUTE: Final = 60.0
HOUR: Final = 3_600.0
DAY: Final = 86_400.0

SHORT_LIVED: Final = 10 * DAY  # a life below which a certificate is renewed at half of it
ASK_AGAIN: Final = 12 * HOUR  # how often the CA is asked for its window: twice a day
JITTER: Final = 0.1

# After the CA refused or didn't answer; the last repeats.
BACK_OFF: Final = (1 * MINUTE, 10 * MINUTE, 100 * MINUTE, DAY)
# Until a name's DNS and addresses are ready, without the CA; the last repeats. Other machines hear
# of a name, and of the account, some seconds later, so the second look is soon.
PREFLIGHT: Final = (5.0, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR)
# Until HTTPS is seen on every address: workers take up a certificate at once, networks may not.
PROOF: Final = (2.0, 5.0, 15.0, MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR)
SUSPEND_AFTER: Final = 7 * DAY  # of DNS that leads elsewhere
SUSPENDED: Final = 6 * HOUR  # between two looks at a name whose DNS has left
RATE_LIMITED: Final = HOUR  # where the CA says "rate limited" and not for how long
PAUSED: Final = 5 * MINUTE  # between two looks at what the operator has to settle


@dataclass(frozen=True, slots=True)
class Window:
    """When the CA would like a renewal (RFC 9773)."""

    start: float
    end: float


def renew_at(not_before: float, not_after: float, window: Window | None, seed: str) -> float:
    """Return when to renew a certificate: within the CA's window, else at a share of its life.

    A share of the life is left then, and up to JITTER of that share more. A window that comes much
    later isn't waited for: it would leave no time to try again.
    """
    left = life_left_at_renewal(not_before, not_after)
    if window:
        drawn = window.start + _share(seed) * max(0.0, window.end - window.start)
        return min(drawn, not_after - left * (1 - JITTER))
    return not_after - left * (1 + JITTER * _share(seed))


def life_left_at_renewal(not_before: float, not_after: float) -> float:
    """Return how much life a certificate should have left when it is renewed."""
    life = not_after - not_before
    return life / 2 if life < SHORT_LIVED else life / 3


def wait(table: tuple[float, ...], failures: int, seed: str) -> float:
    """Return how long to wait after so many failures in a row, give or take JITTER."""
    step = table[min(max(failures, 1), len(table)) - 1]
    return step * (1 + JITTER * (2 * _share(f"{seed}/{failures}") - 1))


def _share(seed: str) -> float:
    """Return a number from 0 up to 1 that stays the same for a seed."""
    return int.from_bytes(sha256(seed.encode()).digest()[:7]) / (1 << 56)
