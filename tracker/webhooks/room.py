"""Room: how many deliveries are taken for each URL, so that none takes what others need.

Pure. A URL that failed last has one request under way, whoever else waits for it: that finds out
whether it is back.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from tracker.store.webhooks import Hook
from tracker.webhooks.target import BadTarget, Target

IN_ALL: Final = 256  # requests under way
A_HOST: Final = 32  # of them to one host and port
FAILING: Final = 1  # of them to a URL that failed last


def room(due: Sequence[Hook], under_way: Collection[Hook]) -> dict[int, int]:
    """Return how many deliveries to take for each webhook of those that have some due."""
    requests = Counter(hook.id for hook in under_way)
    hosts = Counter(host(hook) for hook in under_way)
    left = IN_ALL - len(under_way)
    share = max(1, left // max(1, len(due)))
    taken = {}
    for hook in due:
        most = FAILING - requests[hook.id] if hook.failing_since is not None else A_HOST
        slots = min(most, A_HOST - hosts[host(hook)], share, left)
        if slots > 0:
            taken[hook.id] = slots * hook.batch
            hosts[host(hook)] += slots
            left -= slots
    return taken


def host(hook: Hook) -> str:
    """Return what requests to a webhook share with others to the same server."""
    try:
        return Target.parse(hook.url).origin
    except BadTarget:  # what was registered under other rules; it fails by itself
        return hook.url
