"""The published snapshot: what is registered, as a file that edge workers and rewriters read.

In: a snapshot, from the office. Out: the same, in processes that read no database.

Promise: a reader sees one snapshot or the next, whole; a file that is damaged or gone leaves the
last one in place, and is told in the log once.
"""

import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from tracker.domains import Snapshot

FILE: Final = "domains.json"  # within the data folder, beside the keyring
EVERY: Final = 1.0  # seconds between two looks at the file
FRESH: Final = ".fresh"

logger = logging.getLogger(__name__)

Version = tuple[int, int, int]


def encode(snapshot: Snapshot) -> bytes:
    """Write a snapshot as JSON, the same bytes for the same content."""
    return msgspec.json.encode(snapshot, order="deterministic") + b"\n"


def publish(path: Path, snapshot: Snapshot) -> None:
    """Put a snapshot in the place of the last one, durably. Raises OSError."""
    fresh = path.with_name(path.name + FRESH)  # one office publishes, so that one name will do
    fresh.touch(0o600)
    with fresh.open("wb") as file:
        file.write(encode(snapshot))
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class Published:
    """The snapshot at a path, read anew when the file has changed."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Take the file's path, which need not be there yet: nothing is registered until it is."""
        self._path = path
        self._clock = clock
        self._looked = -EVERY
        self._version: Version | None = None
        self._snapshot = Snapshot()

    def current(self) -> Snapshot:
        """Return the last snapshot that could be read; the file is looked at once a second."""
        now = self._clock()
        if now - self._looked >= EVERY:
            self._looked = now
            self._look()
        return self._snapshot

    def _look(self) -> None:
        version = _version(self._path)
        if version == self._version:
            return
        self._version = version
        try:
            self._snapshot = msgspec.json.decode(self._path.read_bytes(), type=Snapshot)
        except (OSError, msgspec.MsgspecError) as error:
            logger.error("domains_unreadable", extra={"path": str(self._path), "why": str(error)})


def _version(path: Path) -> Version | None:
    """Tell one version of the file from another; None where there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
