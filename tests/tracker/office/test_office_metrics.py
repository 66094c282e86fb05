"""The figures: all that was counted is told, in the units that Prometheus' users expect."""

import asyncio
import math
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from rewriter.keyring import Keyring
from tests.tracker.forwarding.parts import Kept, Office, Worker, click, token
from tracker.counters import Counter
from tracker.forwarding import missed, roll
from tracker.forwarding.missed import Missed
from tracker.forwarding.worker import STATES, TORN
from tracker.metrics import SUMS, exposition

Figures = dict[tuple[str, ...], float]


def figures(office: Office) -> Figures:
    """Return every sample by its name and the values of its labels."""
    answer = exposition(lambda: office.sweep.survey, office.forwarders)()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.decode())
        for sample in family.samples
    }


def test_everything_that_a_worker_counts_is_told() -> None:
    told = {counter for one in SUMS for counter in one.of.values()}
    assert told == {counter.name for counter in Counter if counter not in STATES} | {TORN}


def test_a_sink_that_is_down_can_be_told_from_one_that_works(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    worker.write(click(token(keyring)), click("damaged"))
    up, down = Kept("up"), Kept("down")
    down.down = True
    office = Office(tmp_path, up, down)
    asyncio.run(office.drain())
    office.sweep.once()
    found = figures(office)
    office.ledger.close()
    assert (found["tracker_sink_up", "up"], found["tracker_sink_up", "down"]) == (1, 0)
    assert found["tracker_sink_lag_seconds", "up"] == 0 < found["tracker_sink_lag_seconds", "down"]
    assert found["tracker_sink_lag_bytes", "up"] == 0 < found["tracker_sink_lag_bytes", "down"]
    assert found["tracker_sink_events_total", "clicked", "up"] == 1
    assert found["tracker_sink_events_without_place_total", "up"] == 1
    assert found["tracker_dead_letters", "up"] == 1
    assert found["tracker_sink_failures_total", "down"] == 1


def test_what_rests_what_was_missed_and_how_full_the_spool_is_are_told(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    office = Office(tmp_path, Kept("up"), Kept("resting"))
    roll.pause(office.ledger, "resting", 1)
    with office.ledger.transaction() as connection:
        missed.note(connection, Missed("up", 1, 2, 7, "it slept", 1))
    asyncio.run(office.drain())
    office.sweep.once()
    found = figures(office)
    office.ledger.close()
    assert (found["tracker_sink_paused", "up"], found["tracker_sink_paused", "resting"]) == (0, 1)
    assert found["tracker_sink_missed_hits", "up"] == 7
    assert found["tracker_sink_missed_hits", "resting"] == 0
    assert (found["tracker_spool_held_bytes",], found["tracker_spool_filled_ratio",]) == (0, 0)
    assert found["tracker_spool_full_in_seconds",] == math.inf


def test_counts_of_living_workers_and_of_those_before_them_are_one_sum(
    tmp_path: Path, keyring: Keyring, worker: Worker
) -> None:
    worker.write(click(token(keyring)))
    worker.counters.cells[Counter.COMMIT_MICROSECONDS] = 1_500_000
    worker.die()
    office = Office(tmp_path, Kept())
    asyncio.run(office.drain())
    office.sweep.once()
    successor = Worker(tmp_path / "spool")
    successor.write(click(token(keyring)), click(token(keyring)))
    office.sweep.once()
    found = figures(office)
    successor.die()
    office.ledger.close()
    assert found["tracker_hits_total", "click"] == 3
    assert found["tracker_spool_commit_seconds_total",] == 1.5
    assert found["tracker_edge_workers",] == 1
