"""Issuance: how all certificates are, for `/readyz` and `/metrics`.

In: the issuer's overview, from memory. Out: a check and metrics.
"""

from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from certs.issuing.issuer import Overview
from certs.vault.progress import Phase
from tracker.health import Check, counted

NAMED = 3  # how many expired names a sentence lists


def check(overview: Overview) -> Check:
    """Tell how certificates are. Links on http go on without them, so the worst is degraded."""
    if overview.trouble:
        return Check("degraded", f"certificates can't be looked after: {overview.trouble}")
    if overview.expired:
        some = ", ".join(overview.expired[:NAMED])
        more = "" if len(overview.expired) <= NAMED else " and others"
        return Check("degraded", f"expired and served all the same: {some}{more}")
    if ending := sum(overview.by_stage.values()):
        return Check("degraded", f"{counted(ending, 'certificate')} should have been renewed")
    stopped = overview.by_phase.get("rejected", 0) + overview.by_phase.get("paused", 0)
    if stopped:
        return Check(
            "degraded",
            f"{counted(stopped, 'tracking domain')} can't get a certificate without your help: see"
            " 'tracker certificates status'",
        )
    active = overview.by_phase.get("active", 0)
    return Check("ok", f"{active} of {counted(overview.names, 'tracking domain')} with HTTPS")


class Figures(Collector):
    """What there is to count about certificates."""

    def __init__(self, overview: Callable[[], Overview]) -> None:
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        overview = self._overview()
        phases = GaugeMetricFamily(
            "tracker_certificates",
            "Tracking domains by how far their certificate is.",
            labels=("phase",),
        )
        for phase in get_args(Phase):
            phases.add_metric((phase,), overview.by_phase.get(phase, 0))
        yield phases
        yield GaugeMetricFamily(
            "tracker_certificates_expired",
            "Tracking domains whose certificate is expired and served all the same.",
            len(overview.expired),
        )
        if overview.nearest is not None:
            yield GaugeMetricFamily(
                "tracker_certificate_nearest_expiry_seconds",
                "Time until the first certificate expires; negative once it has.",
                overview.nearest - overview.at,
            )
        failures = CounterMetricFamily(
            "tracker_certificate_failures",
            "Looks at a name and orders that came to nothing.",
            labels=("reason",),
        )
        for reason, number in overview.failures.items():
            failures.add_metric((reason,), number)
        yield failures
