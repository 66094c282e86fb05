"""The position: how far a log was read, and which messages were on their way there.

Promise: it is written whole or not at all, after the events before it are safe. If that fails, the
same lines are read once more and give the same events.
"""

import os
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

import msgspec

from tracker.mistake import Exit, Mistake
from tracker.postfix.mail import Mail
from tracker.segment import sync_folder

HEAD: Final = 1_024  # bytes at a file's beginning that tell it from another of the same inode


class Place(msgspec.Struct, frozen=True):
    """Where in which file the next line begins. `head` is a digest of its first `head_bytes`."""

    inode: int = 0
    offset: int = 0
    head_bytes: int = 0
    head: str = ""


class Position(msgspec.Struct, frozen=True):
    """A place, and the messages that were on their way there, by instance and queue id."""

    place: Place = Place()
    mails: dict[str, Mail] = {}

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the position from a file; the beginning if there is none. Raises Mistake."""
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return cls()
        except msgspec.MsgspecError as error:
            raise Mistake(
                f"{path} is damaged: {error}. Remove it, and the log is read from its beginning;"
                " what was read before isn't counted again",
                Exit.DATA,
            ) from error

    def save(self, path: Path) -> None:
        """Write the position, durably. It has addresses in it: only its owner may read it."""
        beside = path.with_suffix(".new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(self))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        sync_folder(path.parent)


def file_for(data: Path, log: Path) -> Path:
    """Return where the position in a log is kept."""
    name = sha256(os.fsencode(log.resolve())).hexdigest()[:16]
    return data / f"postfix-{name}.json"
