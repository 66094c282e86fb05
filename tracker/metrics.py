"""Metrics: what workers counted and how the sinks do, in Prometheus' text form.

In: the sweep's last survey and the forwarders' progress, both in memory. Out: bytes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tracker.counters import Counter
from tracker.forwarding import missed
from tracker.forwarding.forward import Forwarder
from tracker.forwarding.sweep import Survey
from tracker.forwarding.worker import TORN
from tracker.store.database import Store


@dataclass(frozen=True, slots=True)
class Sum:
    """A metric made of sums that workers counted: by the value of `label`, or one without a label.

    `scale` turns what was counted into the metric's unit.
    """

    name: str
    help: str
    of: Mapping[str, str]
    label: str = ""
    scale: float = 1


TLS_SESSIONS: Final = {
    "full": Counter.TLS_FULL.name,
    "resumed": Counter.TLS_RESUMED.name,
}
TLS_REFUSED: Final = {
    counter.name.removeprefix("TLS_").lower().replace("_", "-"): counter.name
    for counter in Counter
    if Counter.TLS_UNKNOWN_NAME <= counter <= Counter.TLS_FAILED
}

SUMS: Final = (
    Sum(
        "tracker_hits",
        "Requests with a good token.",
        {
            "open": Counter.OPENED.name,
            "click": Counter.CLICKED.name,
            "unsubscribe": Counter.UNSUBSCRIBED.name,
        },
        "kind",
    ),
    Sum(
        "tracker_bad_tokens",
        "Requests with a token that does not verify.",
        {
            "open": Counter.BAD_OPEN.name,
            "click": Counter.BAD_CLICK.name,
            "unsubscribe": Counter.BAD_UNSUBSCRIBE.name,
        },
        "kind",
    ),
    Sum("tracker_hits_accepted", "Hits taken into the spool's queue.", {"": Counter.ACCEPTED.name}),
    Sum("tracker_hits_written", "Hits that reached the disk.", {"": Counter.WRITTEN.name}),
    Sum(
        "tracker_hits_late",
        "Hits answered before they were on disk, because the disk was slow.",
        {"": Counter.LATE.name},
    ),
    Sum(
        "tracker_hits_lost",
        "Hits answered and never written: the spool's queue was full.",
        {"": Counter.LOST.name},
    ),
    Sum(
        "tracker_spool_write_failures",
        "Failed attempts to write to the spool.",
        {"": Counter.WRITE_FAILURES.name},
    ),
    Sum("tracker_spool_commits", "Group commits.", {"": Counter.BATCHES.name}),
    Sum("tracker_spool_written_bytes", "Bytes written to the spool.", {"": Counter.BYTES.name}),
    Sum(
        "tracker_spool_commit_seconds",
        "Time spent waiting for the disk.",
        {"": Counter.COMMIT_MICROSECONDS.name},
        scale=1e-6,
    ),
    Sum("tracker_tls_sessions", "TLS sessions that began.", TLS_SESSIONS, "handshake"),
    Sum("tracker_tls_refused", "Connections of which no TLS session came.", TLS_REFUSED, "reason"),
    Sum(
        "tracker_tls_contexts_built",
        "Certificates made ready to be served, anew after each renewal.",
        {"": Counter.TLS_CONTEXTS.name},
    ),
    Sum(
        "tracker_spool_torn_bytes",
        "Bytes that workers which died had begun to write; nobody was answered for them.",
        {"": TORN},
    ),
)


class Figures(Collector):
    """Collects from memory alone, so that a slow disk can't hold up an answer."""

    def __init__(
        self,
        survey: Callable[[], Survey],
        forwarders: Sequence[Forwarder],
        now: Callable[[], float],
    ) -> None:
        self._survey = survey
        self._forwarders = forwarders
        self._now = now

    def collect(self) -> Iterator[Metric]:
        """Yield every metric."""
        survey = self._survey()
        for one in SUMS:
            yield _summed(one, survey.counted)
        yield from _spool(survey)
        yield from self._sinks(survey)
        yield from self._delivered()

    def _sinks(self, survey: Survey) -> Iterator[Metric]:
        now = self._now()
        progress = {forwarder.sink.name: forwarder.progress for forwarder in self._forwarders}
        yield _gauge(
            "tracker_sink_up",
            "1 while the sink takes events.",
            ((sink, not one.trouble) for sink, one in progress.items()),
        )
        yield _gauge(
            "tracker_sink_paused",
            "1 while nothing is brought to the sink because a person said so.",
            ((sink, one.paused) for sink, one in progress.items()),
        )
        yield _gauge(
            "tracker_sink_missed_hits",
            "Hits that the sink was never offered: it had lost its turn, or was away.",
            ((sink, survey.missed.get(sink, missed.NONE).hits) for sink in progress),
        )
        yield _gauge(
            "tracker_sink_lag_seconds",
            "Time for which the oldest hit that was read has waited for the sink.",
            ((sink, one.lag(now)) for sink, one in progress.items()),
        )
        yield _gauge(
            "tracker_sink_lag_bytes",
            "Bytes in the spool that the sink does not have yet.",
            survey.backlog.items(),
        )
        yield _gauge(
            "tracker_dead_letters",
            "Hits set aside because they can't be brought to the sink.",
            ((sink, survey.dead_letters.get(sink, 0)) for sink in progress),
        )

    def _delivered(self) -> Iterator[Metric]:
        events = CounterMetricFamily(
            "tracker_sink_events", "Events that the sink acknowledged.", labels=("sink", "event")
        )
        places = CounterMetricFamily(
            "tracker_sink_events_without_place",
            "Events that the sink acknowledged and whose country is unknown.",
            labels=("sink",),
        )
        failures = CounterMetricFamily(
            "tracker_sink_failures", "Deliveries that failed and were retried.", labels=("sink",)
        )
        for forwarder in self._forwarders:
            sink, progress = forwarder.sink.name, forwarder.progress
            for kind, number in progress.events.items():
                events.add_metric((sink, kind), number)
            places.add_metric((sink,), progress.without_place)
            failures.add_metric((sink,), progress.failures)
        yield from (events, places, failures)


class Late(Collector):
    """Counts what came in behind an erasure, in this process."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        yield CounterMetricFamily(
            "tracker_erased_late",
            "Events of before their recipients were erased, which came later and weren't stored.",
            self._store.late,
        )


def exposition(
    survey: Callable[[], Survey], forwarders: Sequence[Forwarder], *others: Collector
) -> Callable[[], bytes]:
    """Return what answers `/metrics`: our figures, and those of others."""
    registry = CollectorRegistry(auto_describe=False)
    for collector in (Figures(survey, forwarders, time.time), *others):
        registry.register(collector)
    return lambda: generate_latest(registry)


def _summed(one: Sum, counted: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(one.name, one.help, labels=(one.label,) if one.label else ())
    for value, counter in one.of.items():
        family.add_metric((value,) if one.label else (), counted.get(counter, 0) * one.scale)
    return family


def _spool(survey: Survey) -> Iterator[Metric]:
    alive = [worker for worker in survey.workers if worker.alive]
    yield GaugeMetricFamily("tracker_edge_workers", "Edge workers that live.", len(alive))
    yield GaugeMetricFamily(
        "tracker_spool_failing",
        "Edge workers that can't write to the spool at present.",
        sum(worker.failing for worker in alive),
    )
    yield GaugeMetricFamily(
        "tracker_spool_held_bytes",
        "Bytes of segments that wait for sinks alone.",
        survey.filling.held,
    )
    yield GaugeMetricFamily(
        "tracker_spool_filled_ratio",
        "How much of its room the spool has taken; 1 is full.",
        survey.filling.share,
    )
    yield GaugeMetricFamily(
        "tracker_spool_full_in_seconds",
        "Time until the spool's room is full at the present rate.",
        survey.filling.seconds,
    )
    yield GaugeMetricFamily(
        "tracker_spool_free_bytes", "Space left on the spool's disk.", survey.free
    )


def _gauge(name: str, documentation: str, values: Iterable[tuple[str, float]]) -> Metric:
    family = GaugeMetricFamily(name, documentation, labels=("sink",))
    for sink, value in values:
        family.add_metric((sink,), value)
    return family
