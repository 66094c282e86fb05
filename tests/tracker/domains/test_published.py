"""What is registered reaches processes that read no database, whole, and outlives a bad file."""

import stat
from itertools import count
from pathlib import Path

import pytest

from rewriter.keyring import Keyring
from tracker.domains import SendingDomain, Snapshot, TrackingDomain
from tracker.edge.domains import Domains
from tracker.published import EVERY, Published, encode, publish

FIRST = Snapshot(tracking={"a.example": TrackingDomain("a.example")})
SECOND = Snapshot(sending={"b.example": SendingDomain("b.example")})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "domains.json"


def patient(path: Path) -> Published:
    """Return a reader for which the next look is always due."""
    return Published(path, count(0, EVERY).__next__)


def test_nothing_is_registered_until_something_is_published(path: Path) -> None:
    published = patient(path)
    assert published.current() == Snapshot()
    publish(path, FIRST)
    assert published.current() == FIRST
    publish(path, SECOND)
    assert published.current() == SECOND


def test_the_file_is_looked_at_once_a_second(path: Path) -> None:
    now = [0.0]
    published = Published(path, lambda: now[0])
    assert published.current() == Snapshot()
    publish(path, FIRST)
    now[0] = 0.9
    assert published.current() == Snapshot()
    now[0] = 1.0
    assert published.current() == FIRST


@pytest.mark.parametrize("content", [b"", b"{", b"[]", encode(FIRST)[:-5], b'{"version":2}'])
def test_a_damaged_file_leaves_what_was_read_before_and_is_told_once(
    path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    published = patient(path)
    publish(path, FIRST)
    assert published.current() == FIRST
    path.write_bytes(content)
    assert [published.current() for _ in range(3)] == [FIRST] * 3
    assert [record.message for record in caplog.records] == ["domains_unreadable"]
    publish(path, SECOND)
    assert published.current() == SECOND


def test_a_file_that_is_gone_leaves_what_was_read_before(path: Path) -> None:
    published = patient(path)
    publish(path, FIRST)
    assert published.current() == FIRST
    path.unlink()
    assert published.current() == FIRST


def test_links_of_a_removed_domain_are_answered_whatever_the_settings_name() -> None:
    snapshot = Snapshot(tracking=FIRST.tracking, removed=frozenset({"old.example"}))
    domains = Domains(Keyring.new(), ["set.example"], lambda: snapshot)
    hosts = (b"set.example", b"a.example", b"old.example", b"other.example")
    assert [domains.tokens(host) is not None for host in hosts] == [True, True, True, False]


def test_only_the_account_that_publishes_reads_it(path: Path) -> None:
    publish(path, FIRST)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_reader_that_is_older_passes_over_what_it_does_not_know(path: Path) -> None:
    path.write_bytes(b'{"version":1,"tracking":{"a":{"name":"a","later":1}},"later":{}}')
    assert list(patient(path).current().tracking) == ["a"]
