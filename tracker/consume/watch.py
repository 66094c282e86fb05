"""What health and metrics answer on the consumer's own port. Nothing here looks anything up."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route

from tracker.api.answer import Answer, answered
from tracker.bus.standing import holds, in_sync, replicas
from tracker.bus.stream import Found
from tracker.consume.progress import Part, Progress
from tracker.health import Check, Health, counted, health

UNKNOWN: Final = "nothing is known of it yet"
FILLING: Final = 0.5  # of what the stream may hold: time to look, long before it refuses
BEHIND_AFTER: Final = 60.0  # seconds that an event may have waited on the bus before that is told


def application(progress: Progress) -> Starlette:
    """Return what answers `/healthz`, `/readyz` and `/metrics`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Figures(progress))

    async def healthz(_request: Request) -> Answer:
        """Answer 200 as long as the process can answer at all."""
        return answered({"status": "ok"})

    async def readyz(_request: Request) -> Answer:
        """Answer 200 if events reach the store, be it late, and 503 if they don't."""
        state = readiness(progress)
        return answered(state, 503 if state.status == "down" else 200)

    async def metrics(_request: Request) -> Answer:
        """Answer with the figures, for Prometheus to read."""
        return Answer(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    answers = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    return Starlette(routes=[Route(path, endpoint) for path, endpoint in answers.items()])


def readiness(progress: Progress) -> Health:
    """Tell how consuming goes, in words."""
    return health(
        {
            "bus": _bus(progress),
            "stream": _stream(progress.stream),
            "backlog": _backlog(progress),
            "store": _store(progress),
        }
    )


def _bus(progress: Progress) -> Check:
    if progress.host:
        return Check("ok", f"connected to {progress.host}")
    return Check("down", _troubled(progress.bus) or "not connected yet")


def _stream(there: Found | None) -> Check:
    if there is None:
        return Check("ok", UNKNOWN)
    says = f"{holds(there)}; {replicas(there)}"
    full = there.config.max_bytes > 0 and there.state.bytes > FILLING * there.config.max_bytes
    short = in_sync(there) < there.config.num_replicas
    return Check("degraded" if full or short else "ok", says)


def _store(progress: Progress) -> Check:
    if says := _troubled(progress.store):
        return Check("down", f"{says}; events wait on the bus")
    return Check("ok", f"took {counted(progress.events, 'event')} since this process began")


def _backlog(progress: Progress) -> Check:
    if (durable := progress.durable) is None:
        return Check("ok", UNKNOWN)
    waiting = durable.num_pending + durable.num_ack_pending
    says = f"{counted(waiting, 'event')} on the bus"
    if waiting and progress.behind > BEHIND_AFTER:
        return Check("degraded", f"{says}, {progress.behind:.0f} s behind")
    if progress.dead_letters:
        letters = counted(progress.dead_letters, "dead letter")
        return Check("degraded", f"{says}; {letters}: see 'tracker bus dead'")
    return Check("ok", says)


def _troubled(part: Part) -> str:
    if not part.trouble:
        return ""
    return f"{part.trouble}; tried again within {part.retry_in:g} s"


class Figures(Collector):
    """Collects from memory alone."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        yield from self._done()
        progress, durable = self._progress, self._progress.durable
        yield GaugeMetricFamily(
            "tracker_consume_up",
            "1 while events can be brought from the bus into the store.",
            bool(progress.host) and not progress.store.trouble,
        )
        yield GaugeMetricFamily(
            "tracker_consume_behind_seconds",
            "Time that the event stored last had waited on the bus.",
            progress.behind,
        )
        yield from _held(progress.stream)
        if durable is not None:
            states = {"waiting": durable.num_pending, "held": durable.num_ack_pending}
            family = GaugeMetricFamily(
                "tracker_consume_backlog",
                "Events on the bus that the store doesn't have, of all consumers together.",
                labels=("state",),
            )
            for state, number in states.items():
                family.add_metric((state,), number)
            yield family

    def _done(self) -> Iterator[Metric]:
        progress = self._progress
        failures = CounterMetricFamily(
            "tracker_consume_failures", "Failures of either end.", labels=("end",)
        )
        for end, part in {"bus": progress.bus, "store": progress.store}.items():
            failures.add_metric((end,), part.failures)
        yield failures
        yield CounterMetricFamily(
            "tracker_consume_events", "Events that the store took.", progress.events
        )
        yield CounterMetricFamily("tracker_consume_batches", "Commits.", progress.batches)
        yield CounterMetricFamily(
            "tracker_consume_store_seconds", "Time spent waiting for the store.", progress.seconds
        )
        yield CounterMetricFamily(
            "tracker_consume_dead_letters",
            "Messages set aside because they are no events.",
            progress.dead_letters,
        )
        yield CounterMetricFamily(
            "tracker_erased_late",
            "Events of before their recipients were erased, which came later and weren't stored.",
            progress.late,
        )


def _held(there: Found | None) -> Iterator[Metric]:
    if there is None:
        return
    yield GaugeMetricFamily("tracker_bus_bytes", "What the stream holds.", there.state.bytes)
    yield GaugeMetricFamily(
        "tracker_bus_max_bytes",
        "What the stream may hold before it refuses; 0 is no bound.",
        max(there.config.max_bytes, 0),
    )
    yield GaugeMetricFamily(
        "tracker_bus_replicas_missing",
        "Replicas of the stream that are away or behind.",
        there.config.num_replicas - in_sync(there),
    )
