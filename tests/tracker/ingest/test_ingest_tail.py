"""A log is read on where it was left, over rotations, each line once."""

from pathlib import Path

import pytest

from tracker.mistake import Mistake
from tracker.postfix.mail import Mail
from tracker.postfix.position import Place, Position, file_for
from tracker.postfix.tail import Tail


class Reader:
    """Reads a log now and then, each time as a new process would that knows the last place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.place = Place()
        self.seen: list[bytes] = []

    def look(self) -> None:
        tail = Tail(self.path, self.place)
        self.read(tail)
        tail.close()

    def read(self, tail: Tail) -> None:
        for lines, self.place in tail.read():
            self.seen += lines


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "mail.log"
    path.write_bytes(b"one\n")
    return path


def write(path: Path, text: bytes) -> None:
    with path.open("ab") as file:
        file.write(text)


def test_what_was_read_is_not_read_again(log: Path) -> None:
    reader = Reader(log)
    reader.look()
    reader.look()
    write(log, b"two\nthr")
    reader.look()
    write(log, b"ee\n")
    reader.look()
    assert reader.seen == [b"one", b"two", b"three"]


@pytest.mark.parametrize("watched", [True, False], ids=["while it is read", "while nobody looks"])
def test_the_rest_of_a_renamed_log_is_read_before_the_new_one(log: Path, watched: bool) -> None:
    reader = Reader(log)
    tail = Tail(log, Place())
    reader.read(tail)
    write(log, b"two\n")
    log.rename(log.with_name("mail.log.1"))
    log.write_bytes(b"three\n")
    if watched:
        reader.read(tail)
    else:
        reader.look()
    tail.close()
    assert reader.seen == [b"one", b"two", b"three"]
    reader.look()
    assert len(reader.seen) == 3


def test_a_log_that_is_cut_is_read_from_its_beginning(log: Path) -> None:
    reader = Reader(log)
    reader.look()
    log.write_bytes(b"a longer line than the one before\n")  # same file, no shorter than it was
    reader.look()
    log.write_bytes(b"x\n")
    reader.look()
    assert reader.seen == [b"one", b"a longer line than the one before", b"x"]


def test_a_log_between_two_files_is_waited_for(log: Path) -> None:
    reader, tail = Reader(log), Tail(log, Place())
    reader.read(tail)
    log.rename(log.with_name("mail.log.1"))
    reader.read(tail)
    write(log.with_name("mail.log.1"), b"two\n")
    reader.read(tail)
    log.write_bytes(b"three\n")
    reader.read(tail)
    tail.close()
    assert reader.seen == [b"one", b"two", b"three"]


def test_a_line_without_an_end_takes_no_memory_without_an_end(log: Path) -> None:
    reader = Reader(log)
    write(log, b"x" * (1 << 20))
    reader.look()
    assert sum(map(len, reader.seen)) == 3 + (1 << 20)


def test_the_messages_on_their_way_are_kept_with_the_place(tmp_path: Path) -> None:
    kept = file_for(tmp_path, tmp_path / "mail.log")
    assert Position.load(kept) == Position()
    position = Position(Place(7, 70, 7, "x"), {"mta1 postfix 4B": Mail(message_id="m@x")})
    position.save(kept)
    assert Position.load(kept) == position
    assert kept.stat().st_mode & 0o777 == 0o600


def test_a_damaged_place_is_told_with_what_to_do(tmp_path: Path) -> None:
    kept = tmp_path / "postfix.json"
    kept.write_text("{")
    with pytest.raises(Mistake, match="Remove it, and the log is read from its beginning"):
        Position.load(kept)
