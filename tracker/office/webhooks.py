"""Webhooks in the back office: a client that knows whom it may reach, and how all of it is doing.

In: the settings, and what posting tells from memory. Out: a client, a check, and metrics.
"""

from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_network
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker.health import Check, counted
from tracker.store.row import SECOND
from tracker.store.webhooks import Hook
from tracker.webhooks.client import Client
from tracker.webhooks.overview import Overview
from tracker.webhooks.room import host

NAMED: Final = 3  # how many URLs that fail a sentence lists
LONG: Final = 3_600  # seconds after which a URL that fails is worth somebody's look


def client(allow: Sequence[str]) -> Client:
    """Return a client that reaches public addresses, and those networks."""
    return Client([ip_network(network) for network in allow])


def check(overview: Overview) -> Check:
    """Tell how webhooks do. No other part waits for them, so the worst is degraded."""
    if overview.trouble:
        return Check("degraded", f"nothing new is posted: {overview.trouble}")
    waits = counted(sum(one.number for one in overview.waiting.values()), "event")
    failing = sorted(_failing(overview), key=lambda hook: hook.failing_since or 0)
    urls = counted(len(overview.hooks), "URL")
    if not overview.hooks:
        return Check("ok", "none is registered")
    if not failing:
        return Check("ok", f"{urls} posted to; {waits} queued")
    # Path and query stay out: they may hold a secret.
    named = ", ".join(f"{host(hook)} of {hook.domain} ({hook.trouble})" for hook in failing[:NAMED])
    more = "" if len(failing) <= NAMED else " and others"
    long = overview.at - (failing[0].failing_since or 0) > LONG
    return Check(
        "degraded" if long else "ok",
        f"{len(failing)} of {urls} fail for {_time(overview, failing[0])}: {named}{more};"
        f" {waits} queued",
    )


class Figures(Collector):
    """What there is to count about webhooks."""

    def __init__(self, overview: Callable[[], Overview]) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        overview = self._overview()
        waiting = overview.waiting.values()
        oldest = min((one.oldest for one in waiting if one.oldest is not None), default=None)
        age = 0.0 if oldest is None else max(0.0, overview.at - oldest / SECOND)
        yield GaugeMetricFamily("tracker_webhooks", "URLs registered.", len(overview.hooks))
        yield GaugeMetricFamily(
            "tracker_webhooks_failing",
            "URLs that took nothing the last time.",
            len(_failing(overview)),
        )
        yield GaugeMetricFamily(
            "tracker_webhook_queue",
            "Deliveries that wait, for their first attempt or another one.",
            sum(one.number for one in waiting),
        )
        yield GaugeMetricFamily(
            "tracker_webhook_oldest_seconds", "For how long the oldest of them has waited.", age
        )
        attempts = CounterMetricFamily(
            "tracker_webhook_deliveries",
            "Attempts by this office, by what came of them.",
            labels=("outcome",),
        )
        for outcome in ("delivered", "again", "refused", "failed", "gone"):
            attempts.add_metric((outcome,), overview.posted.get(outcome, 0))
        yield attempts


def _failing(overview: Overview) -> list[Hook]:
    return [hook for hook in overview.hooks if hook.failing_since is not None]


def _time(overview: Overview, hook: Hook) -> str:
    seconds = max(0.0, overview.at - (hook.failing_since or 0))
    return f"{seconds / 3_600:.0f} h" if seconds > LONG else f"{seconds / 60:.0f} min"
