"""The archive: the closed files of a file sink, beside the one that it writes.

    events.jsonl                                 is being written
    events-20261121T081500Z-000002.jsonl         closed, about to be compressed
    events-20261120T235959Z-000001.jsonl.gz      closed and compressed

In: a file that is whole. Out: the same under its own name, compressed after a while, removed when
there are more than are kept.

Promise: at every moment, also after a crash, each closed file is there whole: as it was,
compressed, or, between two steps, both.
"""

import gzip
import logging
import os
import queue
import re
import shutil
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Final

from tracker.segment import sync_folder

GZIP: Final = ".gz"
UNFINISHED: Final = ".part"
CHUNK: Final = 1 << 20
WAITS_AT_END: Final = 5.0  # seconds

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class Closed:
    """A closed file. Numbers grow for ever."""

    number: int
    path: Path

    @property
    def compressed(self) -> bool:
        """Whether it is compressed."""
        return self.path.suffix == GZIP


class Stopped(Exception):
    """The archive is to be left as it is."""


class Archive:
    """The closed files of the file at a path, and the thread that compresses and removes them."""

    def __init__(self, path: Path, *, compress: bool = False, keep: int = 0) -> None:
        self._path = path
        self._compress = compress
        self._keep = keep
        self._wanted: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, at: float) -> None:
        """Close the file that is being written: give it a name of its own. Raises OSError."""
        number = max((one.number for one in self.closed()), default=0) + 1
        time = datetime.fromtimestamp(at, UTC).strftime("%Y%m%dT%H%M%SZ")
        name = f"{self._path.stem}-{time}-{number:06d}{self._path.suffix}"
        self._path.rename(self._path.with_name(name))
        sync_folder(self._path.parent)

    def closed(self) -> list[Closed]:
        """Return the closed files, oldest first; one that is there in both forms comes twice."""
        pattern = re.compile(
            rf"{re.escape(self._path.stem)}-\d{{8}}T\d{{6}}Z-(\d{{6,}}){re.escape(self._path.suffix)}"
            rf"(?:{re.escape(GZIP)})?"
        )
        names = ((pattern.fullmatch(path.name), path) for path in self._path.parent.iterdir())
        return sorted(Closed(int(found[1]), path) for found, path in names if found)

    def end(self, lines: int) -> list[bytes]:
        """Return the last lines of the file that was closed last. Raises OSError, EOFError."""
        closed = self.closed()
        if not closed:
            return []
        newest = min(closed, key=lambda one: (-one.number, one.compressed)).path
        with gzip.open(newest) if newest.suffix == GZIP else newest.open("rb") as file:
            return list(deque(file, lines))

    def tidy_soon(self) -> None:
        """Have closed files compressed and old ones removed, on a thread of the archive's own."""
        if not (self._compress or self._keep):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="archive", daemon=True)
            self._thread.start()
        self._wanted.put(True)

    def close(self) -> None:
        """Leave the rest to the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._wanted.put(False)
            self._thread.join(WAITS_AT_END)

    def tidy(self) -> None:
        """Compress what is closed, and remove the oldest. Raises OSError, Stopped."""
        if self._compress:
            for whole in [one for one in self.closed() if not one.compressed]:
                self._pack(whole.path)
        if self._keep:
            closed = self.closed()
            keep = sorted({one.number for one in closed})[-self._keep :]
            for old in (one for one in closed if one.number not in keep):
                old.path.unlink()

    def _run(self) -> None:
        while self._wanted.get():
            try:
                self.tidy()
            except Stopped:
                return
            except OSError as error:
                reason = f"{error.filename or self._path}: {error.strerror}"
                logger.error("archive_failed", extra={"reason": reason})

    def _pack(self, path: Path) -> None:
        packed = path.with_name(path.name + GZIP)
        unfinished = path.with_name(path.name + UNFINISHED)
        if not packed.exists():  # else a crash came between the two last steps
            with path.open("rb") as source, _private(unfinished) as target:
                with gzip.GzipFile("", "wb", fileobj=target, mtime=path.stat().st_mtime) as file:
                    for chunk in iter(lambda: source.read(CHUNK), b""):
                        if self._stopping.is_set():
                            raise Stopped
                        file.write(chunk)
                target.flush()
                os.fsync(target.fileno())
            shutil.copystat(path, unfinished)
            unfinished.rename(packed)
            sync_folder(path.parent)
        path.unlink()


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
