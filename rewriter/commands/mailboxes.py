"""Many messages at rest: an mbox, a Maildir, a folder of files.

In: a path. Out: where each message is and what it is called, by offset, so that no message is read
before its turn. A mailbox written from them has the form of the one that was read.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# RFC 4155: a message begins with a From line, at the start or behind a blank line.
FROM_LINE: Final = re.compile(rb"From [^\n]*+\n")
BLANK_AT_END: Final = re.compile(rb"\n(\r?\n)\Z")
# Maildir++ puts sizes into file names (`,S=1234,W=1260`), which would no longer hold.
SIZES: Final = re.compile(r",[SW]=\d+")


class NoMailbox(Exception):
    """The path holds no mail in a form that is known."""


@dataclass(frozen=True, slots=True)
class Stored:
    """One message: the bytes `start` to `end` of a file.

    `name` is that of its file in the mailbox; a message of an mbox has none, but may have a blank
    line behind it that belongs to the mbox.
    """

    file: Path
    start: int
    end: int
    name: str = ""
    separator: bytes = b""

    def __str__(self) -> str:
        return self.name or f"{self.file.name} at {self.start}"

    def read(self) -> bytes:
        """Read the message. Raises OSError."""
        with self.file.open("rb") as file:
            file.seek(self.start)
            return file.read(self.end - self.start)


def stored(source: Path) -> list[Stored]:
    """Find the messages at a path. Raises NoMailbox, OSError.

    Those of an mbox have no names.
    """
    if source.is_file():
        return list(_in_mbox(source))
    if not source.is_dir():
        raise NoMailbox(f"there is no {source}")
    folders = [source / "cur", source / "new"]
    maildir = all(folder.is_dir() for folder in folders)
    files = (file for folder in (folders if maildir else [source]) for file in folder.rglob("*"))
    found = [
        Stored(file, 0, file.stat().st_size, _name(file.relative_to(source), maildir=maildir))
        for file in sorted(files)
        if file.is_file() and not file.name.startswith(".")
    ]
    if not found:
        raise NoMailbox(f"{source} holds no messages")
    return found


def _in_mbox(source: Path) -> Iterator[Stored]:
    with source.open("rb") as file:
        if file.read(5) != b"From ":
            raise NoMailbox(f"{source} is no mbox: it doesn't begin with 'From '")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            starts = [
                match.start()
                for match in FROM_LINE.finditer(content)
                if _begins_message(content, match.start())
            ]
            for start, end in zip(starts, [*starts[1:], len(content)], strict=True):
                blank = BLANK_AT_END.search(content, max(end - 4, start), end)
                separator = blank[1] if blank else b""
                yield Stored(source, start, end - len(separator), separator=separator)


def _begins_message(content: mmap.mmap, at: int) -> bool:
    return at == 0 or content[at - 2 : at] == b"\n\n" or content[at - 3 : at] == b"\n\r\n"


def _name(path: Path, *, maildir: bool) -> str:
    return SIZES.sub("", str(path)) if maildir else str(path)
