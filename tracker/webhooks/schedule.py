"""The schedule: what an answer means, and when it is tried again.

In: a status, or none; how often it was tried. Out: a verdict. Mailgun's rules: 200 ends it, 406
ends it too, and all else is tried again.
"""

from typing import Final

from tracker.store.webhook_queue import Outcome

SECOND: Final = 1_000_000  # times of the queue are in microseconds
# Seconds after each attempt that failed; after the last one no other follows.
RETRY_AFTER: Final = (600, 600, 900, 1_800, 3_600, 7_200, 14_400)
# The schedule takes 8 h. What was queued for longer had no turn, since its URL fails for all.
GIVE_UP_AFTER: Final = 86_400

DONE: Final = 200
NEVER_AGAIN: Final = 406


def judged(status: int, attempt: int) -> Outcome:
    """Tell what became of a delivery at its `attempt`-th attempt; a status of 0 is no answer."""
    if status == DONE:
        return "delivered"
    if status == NEVER_AGAIN:
        return "refused"
    return "" if attempt <= len(RETRY_AFTER) else "failed"


def again_at(now: int, attempt: int) -> int:
    """Return when it is tried again after its `attempt`-th attempt, in microseconds."""
    return now + RETRY_AFTER[attempt - 1] * SECOND
