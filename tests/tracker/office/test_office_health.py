"""Health in words: each sentence says what an operator would do something about."""

import pytest

from tracker import health
from tracker.health import Check, Health, SinkFacts, Status, WorkerFacts

GIB = 1 << 30
FINE = WorkerFacts(alive=True, told_at=1000, failing=False)
SILENT = WorkerFacts(alive=True, told_at=900, failing=False)
GONE = WorkerFacts(alive=False, told_at=900, failing=True)
FAILING = WorkerFacts(alive=True, told_at=1000, failing=True)
NEW = WorkerFacts(alive=True, told_at=0, failing=False)


@pytest.mark.parametrize(
    ("workers", "status", "says"),
    [
        ([FINE, FINE, GONE], "ok", "2 edge workers alive"),
        ([NEW], "ok", "1 edge worker alive"),
        ([FINE, SILENT], "degraded", "1 of 2 edge workers showed no life for 10 s"),
        ([SILENT], "down", "no edge worker has shown life for 10 s"),
        ([GONE], "down", "no edge worker is alive"),
        ([], "down", "no edge worker is alive"),
    ],
)
def test_the_edge_is_told_by_its_workers(
    workers: list[WorkerFacts], status: Status, says: str
) -> None:
    assert health.edge(workers, 1005) == Check(status, says)


@pytest.mark.parametrize(
    ("workers", "free", "status", "says"),
    [
        ([FINE], 20 * GIB, "ok", "hits can be written; 20.0 GiB free"),
        ([FINE, GONE], 20 * GIB, "ok", "hits can be written; 20.0 GiB free"),
        ([FAILING], 20 * GIB, "down", "1 edge worker can't write hits; 20.0 GiB free"),
        ([FINE], GIB // 2, "degraded", "the disk will soon be full: 0.5 GiB free"),
        ([FINE], 0, "down", "the disk is full: 0.0 GiB free"),
    ],
)
def test_the_spool_is_told_by_its_disk_and_those_who_write_it(
    workers: list[WorkerFacts], free: int, status: Status, says: str
) -> None:
    assert health.spool(workers, free) == Check(status, says)


@pytest.mark.parametrize(
    ("facts", "status", "says"),
    [
        (SinkFacts("", 0, 0.1, 0), "ok", "up to date"),
        (SinkFacts("", 0, 0.1, 1), "ok", "up to date; 1 dead letter"),
        (SinkFacts("", 0, 90, 0), "degraded", "90 s behind and catching up"),
        (SinkFacts("", 0, 90, 1, paused=True), "ok", "paused; 90 s behind; 1 dead letter"),
        (
            SinkFacts("", 0, 0, 0, missed="7 hits"),
            "degraded",
            "up to date; it missed 7 hits, which 'tracker sinks replay' brings",
        ),
        (
            SinkFacts("the store is locked", 5, 12, 2),
            "degraded",
            "the store is locked; 12 s behind, tried again within 5 s; 2 dead letters",
        ),
        (
            SinkFacts("", 0, 0, 0, unreadable=1),
            "degraded",
            "1 stream of the spool can't be read: a newer version wrote there",
        ),
    ],
)
def test_a_sink_tells_how_far_it_is_behind_and_why(
    facts: SinkFacts, status: Status, says: str
) -> None:
    assert health.sink(facts) == Check(status, says)


@pytest.mark.parametrize(
    ("failing", "age", "status", "says"),
    [
        ("", 1, "ok", "the spool is emptied of what every sink has"),
        ("disk gone", 1, "degraded", "the spool can't be emptied: disk gone"),
        ("", 42, "degraded", "the spool was last looked at 42 s ago"),
    ],
)
def test_a_sweep_that_fails_or_hangs_is_told(
    failing: str, age: float, status: Status, says: str
) -> None:
    assert health.sweep(failing, age) == Check(status, says)


@pytest.mark.parametrize(
    ("statuses", "worst"),
    [
        (["ok", "ok"], "ok"),
        (["ok", "degraded"], "degraded"),
        (["down", "degraded", "ok"], "down"),
        ([], "ok"),
    ],
)
def test_the_whole_is_as_well_as_its_worst_part(statuses: list[Status], worst: Status) -> None:
    checks = {str(number): Check(status, "words") for number, status in enumerate(statuses)}
    told = {name: check.status for name, check in checks.items()}
    assert health.health(checks) == Health(worst, dict.fromkeys(checks, "words"), told)
