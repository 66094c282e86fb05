"""What was answered is in the store exactly once, whatever dies, fills up, is locked or fails."""

import resource
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Protocol

import pytest

from tests.patience import PATIENCE
from tests.storm.crowd import Crowd, visits
from tests.storm.system import Role, System, keyring, lost, serving, stored

# Nobody is answered before the disk has the hit, however slow the disk of the machine may be.
DURABLE = {"TRACKER_EDGE_LATE_AFTER": "60"}
WORKER: Role = "tracker.edge.worker"
OFFICE: Role = "tracker.office"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def assert_every_answer_is_kept_once(crowd: Crowd, data: Path) -> None:
    kept = stored(data)
    assert crowd.done() - kept.keys() == set()
    assert {visit: times for visit, times in kept.items() if times > 1} == {}
    # An unsubscription that was told to try again, or a cut connection, may have been recorded.
    assert kept.keys() - crowd.answers.keys() <= crowd.cut_off


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_workers_and_a_killed_office_lose_and_double_nothing(data: Path, seed: int) -> None:
    random = Random(seed)
    killed: list[Role] = []

    def kill(system: System, role: Role) -> None:
        if system.kill(role, random.randrange(8)):
            killed.append(role)

    expected = visits(600)
    moments = random.sample(expected[50:], 9)
    keys = keyring(data)
    with serving(data, TRACKER_EDGE_WORKERS="2", **DURABLE) as system:
        crowd = Crowd.at(system.edge, keys)
        victims = [WORKER, OFFICE, WORKER] * 3
        crowd.come(
            expected,
            {
                moment: partial(kill, system, role)
                for moment, role in zip(moments, victims, strict=True)
            },
        )
        system.stop()
    assert {WORKER, OFFICE} == set(killed)
    assert len(crowd.done()) > 400
    assert_every_answer_is_kept_once(crowd, data)


def test_a_disk_whose_fsync_fails_loses_and_doubles_nothing(data: Path) -> None:
    failing = str(Path(__file__).with_name("failing_disk"))
    keys = keyring(data)
    with serving(data, PYTHONPATH=failing, **DURABLE) as system:
        crowd = Crowd.at(system.edge, keys)
        crowd.come(visits(300))
        system.serving.until("spool_failing")
        system.serving.until("spool_recovered")
        system.stop()
    assert len(crowd.answers) == 300
    assert len(crowd.done() - set(visits(300, "u"))) >= 200
    assert_every_answer_is_kept_once(crowd, data)


def test_a_locked_store_delays_events_and_no_reader_even_if_the_office_dies_meanwhile(
    data: Path,
) -> None:
    keys = keyring(data)
    with serving(data, **DURABLE) as system:
        crowd = Crowd.at(system.edge, keys)
        crowd.come(visits(1))
        where = data / "store.db"
        with closing(sqlite3.connect(where, PATIENCE, isolation_level=None)) as other:
            other.execute("begin exclusive")
            before = other.execute("select count(*) from event").fetchone()
            crowd.come(visits(300, first=1))
            assert len(crowd.done()) == 301
            system.serving.until("sink_unavailable", sink="store")
            system.kill(OFFICE, 0)  # with hits in its hands that the store has not taken
            system.serving.until("child_died", child="office")
            assert other.execute("select count(*) from event").fetchone() == before
            other.execute("rollback")
        system.stop()
    assert len(stored(data)) == 301
    assert_every_answer_is_kept_once(crowd, data)


class FullDisk(Protocol):
    """A way to fill a disk up."""

    def fill(self, system: System, /) -> None:
        """Leave no room for a hit."""

    def free(self, system: System, /) -> None:
        """Make room again."""


class FileSizeLimit:
    """Any user may forbid a process of theirs to write another byte (setrlimit(2))."""

    def fill(self, system: System) -> None:
        self._limit(system, 0)

    def free(self, system: System) -> None:
        self._limit(system, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(system: System, size: int) -> None:
        (worker,) = system.processes(WORKER)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


class SmallDisk:
    """A file system of its own for the spool, in which not one segment fits."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def fill(self, _system: System) -> None:
        """Do nothing: it is full from the beginning."""

    def free(self, _system: System) -> None:
        mount("-o", "remount,size=128m", str(self._spool))


@contextmanager
def file_size_limit(_spool: Path) -> Iterator[FullDisk]:
    yield FileSizeLimit()


@contextmanager
def small_disk(spool: Path) -> Iterator[FullDisk]:
    spool.mkdir()
    try:
        mount("-t", "tmpfs", "-o", "size=1m", "none", str(spool))
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a file system takes root")
    try:
        yield SmallDisk(spool)
    finally:
        # Lazily: where a test failed, processes may still be on their way out.
        subprocess.run(["umount", "--lazy", str(spool)], check=True)


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True, capture_output=True)


class Filling(Protocol):
    def __call__(self, spool: Path, /) -> AbstractContextManager[FullDisk]: ...


@pytest.mark.parametrize("filling", [file_size_limit, small_disk])
def test_a_full_disk_stops_no_reader_and_every_loss_is_counted(
    data: Path, filling: Filling
) -> None:
    keys = keyring(data)
    settings = {"TRACKER_EDGE_LATE_AFTER": "0.05", "TRACKER_EDGE_QUEUE_LIMIT": "100"}
    with filling(data / "spool") as disk, serving(data, **settings) as system:
        crowd = Crowd.at(system.edge, keys)
        system.serving.until("worker_started")
        disk.fill(system)
        crowd.come(visits(300, "oc"))
        assert len(crowd.done()) == 300
        crowd.come(visits(20, "u", first=300))
        assert set(crowd.answers.values()) == {200, 302, 503}
        disk.free(system)
        system.serving.until("spool_recovered")
        crowd.come(visits(60, first=320))
        system.stop()
        assert crowd.done() & set(visits(60, first=320))
        missing = crowd.done() - stored(data).keys()
        assert {visit.kind for visit in missing} == {"o", "c"}
        assert len(missing) == lost(data) >= 200
        assert max(stored(data).values()) == 1
