"""The ledger keeps together what belongs together, and says what is wrong with its file."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.tracker.forwarding.parts import click
from tracker import hit as hits
from tracker.forwarding.dead import PAGE, DeadLetters, letter, put
from tracker.forwarding.ledger import STEPS, Ledger, LedgerUnavailable, advance
from tracker.reader import Position

Open = Callable[[], Ledger]


def test_a_position_and_the_letters_before_it_are_written_both_or_neither(
    open_ledger: Open,
) -> None:
    ledger = open_ledger()

    def halfway() -> None:
        with ledger.transaction() as connection:
            put(connection, [letter("sink", click("x"), "why", 1)])
            advance(connection, "sink", "stream", Position(1, 40))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        halfway()
    assert not DeadLetters(ledger).count()
    assert not ledger.positions("sink")


def test_a_ledger_that_another_process_is_making_is_waited_for(
    open_ledger: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "forward.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        monkeypatch.setattr("certs.busy.sleep", lambda _: other.rollback())
        assert not open_ledger().positions("sink")


def test_positions_are_there_when_the_ledger_is_opened_again(open_ledger: Open) -> None:
    ledger = open_ledger()
    for position in (Position(1, 40), Position(2, 32)):
        with ledger.transaction() as connection:
            advance(connection, "sink", "stream", position)
    ledger.close()
    again = open_ledger()
    assert again.positions("sink") == {"stream": Position(2, 32)}
    assert again.positions("another sink") == {}


def test_the_disk_is_synced_at_every_transaction(open_ledger: Open) -> None:
    full = 2  # sqlite.org/pragma.html#pragma_synchronous
    assert open_ledger().rows("pragma synchronous") == [(full,)]


def test_letters_are_listed_however_many_there_are(open_ledger: Open) -> None:
    ledger = open_ledger()
    letters = [letter("sink", click("x"), "why", 1) for _ in range(PAGE + 1)]
    with ledger.transaction() as connection:
        put(connection, letters)
    assert sorted(DeadLetters(ledger).list(), key=lambda one: one.hit.at) == letters
    assert DeadLetters(ledger).replay() == PAGE + 1


def test_letters_can_be_replayed_by_a_command_while_the_office_works(open_ledger: Open) -> None:
    office, command = open_ledger(), open_ledger()
    with office.transaction() as connection:
        put(connection, [letter("sink", click("x"), "why", 1)])
    assert DeadLetters(command).replay() == 1
    assert [one.again for one in DeadLetters(office).list()] == [True]


def test_a_ledger_of_the_first_version_is_taken_over(open_ledger: Open, tmp_path: Path) -> None:
    older = sqlite3.connect(tmp_path / "forward.db")
    older.executescript(STEPS[0])
    older.execute("insert into position values ('sink', 'stream', 2, 32)")
    older.execute(
        "insert into dead values ('sink', 'id', 'why', 1, 0, ?)", (hits.encode(click("x")),)
    )
    older.execute("pragma user_version = 1")
    older.commit()
    older.close()
    ledger = open_ledger()
    assert ledger.positions("sink") == {"stream": Position(2, 32)}
    assert [one.company for one in DeadLetters(ledger).list()] == [0]


def test_what_was_deleted_is_in_none_of_the_ledgers_files(
    open_ledger: Open, tmp_path: Path
) -> None:
    ledger = open_ledger()
    with ledger.transaction() as connection:
        put(connection, [letter("sink", click("the-token-of-ann"), "why", 1)])
    DeadLetters(ledger).discard()
    ledger.purge()
    left = b"".join(path.read_bytes() for path in tmp_path.glob("forward.db*"))
    assert b"the-token-of-ann" not in left


def test_nobody_else_can_read_the_ledger(open_ledger: Open, tmp_path: Path) -> None:
    with open_ledger().transaction() as connection:
        advance(connection, "sink", "stream", Position(1, 40))
    assert {path.stat().st_mode & 0o077 for path in tmp_path.glob("forward.db*")} == {0}


@pytest.mark.parametrize(
    ("what", "sentence"),
    [
        ("missing folder", r"^cannot open .*forward\.db: "),
        ("not a database", r"^cannot use .*forward\.db: file is not a .*: stop the tracker, move "),
        (
            "newer form",
            r"^cannot use .*forward\.db: it has the form 99, and this version knows",
        ),
    ],
)
def test_a_ledger_that_cannot_be_used_is_told_in_one_sentence(
    tmp_path: Path, what: str, sentence: str
) -> None:
    path = tmp_path / "forward.db"
    match what:
        case "missing folder":
            path = tmp_path / "nowhere" / "forward.db"
        case "not a database":
            path.write_bytes(b"some other file" * 100)
        case "newer form":
            other = sqlite3.connect(path)
            other.execute("pragma user_version = 99")
            other.close()
    with pytest.raises(LedgerUnavailable, match=sentence):
        Ledger.open(path)


def test_a_ledger_that_fails_later_is_told_too(open_ledger: Open) -> None:
    ledger = open_ledger()
    ledger.close()
    with pytest.raises(LedgerUnavailable, match="can't be read"):
        ledger.positions("sink")
    with pytest.raises(LedgerUnavailable, match="can't be written"):
        ledger.finish("stream", {})
